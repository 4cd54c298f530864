// For tests: a peer of the native protocol without a socket, over a broker stepped by hand. The gateway's answers are
// shown as one line for each frame.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "broker/core/testing.hpp"
#include "broker/frontends/native/front_end.hpp"

namespace tidegate::native {

// Broker and front-end with one lifetime.
class gateway {
 public:
  explicit gateway(native::options options = {}, core::stepping_options core = {})
      : broker(core), options_(std::move(options)) {
    open();
  }
  void open() { front_end_ = std::make_unique<native::front_end>(broker.get().services(), options_); }
  // No session may exist.
  void reopen_killed() {
    broker.reopen_killed();
    open();
  }
  native::front_end& front() { return *front_end_; }

  core::stepping_broker broker;

 private:
  native::options options_;
  std::unique_ptr<native::front_end> front_end_;
};

inline std::string from_hex(std::string_view hex) {
  std::string bytes, digits;
  for (const char c : hex) {
    if (c == ' ') continue;
    digits.push_back(c);
    if (digits.size() < 2) continue;
    bytes.push_back(static_cast<char>(std::stoi(digits, nullptr, 16)));
    digits.clear();
  }
  return bytes;
}

inline std::string to_hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{}{:02x}", out.empty() ? "" : " ", static_cast<std::uint8_t>(c));
  return out;
}

// Passes headers to nanopb for encoding.
class header_source {
 public:
  explicit header_source(const std::vector<header>& headers) : headers_(headers) {}
  tg_list encoder() {
    const auto step = [](void* context, void* item) {
      auto& source = *static_cast<header_source*>(context);
      if (source.next_ == source.headers_.size()) return false;
      const header& next = source.headers_[source.next_++];
      *static_cast<tg_Header*>(item) = {bytes_of(next.name), bytes_of(next.value)};
      return true;
    };
    return {step, &slot_, this};
  }

 private:
  const std::vector<header>& headers_;
  std::size_t next_ = 0;
  tg_Header slot_{};
};

template <class Message>
std::string frame_of(tg_member member, const pb_msgdesc_t* fields, const Message& message, std::size_t size_hint = 0) {
  std::string out;
  append_frame(out, member, fields, &message, size_hint);
  return out;
}

// A frame from the gateway, decoded on demand.
struct answer {
  tg_member member;
  std::string body;

  template <class Message>
  Message as(const pb_msgdesc_t* fields) const {
    Message message{};
    const tg_frame frame{member, reinterpret_cast<const std::uint8_t*>(body.data()), body.size(), body.size()};
    TIDEGATE_EXPECT(tg_frame_decode(&frame, fields, &message));
    return message;
  }
};

