#include "broker/frontends/native/device.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/base/log.hpp"
#include "broker/frontends/native/front_end.hpp"
#include "broker/model/definitions.hpp"

namespace tidegate::native {
namespace {

constexpr std::uint32_t protocol_version = 1;

std::string printable(std::string_view id) {
  std::string out;
  for (const char c : id) {
    if (c > 0x20 && c < 0x7f) {
      out.push_back(c);
    } else {
      out += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(c));
    }
  }
  return out;
}

std::chrono::seconds sleep_of(const tg_Hello& hello) {
  return std::min<std::chrono::seconds>(std::chrono::seconds(hello.sleep_seconds), limits::device_sleep_max);
}

std::optional<tg_Code> objection(session& session, const tg_Hello& hello) {
  if (hello.version != protocol_version) return tg_Code_UNSUPPORTED;
  if (hello.device.size == 0 || hello.device.size > limits::device_id_bytes) return tg_Code_INVALID;
  if (!session.settings().token.empty() && view_of(hello.token) != session.settings().token) return tg_Code_NOT_ALLOWED;
  // Refused here rather than admitted and stopped at its first message: the device keeps what it holds and comes back
  // later.
  if (session.core().inspecting.is_full()) return tg_Code_STORE_FULL;
  return std::nullopt;
}

}  // namespace

std::unique_ptr<role> device::admit(session& session, const tg_Hello& hello) {
  if (const auto refused = objection(session, hello)) {
    tg_Welcome answer{};
    answer.status = *refused;
    append_frame(session.answers(), TG_WELCOME, tg_Welcome_fields, &answer, 0);
    log::warning("device {} {}: not admitted, code {}", printable(view_of(hello.device)), session.peer(),
                 static_cast<int>(*refused));
    session.close();
    session.wake();
    return nullptr;
  }
  auto admitted = std::make_unique<device>(session, hello);
  admitted->welcome(hello);
  return admitted;
}

device::device(session& session, const tg_Hello& hello)
    : session_(session),
      id_(view_of(hello.device)),
      producer_id_("d:" + id_),
      epoch_(hello.epoch),
      boot_(hello.boot),
      // A connection is closed after twice this silence. With 3/4 of the sleep a sleeping device counts as dead after
      // one and a half times its sleep, and not before.
      silence_max_(std::max<std::chrono::seconds>(session.settings().heartbeat, sleep_of(hello) * 3 / 4)) {}

std::string device::name() const { return printable(id_); }

void device::welcome(const tg_Hello& hello) {
  session_.owner().take_over(id_, session_);
  const auto durable = static_cast<std::uint32_t>(session_.core().publishing.durable_sequence(producer()));
  next_sequence_ = std::max({durable + 1, hello.oldest_sequence, 1u});
  settled_through_ = acknowledged_ = next_sequence_ - 1;
  expected_ = durable + 1;
  if (hello.oldest_sequence > durable + 1) {
    log::warning(
        "device {}: it no longer holds messages {} to {}, and they are not here: rejected, or overwritten unsent",
        name(), durable + 1, hello.oldest_sequence - 1);
  }
  tg_Welcome answer{};
  answer.durable_sequence = durable;
  answer.window = limits::device_window_bytes;
  answer.largest_frame = limits::device_frame_bytes;
  answer.unix_ms = static_cast<std::uint64_t>(session_.core().inspecting.wall().count());
  answer.ticks = hello.ticks;
  append_frame(session_.answers(), TG_WELCOME, tg_Welcome_fields, &answer, 0);
  log::info("device {} {}: connected, {} are here", name(), session_.peer(), durable);
  session_.wake();
}

void device::frame(const tg_frame& frame) {
  switch (frame.member) {
    case TG_TOPIC: return topic(frame);
    case TG_PUBLISH: return publish(frame);
    case TG_BATCH: return batch(frame);
    default: return;  // of a later version: skipped
  }
}

void device::topic(const tg_frame& frame) {
  tg_Topic topic{};
  if (!tg_frame_decode(&frame, tg_Topic_fields, &topic)) return session_.fail({errc::invalid, "Topic does not decode"});
  if (topic.alias == 0 || topic.alias > limits::device_aliases) {
    return session_.fail(
        {errc::invalid, fmt::format("alias {} is not 1 to {}", topic.alias, limits::device_aliases), "alias"});
  }
  if (topic.routing_key.size > limits::routing_key_bytes) {
    return session_.fail({errc::too_large,
                          fmt::format("routing key of {} bytes is over the limit of {}", topic.routing_key.size,
                                      limits::routing_key_bytes),
                          "routing_key"});
  }
  if (!is_utf8(view_of(topic.routing_key))) {
    return session_.fail({errc::invalid, "the routing key is not UTF-8", "routing_key"});
  }
  aliases_[topic.alias] = view_of(topic.routing_key);
}

void device::publish(const tg_frame& frame) {
  tg_Publish publish{};
  if (!tg_frame_decode(&frame, tg_Publish_fields, &publish))
    return session_.fail({errc::invalid, "Publish does not decode"});
  take(next_sequence_++, publish.alias, view_of(publish.payload), {});
}

