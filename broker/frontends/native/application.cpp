#include "broker/frontends/native/application.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/base/bytes.hpp"
#include "broker/base/log.hpp"
#include "broker/frontends/native/front_end.hpp"
#include "broker/model/definitions.hpp"

namespace tidegate::native {
namespace {

constexpr std::uint32_t protocol_version = 1;
// Tokens from here on are requests; tokens below are publish ids.
constexpr std::uint64_t request_tokens = std::uint64_t{1} << 63;

std::optional<error> objection_to(const tg_Connect& connect, const session& session) {
  if (connect.version != protocol_version) {
    return error{errc::unsupported, fmt::format("protocol version {} is not {}", connect.version, protocol_version),
                 "version"};
  }
  if (!session.settings().token.empty() && view_of(connect.token) != session.settings().token) {
    return error{errc::not_allowed, "the token is not the broker's", "token"};
  }
  if (connect.name.size > limits::routing_key_bytes || connect.producer.size > limits::producer_bytes) {
    return error{errc::too_large, fmt::format("name and producer take at most {} bytes", limits::producer_bytes),
                 "name"};
  }
  if (!is_utf8(view_of(connect.name))) return error{errc::invalid, "the name is not UTF-8", "name"};
  return std::nullopt;
}

result<core::api::outcome> outcome_of(const settle_frame& settle) {
  switch (settle.outcome) {
    case tg_Settle_Outcome_ACK: return core::api::outcome::ack;
    case tg_Settle_Outcome_REQUEUE: return core::api::outcome::requeue;
    case tg_Settle_Outcome_DISCARD: return core::api::outcome::discard;
    default:
      return error{errc::invalid, fmt::format("outcome {} is not ACK, REQUEUE or DISCARD", settle.outcome), "outcome"};
  }
}

// A delay that no time reaches becomes one that core refuses.
milliseconds delay_of(const publish_frame& publish) {
  constexpr std::uint64_t beyond = 1ull << 62;
  return milliseconds(static_cast<std::int64_t>(std::min(publish.delay_ms, beyond)));
}

// A place on the wire: the level, and the offset in big-endian.
result<core::queues::message_place> place_of(std::string_view bytes) {
  core::queues::message_place place;
  if (bytes.empty()) return place;
  byte_reader reader(bytes);
  place.level = reader.be<std::uint8_t>();
  place.next = reader.be<std::uint64_t>();
  if (!reader.failed() && reader.at_end()) return place;
  return error{errc::invalid, "'after' is no place of a message: each Got of a peek has one", "after"};
}

std::string to_bytes(const core::queues::message_place& place) {
  std::string bytes;
  append_be(bytes, place.level);
  append_be(bytes, std::uint64_t{place.next});
  return bytes;
}

std::optional<error> unsequenced() {
  return error{errc::not_allowed, "messages of a transaction have no sequences: a transaction is repeated as a whole",
               "sequence"};
}

}  // namespace

std::unique_ptr<role> application::admit(session& session, const tg_Connect& connect) {
  if (const auto refused = objection_to(connect, session)) {
    session.fail(*refused);
    return nullptr;
  }
  auto admitted = std::make_unique<application>(session, connect);
  admitted->connected(connect);
  return admitted;
}

application::application(session& session, const tg_Connect& connect)
    : session_(session),
      core_(session.core()),
      name_(presentable(view_of(connect.name))),
      producer_epoch_(connect.producer_epoch),
      heartbeat_(connect.heartbeat_seconds == 0
                     ? session.settings().heartbeat
                     : std::min(session.settings().heartbeat, std::chrono::seconds(connect.heartbeat_seconds))) {
  if (connect.producer.size > 0) producer_id_ = "a:" + std::string(view_of(connect.producer));
}

void application::connected(const tg_Connect& connect) {
  const options& settings = session_.settings();
  tg_Connected answer{};
  answer.correlation = connect.correlation;
  answer.server = bytes_of(settings.server);
  answer.heartbeat_seconds = static_cast<std::uint32_t>(heartbeat_.count());
  answer.largest_frame = limits::frame_bytes;
  answer.gateway = bytes_of(settings.gateway);
  answer.incarnation = bytes_of(core_.inspecting.incarnation());
  if (!producer_id_.empty())
    answer.producer_sequence = core_.publishing.durable_sequence({producer_id_, producer_epoch_, true});
  append_frame(session_.answers(), TG_CONNECTED, tg_Connected_fields, &answer,
               settings.server.size() + settings.gateway.size() + 64);
  session_.wake();
}

void application::frame(const tg_frame& frame) {
  switch (frame.member) {
    case TG_PUBLISH_MESSAGE: return publish_message(frame);
    case TG_SETTLE: return settle(frame);
    case TG_PRODUCE: return produce(frame);
    case TG_FETCH: return fetch(frame);
    case TG_DECLARE_EXCHANGE: return declare_exchange(frame);
    case TG_DECLARE_QUEUE: return declare_queue(frame);
    case TG_DECLARE_TOPIC: return declare_topic(frame);
    case TG_DEFINE: return define(frame);
    case TG_BIND: return bind(frame);
    case TG_UNBIND: return unbind(frame);
    case TG_DELETE: return remove(frame);
    case TG_LIST: return list(frame);
    case TG_CONSUME: return consume(frame);
    case TG_CANCEL: return cancel(frame);
    case TG_GET: return get(frame);
    case TG_PURGE: return purge(frame);
    case TG_LIST_OFFSET: return list_offset(frame);
    case TG_COMMIT_OFFSET: return commit_offset(frame);
    case TG_FETCH_OFFSET: return fetch_offset(frame);
    case TG_LEASE: return lease(frame);
    case TG_TRANSACT: return transact(frame);
    default: return;  // of a later version: skipped
  }
}

core::receipt application::receipt_for(waiting_request request) {
  const std::uint64_t token = request_tokens | next_request_++;
  requests_.emplace(token, request);
  return {session_.id(), token};
}

void application::settled(std::uint64_t token, const error* refusal) {
  if ((token & request_tokens) == 0) {
    if (refusal != nullptr) return refuse_publish(token, *refusal);
    return publishes_.stored(token);
  }
  const auto found = requests_.extract(token);
  if (found.empty()) return;
  const waiting_request& request = found.mapped();
  if (refusal != nullptr) return session_.refuse(request.correlation, *refusal);
  if (request.answer == TG_DONE) return answer_done(request);
  const tg_Produced produced{request.correlation, request.number};
  append_frame(session_.answers(), TG_PRODUCED, tg_Produced_fields, &produced, 0);
}

void application::answer_done(const waiting_request& done) {
  const tg_Done answer{done.correlation,      done.partitions,     done.number,   bytes_of(done.topic_id),
                       bytes_of(done.notice), bytes_of(done.name), done.consumers};
  append_frame(session_.answers(), TG_DONE, tg_Done_fields, &answer,
               done.topic_id.size() + done.notice.size() + done.name.size());
  session_.wake();
}

// Ends a request to core: its receipt settles it later, or its error does now.
void application::conclude(const core::receipt& receipt, std::uint32_t correlation, const result<void>& asked) {
  if (asked) return;
  requests_.erase(receipt.token);
  session_.refuse(correlation, asked.error());
}

void application::fill(milliseconds now) {
  confirm_done();
  answer_fetches(now);
  pull_ready();
}

// ------------------------------------------------------------------------------------------------ publishing

void application::publish_message(const tg_frame& frame) {
  if (!decode(frame, publish_)) {
    return session_.fail({errc::invalid, "PublishMessage does not decode, or has more headers than the limit"});
  }
  const std::uint64_t id = publish_.id, sequence = publish_.sequence;
  if (id <= publishes_.last_id() || (id & request_tokens) != 0) {
    return session_.fail(
        {errc::invalid, fmt::format("publish id {} does not rise above {}", id, publishes_.last_id()), "id"});
  }
  publishes_.add(id, sequence);
  if (const auto refused = objection(publish_)) return refuse_publish(id, *refused);
  core::api::publish_request request{{session_.id(), id}, std::nullopt, sequence};
  if (sequence != 0) request.producer = core::api::producer_ref{producer_id_, producer_epoch_, true};
  request.delay = delay_of(publish_);
  const auto published = core_.publishing.publish(publish_.message, request);
  if (!published) return refuse_publish(id, published.error());
  if (sequence != 0) publishes_.sequence_taken();
  const bool is_unroutable = *published == core::api::publish_outcome::unroutable;
  if (!is_unroutable && *published != core::api::publish_outcome::replied) return;
  if (is_unroutable && publish_.mandatory) append_return(session_.answers(), id, publish_.message);
  publishes_.stored(id);
  session_.wake();
}

void application::transact(const tg_frame& frame) {
  transact_frame transact;
  if (!decode(frame, transact)) return session_.fail({errc::invalid, "Transact does not decode"});
  const std::uint32_t correlation = transact.correlation;
  if (transact.publishes.size() + transact.settles.size() > limits::transaction_items) {
    return session_.refuse(correlation,
                           {errc::limit, fmt::format("{} messages and settlements in one transaction are the limit",
                                                     limits::transaction_items)});
  }
  std::vector<core::api::transaction_message> messages;
  for (const publish_frame& publish : transact.publishes) {
    if (const auto refused = publish.sequence != 0 ? unsequenced() : objection(publish)) {
      return session_.refuse(correlation, *refused);
    }
    messages.push_back({publish.message, delay_of(publish)});
  }
  std::vector<core::api::settlement> settlements;
  for (const settle_frame& settle : transact.settles) {
    const auto outcome = outcome_of(settle);
    if (!outcome) return session_.refuse(correlation, outcome.error());
    settlements.push_back({settle.tag, settle.multiple, *outcome});
  }
  const auto receipt = receipt_for({correlation});
  const auto done = core_.transacting.commit(messages, settlements, receipt, transact.all_routable);
  if (done) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const publish_frame& publish = transact.publishes[i];
      if (!messages[i].is_unroutable) ++requests_[receipt.token].number;
      if (messages[i].is_unroutable && publish.mandatory)
        append_return(session_.answers(), publish.id, publish.message);
    }
  }
  conclude(receipt, correlation, done);
}