inline std::string show(const answer& answer) {
  const auto text = [](const tg_bytes& bytes) { return view_of(bytes); };
  switch (answer.member) {
    case TG_WELCOME: {
      const auto welcome = answer.as<tg_Welcome>(tg_Welcome_fields);
      return fmt::format("welcome {} durable {}", static_cast<int>(welcome.status), welcome.durable_sequence);
    }
    case TG_ACK: return fmt::format("ack {}", answer.as<tg_Ack>(tg_Ack_fields).sequence);
    case TG_REJECT: {
      const auto reject = answer.as<tg_Reject>(tg_Reject_fields);
      return fmt::format("reject {} code {}", reject.sequence, static_cast<int>(reject.code));
    }
    case TG_PING: return "ping";
    case TG_PONG: return fmt::format("pong {}", answer.as<tg_Pong>(tg_Pong_fields).ticks);
    case TG_CONNECTED: {
      const auto connected = answer.as<tg_Connected>(tg_Connected_fields);
      return fmt::format("connected {} producer {}", connected.correlation, connected.producer_sequence);
    }
    case TG_DONE: {
      const auto done = answer.as<tg_Done>(tg_Done_fields);
      return fmt::format("done {} partitions {} messages {}", done.correlation, done.partitions, done.message_count);
    }
    case TG_ERROR: {
      const auto error = answer.as<tg_Error>(tg_Error_fields);
      return fmt::format("error {}{} code {} field {}", error.correlation, error.closing ? " closing" : "",
                         static_cast<int>(error.code), text(error.field));
    }
    case TG_LISTED: return fmt::format("listed {}", text(answer.as<tg_Listed>(tg_Listed_fields).json));
    case TG_CONFIRM: {
      const auto confirm = answer.as<tg_Confirm>(tg_Confirm_fields);
      return fmt::format("confirm {}{} code {}", confirm.multiple ? "through " : "", confirm.id,
                         static_cast<int>(confirm.code));
    }
    case TG_RETURN: {
      const auto returned = answer.as<tg_Return>(tg_Return_fields);
      return fmt::format("return {} '{}' '{}' '{}'", returned.id, text(returned.exchange), text(returned.routing_key),
                         text(returned.body));
    }
    case TG_DELIVER: {
      const auto deliver = answer.as<tg_Deliver>(tg_Deliver_fields);
      return fmt::format("deliver {} tag {} '{}'{}", deliver.consumer, deliver.tag, text(deliver.body),
                         deliver.redelivered ? fmt::format(" again {}", deliver.delivery_count) : "");
    }
    case TG_PRODUCED: {
      const auto produced = answer.as<tg_Produced>(tg_Produced_fields);
      return fmt::format("produced {} at {}", produced.correlation, produced.base_offset);
    }
    case TG_FETCHED: {
      const auto fetched = answer.as<tg_Fetched>(tg_Fetched_fields);
      return fmt::format("fetched {} code {} from {} to {} bytes {}", fetched.correlation,
                         static_cast<int>(fetched.code), fetched.log_start, fetched.high_watermark,
                         fetched.batches.size);
    }
    case TG_OFFSET_LISTED: {
      const auto listed = answer.as<tg_OffsetListed>(tg_OffsetListed_fields);
      return fmt::format("offset {} at {} of {} to {}", listed.correlation, listed.offset, listed.log_start,
                         listed.high_watermark);
    }
    case TG_OFFSET_FETCHED: {
      const auto fetched = answer.as<tg_OffsetFetched>(tg_OffsetFetched_fields);
      return fmt::format("committed {} {} {} '{}'", fetched.correlation, fetched.found ? "yes" : "no", fetched.offset,
                         text(fetched.metadata));
    }
    default: return fmt::format("member {}", static_cast<int>(answer.member));
  }
}

class peer {
 public:
  explicit peer(gateway& gateway)
      : gateway_(gateway), session_(std::make_unique<session>(gateway.front(), "peer", [this] { ++wakes; })) {}

  session& on() { return *session_; }
  // Ends the connection.
  void drop() { session_.reset(); }
  bool is_closing() const { return session_->is_closing(); }

  // Hands bytes over as a reader would: bytes that are not taken stay in front of the next ones.
  void send_bytes(std::string_view bytes) {
    if (held_.empty()) {
      held_ = bytes.substr(session_->input(bytes));
      return;
    }
    held_.append(bytes);
    held_.erase(0, session_->input(held_));
  }
  template <class Message>
  void send(tg_member member, const pb_msgdesc_t* fields, const Message& message, std::size_t size_hint = 0) {
    send_bytes(frame_of(member, fields, message, size_hint));
  }
  std::size_t held() const { return held_.size(); }

  // Returns what the writer would send when this turn of the loop is over.
  std::string take_bytes() {
    gateway_.broker->tell();
    session_->fill();
    return std::exchange(session_->answers(), {});
  }
  std::vector<answer> take() {
    const std::string bytes = take_bytes();
    std::vector<answer> found;
    for (std::size_t at = 0; at < bytes.size();) {
      tg_frame frame;
      const auto* const data = reinterpret_cast<const std::uint8_t*>(bytes.data()) + at;
      TIDEGATE_EXPECT(tg_frame_split(data, bytes.size() - at, limits::frame_bytes, &frame) == TG_SPLIT_READY);
      found.push_back({static_cast<tg_member>(frame.member),
                       std::string(reinterpret_cast<const char*>(frame.body), frame.body_size)});
      at += frame.size;
    }
    return found;
  }
  std::vector<std::string> answers() {
    std::vector<std::string> lines;
    for (const answer& one : take()) lines.push_back(show(one));
    return lines;
  }
  // Returns the answers after everything that waits was committed.
  std::vector<std::string> answers_committed() {
    gateway_.broker.commit();
    return answers();
  }