// Items of this boot get a time: arrival minus their age by the device's ticks. Older ones have no time.
void device::batch(const tg_frame& frame) {
  // The items come before or after the other fields, so the other fields are read in a pass of their own.
  tg_Batch head{};
  if (!tg_frame_decode(&frame, tg_Batch_fields, &head)) return session_.fail({errc::invalid, "Batch does not decode"});
  struct context {
    device& self;
    const tg_Batch& head;
    std::int64_t arrival;
    std::uint32_t sequence, alias = 0, ticks;
  } items{*this, head, session_.core().inspecting.wall().count(), head.first_sequence, 0, head.first_ticks};
  tg_Item slot{};
  tg_Batch walked{};
  walked.items = {[](void* raw, void* item) {
                    auto& at = *static_cast<context*>(raw);
                    const auto& next = *static_cast<tg_Item*>(item);
                    if (next.alias != 0) at.alias = next.alias;
                    at.ticks += next.dt;
                    const std::string time =
                        at.head.boot == at.self.boot_
                            ? std::to_string(at.arrival - static_cast<std::int64_t>(at.head.now_ticks - at.ticks))
                            : std::string();
                    return at.self.take(at.sequence++, at.alias, view_of(next.payload), time);
                  },
                  &slot, &items};
  const bool whole = tg_frame_decode(&frame, tg_Batch_fields, &walked);
  next_sequence_ = std::max(next_sequence_, items.sequence);
  if (!whole && !session_.is_closing()) session_.fail({errc::invalid, "Batch does not decode"});
}

// Returns false if the session is closing: the device will send this one again.
bool device::take(std::uint32_t sequence, std::uint32_t alias, std::string_view payload, std::string_view time) {
  if (sequence <= last_taken()) {
    // Sent again. If it waits for a commit, its acknowledgement follows; if it is on flash, it is acknowledged again.
    is_owed_ack_ |= sequence <= settled_through_;
    session_.wake();
    return true;
  }
  if (sequence > last_taken() + 1) {
    log::warning("device {}: messages {} to {} were overwritten unsent", name(), last_taken() + 1, sequence - 1);
  }
  pending_.push_back({sequence, false});
  if (alias == 0 || alias > limits::device_aliases || aliases_[alias].empty()) {
    reject(sequence, errc::not_found);
    return true;
  }
  if (payload.size() > limits::device_payload_bytes) {
    reject(sequence, errc::too_large);
    return true;
  }
  message_view message;
  message.exchange = session_.settings().device_exchange;
  message.routing_key = aliases_[alias];
  message.key = id_;
  if (!time.empty()) message.headers.push_back({header_time, time});
  message.body = payload;
  const auto published = session_.core().publishing.publish(message, {{session_.id(), sequence}, producer(), sequence});
  if (published) {
    // A loss would be written. Messages in memory are not, and a restart of the broker forgets their sequences.
    if (*published != core::api::publish_outcome::in_memory) account_for(sequence);
    expected_ = std::max(expected_, sequence + 1);
    if (*published == core::api::publish_outcome::unroutable) reject(sequence, errc::not_found);
    return true;
  }
  if (is_full(published.error().code)) {
    // No later one may be accepted either, or order and count would be wrong: the device comes back later.
    pending_.pop_back();
    log::warning("device {}: {}", name(), published.error().text);
    session_.close();
    session_.wake();
    return false;
  }
  reject(sequence, published.error().code);
  return true;
}

// Sequences missing before a stored message are recorded as a loss, in the same commit.
void device::account_for(std::uint32_t sequence) {
  if (sequence > expected_) session_.core().publishing.lose(name(), expected_, sequence);
}

void device::reject(std::uint32_t sequence, errc code) {
  const tg_Reject answer{sequence, wire_code(code)};
  append_frame(session_.answers(), TG_REJECT, tg_Reject_fields, &answer, 0);
  if (sequence == expected_) ++expected_;  // not lost: the device was answered
  done(sequence);
  session_.wake();
}

void device::done(std::uint32_t sequence) {
  const auto found = std::lower_bound(pending_.begin(), pending_.end(), sequence,
                                      [](const pending& item, std::uint32_t wanted) { return item.sequence < wanted; });
  if (found == pending_.end() || found->sequence != sequence) return;
  found->done = true;
  while (!pending_.empty() && pending_.front().done) {
    settled_through_ = pending_.front().sequence;
    pending_.pop_front();
  }
}

void device::settled(std::uint64_t token, const error* refusal) {
  if (refusal != nullptr) return session_.close();  // a full store, see take()
  done(static_cast<std::uint32_t>(token));
}

void device::fill(milliseconds) {
  if (settled_through_ == acknowledged_ && !is_owed_ack_) return;
  is_owed_ack_ = false;
  acknowledged_ = settled_through_;
  const tg_Ack ack{acknowledged_, limits::device_window_bytes};
  append_frame(session_.answers(), TG_ACK, tg_Ack_fields, &ack, 0);
}

}  // namespace tidegate::native