std::optional<error> application::objection(const publish_frame& publish) const {
  const message_view& message = publish.message;
  const auto is_text = [](const header& header) { return is_utf8(header.name); };
  if (!is_utf8(message.routing_key) || !std::all_of(message.headers.begin(), message.headers.end(), is_text)) {
    return error{errc::invalid, "the routing key or a header's name is not UTF-8", "routing_key"};
  }
  const auto is_reserved = [](const header& header) { return header.name.starts_with(reserved_header_prefix); };
  if (std::any_of(message.headers.begin(), message.headers.end(), is_reserved)) {
    return error{errc::not_allowed, "header names that begin with tg- are Tidegate's own", "headers"};
  }
  if (publish.sequence == 0) return std::nullopt;
  if (producer_id_.empty()) {
    return error{errc::not_allowed, "a sequence needs the producer that Connect names", "sequence"};
  }
  const std::uint64_t refused = publishes_.refused_sequence();
  if (refused != 0 && publish.sequence > refused) {
    return error{errc::store_full,
                 fmt::format("sequence {} was refused for want of room; send it again before later ones", refused),
                 "sequence"};
  }
  return std::nullopt;
}

// Answers the publish by itself.
void application::refuse_publish(std::uint64_t id, const error& cause) {
  const std::string text = presentable(cause.text);
  const tg_Confirm answer{id, false, wire_code(cause.code), bytes_of(text)};
  append_frame(session_.answers(), TG_CONFIRM, tg_Confirm_fields, &answer, text.size());
  publishes_.refused(id, cause.code);
  session_.wake();
}