  // Frames of an application.
  void connect(std::string_view producer = {}, std::uint32_t epoch = 0) {
    tg_Connect connect{};
    connect.correlation = 1;
    connect.version = 1;
    connect.name = bytes_of("test");
    connect.producer = bytes_of(producer);
    connect.producer_epoch = epoch;
    send(TG_CONNECT, tg_Connect_fields, connect, 512);
    take();
  }
  void publish(std::uint64_t id, std::string_view exchange, std::string_view routing_key, std::string_view body,
               bool mandatory = false, std::uint64_t sequence = 0) {
    tg_PublishMessage publish{};
    publish.id = id;
    publish.exchange = bytes_of(exchange);
    publish.routing_key = bytes_of(routing_key);
    publish.body = bytes_of(body);
    publish.mandatory = mandatory;
    publish.sequence = sequence;
    send(TG_PUBLISH_MESSAGE, tg_PublishMessage_fields, publish, 1'024 + routing_key.size() + body.size());
  }
  void consume(std::uint32_t consumer, std::string_view queue, std::uint32_t prefetch = 0, bool auto_ack = false) {
    send(TG_CONSUME, tg_Consume_fields, tg_Consume{9, consumer, bytes_of(queue), prefetch, auto_ack, false, 0},
         queue.size());
  }
  void settle(std::uint64_t tag, tg_Settle_Outcome outcome = tg_Settle_Outcome_ACK, bool multiple = false) {
    send(TG_SETTLE, tg_Settle_fields, tg_Settle{tag, multiple, outcome});
  }
  void fetch(std::uint32_t correlation, std::string_view topic, std::uint64_t offset, std::uint32_t wait_ms = 0,
             std::uint32_t bytes_min = 0, std::uint32_t bytes_max = 0, std::uint32_t partition = 0,
             std::string_view topic_id = {}) {
    send(TG_FETCH, tg_Fetch_fields,
         tg_Fetch{correlation, bytes_of(topic), partition, offset, bytes_max, bytes_min, wait_ms, bytes_of(topic_id)},
         topic.size() + topic_id.size());
  }

  // Frames of a device.
  void hello(std::string_view device, std::uint32_t next = 1, std::uint32_t oldest = 0, std::uint32_t epoch = 7) {
    tg_Hello hello{};
    hello.version = 1;
    hello.device = bytes_of(device);
    hello.epoch = epoch;
    hello.boot = 1;
    hello.next_sequence = next;
    hello.oldest_sequence = oldest == 0 ? next : oldest;
    hello.ticks = 1'234;
    send(TG_HELLO, tg_Hello_fields, hello, 64);
  }
  void topic(std::uint32_t alias, std::string_view routing_key) {
    send(TG_TOPIC, tg_Topic_fields, tg_Topic{alias, bytes_of(routing_key)}, routing_key.size());
  }
  void publish_reading(std::uint32_t alias, std::string_view payload) {
    send(TG_PUBLISH, tg_Publish_fields, tg_Publish{alias, bytes_of(payload)}, payload.size());
  }
  struct item {
    std::uint32_t alias, dt;
    std::string payload;
  };
  void batch(std::uint32_t first, const std::vector<item>& items, std::uint32_t first_ticks = 100,
             std::uint32_t now_ticks = 200, std::uint32_t boot = 1) {
    struct source {
      const std::vector<item>& items;
      std::size_t next = 0;
    } source{items};
    tg_Item slot{};
    tg_Batch batch{first, first_ticks, now_ticks, boot, {}};
    batch.items = {[](void* context, void* out) {
                     auto& from = *static_cast<struct source*>(context);
                     if (from.next == from.items.size()) return false;
                     const item& next = from.items[from.next++];
                     *static_cast<tg_Item*>(out) = {next.alias, next.dt, bytes_of(next.payload)};
                     return true;
                   },
                   &slot, &source};
    std::size_t size = 0;
    for (const item& one : items) size += 20 + one.payload.size();
    send(TG_BATCH, tg_Batch_fields, batch, size);
  }

  int wakes = 0;

 private:
  gateway& gateway_;
  std::string held_;
  std::unique_ptr<session> session_;
};

}  // namespace tidegate::native