void application::confirm_done() {
  publishes_.confirm_stored([this](std::uint64_t id, bool multiple) { confirm(id, multiple); });
}

void application::confirm(std::uint64_t id, bool multiple) {
  const tg_Confirm answer{id, multiple, tg_Code_OK, {}};
  append_frame(session_.answers(), TG_CONFIRM, tg_Confirm_fields, &answer, 0);
}

// ------------------------------------------------------------------------------------------------ consuming

void application::consume(const tg_frame& frame) {
  tg_Consume consume{};
  if (!tg_frame_decode(&frame, tg_Consume_fields, &consume))
    return session_.fail({errc::invalid, "Consume does not decode"});
  const bool taken = std::any_of(consumers_.begin(), consumers_.end(),
                                 [&](const auto& item) { return item.second.number == consume.consumer; });
  if (consume.consumer == 0 || taken) {
    return session_.refuse(
        consume.correlation,
        {errc::invalid, fmt::format("consumer {} is 0 or in use on this connection", consume.consumer), "consumer"});
  }
  // deliverable() may come before the consumer has its entry; the consumer is put into the line below.
  const auto id = core_.consuming.consume(session_.id(), view_of(consume.queue),
                                          {consume.prefetch, consume.auto_ack, consume.exclusive, consume.priority});
  if (!id) return session_.refuse(consume.correlation, id.error());
  consumers_[*id] = {consume.consumer, std::string(view_of(consume.queue))};
  deliverable(*id);
  answer_done({consume.correlation});
}

void application::cancel(const tg_frame& frame) {
  tg_Cancel cancel{};
  if (!tg_frame_decode(&frame, tg_Cancel_fields, &cancel))
    return session_.fail({errc::invalid, "Cancel does not decode"});
  const auto found = std::find_if(consumers_.begin(), consumers_.end(),
                                  [&](const auto& item) { return item.second.number == cancel.consumer; });
  if (found == consumers_.end()) {
    return session_.refuse(
        cancel.correlation,
        {errc::not_found, fmt::format("no consumer {} on this connection", cancel.consumer), "consumer"});
  }
  if (found->second.in_line) std::erase(ready_, found->first);
  core_.consuming.cancel(found->first, core::api::leftovers::requeue);
  consumers_.erase(found);
  answer_done({cancel.correlation});
}

void application::cancelled(core::consumer_id consumer) {
  const auto found = consumers_.find(consumer);
  if (found == consumers_.end()) return;
  const tg_Cancelled told{found->second.number, bytes_of(found->second.queue)};
  append_frame(session_.answers(), TG_CANCELLED, tg_Cancelled_fields, &told, found->second.queue.size());
  if (found->second.in_line) std::erase(ready_, found->first);
  consumers_.erase(found);
}

void application::get(const tg_frame& frame) {
  tg_Get get{};
  if (!tg_frame_decode(&frame, tg_Get_fields, &get)) return session_.fail({errc::invalid, "Get does not decode"});
  if (get.peek) return peek(get);
  const std::string_view queue = view_of(get.queue);
  const auto* const known = core_.inspecting.find_queue(queue);
  const auto got = core_.consuming.get(session_.id(), queue, get.auto_ack, [&](const core::delivery_view& delivery) {
    append_got(session_.answers(), get.correlation, known->ready(), delivery);
    return false;
  });
  if (!got) return session_.refuse(get.correlation, got.error());
  session_.wake();
  if (*got) return;
  const tg_Got empty{get.correlation, 0, {}, {}};
  append_frame(session_.answers(), TG_GOT, tg_Got_fields, &empty, 0);
}

void application::peek(const tg_Get& get) {
  const auto* const queue = core_.inspecting.find_queue(view_of(get.queue));
  if (queue == nullptr) {
    return session_.refuse(get.correlation,
                           {errc::not_found, fmt::format("no queue '{}'", view_of(get.queue)), "queue"});
  }
  if (const auto checked = core_.defining.check_owner(*queue, session_.id()); !checked) {
    return session_.refuse(get.correlation, checked.error());
  }
  auto place = place_of(view_of(get.after));
  if (!place) return session_.refuse(get.correlation, place.error());
  const auto shown = core_.inspecting.peek(*queue, *place, [&](const core::delivery_view& delivery) {
    append_got(session_.answers(), get.correlation, queue->ready(), delivery, to_bytes(*place));
  });
  if (!shown) return session_.refuse(get.correlation, shown.error());
  session_.wake();
  if (*shown) return;
  const tg_Got empty{get.correlation, queue->ready(), {}, {}};
  append_frame(session_.answers(), TG_GOT, tg_Got_fields, &empty, 0);
}

void application::purge(const tg_frame& frame) {
  tg_Purge purge{};
  if (!tg_frame_decode(&frame, tg_Purge_fields, &purge)) return session_.fail({errc::invalid, "Purge does not decode"});
  const auto receipt = receipt_for({purge.correlation});
  const auto purged = core_.consuming.purge(view_of(purge.queue), receipt);
  if (purged) requests_[receipt.token].number = *purged;
  conclude(receipt, purge.correlation, purged ? result<void>() : purged.error());
}

void application::deliverable(core::consumer_id consumer) {
  const auto found = consumers_.find(consumer);
  if (found == consumers_.end() || std::exchange(found->second.in_line, true)) return;
  ready_.push_back(consumer);
}

// One share for each consumer and turn: the queue's consumers on other connections come before the next share.
void application::pull_ready() {
  for (std::size_t turns = ready_.size(); turns > 0 && session_.has_room(); --turns) {
    const core::consumer_id id = ready_.front();
    ready_.pop_front();
    consuming& consumer = consumers_.at(id);
    consumer.in_line = false;
    const auto pulled = core_.consuming.pull(id, [&](const core::delivery_view& delivery) {
      append_deliver(session_.answers(), consumer.number, delivery);
      return session_.has_room();
    });
    if (!pulled) {
      log::error("application {} {}: {}", name_, session_.peer(), pulled.error().text);
      return session_.fail(pulled.error());
    }
    if (!pulled->more || pulled->count == 0) continue;  // without progress it would be repeated for ever
    deliverable(id);
    session_.wake();
  }
}

void application::settle(const tg_frame& frame) {
  settle_frame settle;
  if (!decode(frame, settle)) return session_.fail({errc::invalid, "Settle does not decode"});
  const auto outcome = outcome_of(settle);
  if (!outcome) return session_.refuse(0, outcome.error());
  const bool is_settled = settle.multiple ? core_.consuming.settle_through(session_.id(), settle.tag, *outcome)
                                          : core_.consuming.settle(session_.id(), settle.tag, *outcome);
  if (is_settled) return;
  session_.refuse(0,
                  {errc::not_found, fmt::format("delivery {} is not unsettled on this connection", settle.tag), "tag"});
}

}  // namespace tidegate::native
