#include "broker/base/limits.hpp"
#include "broker/base/protobuf.hpp"
#include "client/codec.hpp"
#include "firmware/wire/frame.h"
#include "firmware/wire/link.pb.h"

namespace tidegate::client::codec {
namespace {

constexpr std::uint32_t protocol_version = 1;

// Upper bound of a frame's bytes besides its texts: no message here has more than ten members, each with a key of one
// byte and a number of at most ten.
constexpr std::size_t members_bytes_max = TG_FRAME_HEADER_MAX + 10 * 11;

tg_bytes borrow(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

// Appends a frame. `text_bytes` is the total size of the message's texts: with it, the message is encoded in place,
// without a pass that measures it first.
template <class Message>
void append(std::string& out, tg_member member, const pb_msgdesc_t* fields, const Message& message,
            std::size_t text_bytes) {
  const std::size_t before = out.size();
  out.resize(before + members_bytes_max + text_bytes);
  const std::size_t size = tg_frame_encode(reinterpret_cast<std::uint8_t*>(out.data()) + before, out.size() - before,
                                           member, fields, &message);
  TIDEGATE_EXPECT(size > 0);
  out.resize(before + size);
}

// A value that is set is sent even if it is empty.
tg_bytes borrow_if_set(const std::optional<std::string>& text) {
  if (!text) return {};
  return text->empty() ? tg_bytes{tg_empty, 0} : borrow(*text);
}

tg_Bind to_wire(std::uint32_t correlation, const binding_definition& binding) {
  return {.correlation = correlation,
          .exchange = borrow(binding.exchange),
          .target_kind = borrow(binding.target_kind),
          .target = borrow(binding.target),
          .routing_key = borrow(binding.routing_key),
          .arguments = borrow(binding.arguments)};
}

std::size_t text_bytes(const binding_definition& binding) {
  return binding.exchange.size() + binding.target_kind.size() + binding.target.size() + binding.routing_key.size() +
         binding.arguments.size();
}

tg_Settle_Outcome to_wire(outcome outcome) {
  switch (outcome) {
    case outcome::ack: return tg_Settle_Outcome_ACK;
    case outcome::requeue: return tg_Settle_Outcome_REQUEUE;
    case outcome::discard: return tg_Settle_Outcome_DISCARD;
  }
  return tg_Settle_Outcome_REQUEUE;
}

void set_rules(tg_DeclareQueue& message, const queue_definition& queue) {
  const auto set = [](bool& has, auto& into, const auto& value) {
    has = value.has_value();
    if constexpr (requires { value->count(); }) {
      if (value) into = static_cast<std::uint64_t>(value->count());
    } else {
      into = value.value_or(0);
    }
  };
  set(message.has_time_to_live_ms, message.time_to_live_ms, queue.time_to_live);
  set(message.has_expires_ms, message.expires_ms, queue.expires);
  set(message.has_delivery_limit, message.delivery_limit, queue.delivery_limit);
  set(message.has_priority_max, message.priority_max, queue.priority_max);
  set(message.has_retry_delay_ms, message.retry_delay_ms, queue.retry_delay);
  set(message.has_retry_delay_max_ms, message.retry_delay_max_ms, queue.retry_delay_max);
  message.dead_letter_exchange = borrow_if_set(queue.dead_letter_exchange);
  message.dead_letter_key = borrow_if_set(queue.dead_letter_key);
}

}  // namespace

void encode_connect(std::string& out, std::uint32_t correlation, const connect_options& options) {
  const tg_Connect message{.correlation = correlation,
                           .version = protocol_version,
                           .name = borrow(options.name),
                           .token = borrow(options.token),
                           .heartbeat_seconds = static_cast<std::uint32_t>(options.heartbeat.count()),
                           .producer = borrow(options.producer),
                           .producer_epoch = options.producer_epoch};
  append(out, TG_CONNECT, tg_Connect_fields, message,
         options.name.size() + options.token.size() + options.producer.size());
}

void encode_ping(std::string& out, std::uint32_t ticks) {
  append(out, TG_PING, tg_Ping_fields, tg_Ping{.ticks = ticks}, 0);
}

void encode_pong(std::string& out, std::uint32_t ticks) {
  append(out, TG_PONG, tg_Pong_fields, tg_Pong{.ticks = ticks, .unix_ms = 0}, 0);
}

void encode_declare_exchange(std::string& out, std::uint32_t correlation, const exchange_definition& exchange,
                             bool passive) {
  const auto& [name, type, auto_delete, internal, alternate] = exchange;
  tg_DeclareExchange message{};
  message.correlation = correlation;
  message.name = borrow(name);
  message.type = borrow(type);
  message.passive = passive;
  message.has_auto_delete = auto_delete.has_value();
  message.auto_delete = auto_delete.value_or(false);
  message.has_internal = internal.has_value();
  message.internal = internal.value_or(false);
  message.alternate = borrow_if_set(alternate);
  append(out, TG_DECLARE_EXCHANGE, tg_DeclareExchange_fields, message,
         name.size() + type.size() + alternate.value_or("").size());
}

void encode_declare_queue(std::string& out, std::uint32_t correlation, const queue_definition& queue, bool passive) {
  tg_DeclareQueue message{};
  message.correlation = correlation;
  message.name = borrow(queue.name);
  message.passive = passive;
  message.messages_max = queue.messages_max;
  message.bytes_max = queue.bytes_max;
  message.overflow = borrow(queue.overflow);
  message.has_auto_delete = queue.auto_delete.has_value();
  message.auto_delete = queue.auto_delete.value_or(false);
  message.has_single_active = queue.single_active.has_value();
  message.single_active = queue.single_active.value_or(false);
  set_rules(message, queue);
  message.exclusive = queue.exclusive;
  message.durability = borrow(queue.durability);
  append(out, TG_DECLARE_QUEUE, tg_DeclareQueue_fields, message,
         queue.name.size() + queue.overflow.size() + queue.durability.size() +
             queue.dead_letter_exchange.value_or("").size() + queue.dead_letter_key.value_or("").size());
}

void encode_declare_topic(std::string& out, std::uint32_t correlation, const topic_definition& topic, bool passive) {
  std::string protect;
  for (const std::string& group : topic.protect) protect.append(protect.empty() ? "" : "\n").append(group);
  const tg_DeclareTopic message{.correlation = correlation,
                                .name = borrow(topic.name),
                                .partitions = topic.partitions,
                                .retention_bytes = topic.retention_bytes,
                                .retention_ms = static_cast<std::uint64_t>(topic.retention_age.count()),
                                .passive = passive,
                                .retention_records = topic.retention_records,
                                .overflow = borrow(topic.overflow),
                                .protect = borrow(protect),
                                .durability = borrow(topic.durability)};
  append(out, TG_DECLARE_TOPIC, tg_DeclareTopic_fields, message,
         topic.name.size() + topic.durability.size() + topic.overflow.size() + protect.size());
}

void encode_bind(std::string& out, std::uint32_t correlation, const binding_definition& binding) {
  append(out, TG_BIND, tg_Bind_fields, to_wire(correlation, binding), text_bytes(binding));
}

void encode_unbind(std::string& out, std::uint32_t correlation, const binding_definition& binding) {
  append(out, TG_UNBIND, tg_Bind_fields, to_wire(correlation, binding), text_bytes(binding));
}

void encode_delete(std::string& out, std::uint32_t correlation, std::string_view kind, std::string_view name,
                   const erase_options& options) {
  const tg_Delete message{.correlation = correlation,
                          .kind = borrow(kind),
                          .name = borrow(name),
                          .if_unused = options.if_unused,
                          .if_empty = options.if_empty};
  append(out, TG_DELETE, tg_Delete_fields, message, kind.size() + name.size());
}

void encode_purge(std::string& out, std::uint32_t correlation, std::string_view queue) {
  append(out, TG_PURGE, tg_Purge_fields, tg_Purge{.correlation = correlation, .queue = borrow(queue)}, queue.size());
}

void encode_get(std::string& out, std::uint32_t correlation, std::string_view queue, bool auto_ack) {
  const tg_Get message{
      .correlation = correlation, .queue = borrow(queue), .auto_ack = auto_ack, .peek = false, .after = {}};
  append(out, TG_GET, tg_Get_fields, message, queue.size());
}

void encode_peek(std::string& out, std::uint32_t correlation, std::string_view queue, std::string_view after) {
  const tg_Get message{
      .correlation = correlation, .queue = borrow(queue), .auto_ack = false, .peek = true, .after = borrow(after)};
  append(out, TG_GET, tg_Get_fields, message, queue.size() + after.size());
}

void encode_list(std::string& out, std::uint32_t correlation, std::string_view kind, std::string_view after,
                 std::uint32_t max_bytes) {
  const tg_List message{
      .correlation = correlation, .kind = borrow(kind), .after = borrow(after), .max_bytes = max_bytes};
  append(out, TG_LIST, tg_List_fields, message, kind.size() + after.size());
}

// Encoded by hand, because a client may send a hundred thousand of these messages a second. The field numbers are those
// of link.proto; the order is nanopb's.
namespace {

// Appends a PublishMessage as a member of this number: of a frame, or of a Transact.
void put_publish(std::string& out, std::uint32_t member, std::uint64_t id, const message_view& message,
                 const publish_options& options) {
  using protobuf::size_of;
  const auto delay_ms = static_cast<std::uint64_t>(options.delay.count());
  std::size_t size = size_of(id) + size_of(message.exchange) + size_of(message.routing_key) + size_of(message.key) +
                     size_of(message.body) + size_of(std::uint64_t{options.mandatory}) + size_of(options.sequence) +
                     size_of(message.properties) + size_of(delay_ms);
  for (const header& header : message.headers) size += size_of(header.name, header.value);
  protobuf::field_writer writer(out, member, size);
  writer.number(1, id);
  writer.text(2, message.exchange);
  writer.text(3, message.routing_key);
  writer.text(4, message.key);
  for (const header& header : message.headers) writer.pair(5, header.name, header.value);
  writer.text(6, message.body);
  writer.number(7, options.mandatory);
  writer.number(8, options.sequence);
  writer.text(9, message.properties);
  writer.number(10, delay_ms);
  writer.finish();
}

}  // namespace

void encode_publish(std::string& out, std::uint64_t id, const message_view& message, const publish_options& options) {
  put_publish(out, TG_PUBLISH_MESSAGE, id, message, options);
}

void encode_transact(std::string& out, std::uint32_t correlation, const transaction& transaction) {
  std::string body;
  protobuf::append_number(body, 1, correlation);
  for (const transaction::publish& one : transaction.publishes) {
    publish_options options;
    options.delay = one.delay;
    put_publish(body, 2, 0, one.message, options);
  }
  for (const transaction::settlement& one : transaction.settlements) {
    std::string settle;
    protobuf::append_number(settle, 1, one.tag);
    protobuf::append_number(settle, 2, one.multiple ? 1 : 0);
    protobuf::append_number(settle, 3, static_cast<std::uint64_t>(one.outcome));
    protobuf::append_element(body, 3, settle);
  }
  protobuf::append_number(body, 4, transaction.all_routable ? 1 : 0);
  protobuf::append_element(out, TG_TRANSACT, body);
}

namespace {

// Appends each of these as a part of the frame's body: as the body of a frame of its own.
template <class Definition, class Encode>
void put_each(std::string& body, std::uint32_t number, const std::vector<Definition>& all, const Encode& encode) {
  std::string one;
  for (const Definition& definition : all) {
    one.clear();
    encode(one, definition);
    tg_frame frame;
    const auto split =
        tg_frame_split(reinterpret_cast<const std::uint8_t*>(one.data()), one.size(), one.size(), &frame);
    TIDEGATE_EXPECT(split == TG_SPLIT_READY);
    protobuf::append_element(body, number, {reinterpret_cast<const char*>(frame.body), frame.body_size});
  }
}

}  // namespace

void encode_define(std::string& out, std::uint32_t correlation, const definitions& definitions, bool only_check) {
  std::string body;
  protobuf::append_number(body, 1, correlation);
  put_each(body, 2, definitions.exchanges,
           [](std::string& one, const auto& exchange) { encode_declare_exchange(one, 0, exchange, false); });
  put_each(body, 3, definitions.queues,
           [](std::string& one, const auto& queue) { encode_declare_queue(one, 0, queue, false); });
  put_each(body, 4, definitions.topics,
           [](std::string& one, const auto& topic) { encode_declare_topic(one, 0, topic, false); });
  put_each(body, 5, definitions.bindings, [](std::string& one, const auto& binding) { encode_bind(one, 0, binding); });
  protobuf::append_number(body, 6, only_check ? 1 : 0);
  protobuf::append_element(out, TG_DEFINE, body);
}

void encode_consume(std::string& out, std::uint32_t correlation, std::uint32_t consumer, std::string_view queue,
                    const consume_options& options) {
  const tg_Consume message{.correlation = correlation,
                           .consumer = consumer,
                           .queue = borrow(queue),
                           .prefetch = options.prefetch,
                           .auto_ack = options.auto_ack,
                           .exclusive = options.exclusive,
                           .priority = options.priority};
  append(out, TG_CONSUME, tg_Consume_fields, message, queue.size());
}

void encode_cancel(std::string& out, std::uint32_t correlation, std::uint32_t consumer) {
  append(out, TG_CANCEL, tg_Cancel_fields, tg_Cancel{.correlation = correlation, .consumer = consumer}, 0);
}

void encode_settle(std::string& out, std::uint64_t tag, outcome outcome, bool multiple) {
  append(out, TG_SETTLE, tg_Settle_fields, tg_Settle{.tag = tag, .multiple = multiple, .outcome = to_wire(outcome)}, 0);
}

void encode_produce(std::string& out, std::uint32_t correlation, const place& where, std::string_view batch) {
  const tg_Produce message{
      .correlation = correlation, .topic = borrow(where.topic), .partition = where.partition, .batch = borrow(batch)};
  append(out, TG_PRODUCE, tg_Produce_fields, message, where.topic.size() + batch.size());
}

void encode_fetch(std::string& out, std::uint32_t correlation, const fetch_request& request) {
  const tg_Fetch message{.correlation = correlation,
                         .topic = borrow(request.topic),
                         .partition = request.partition,
                         .offset = request.offset,
                         .max_bytes = request.max_bytes,
                         .min_bytes = request.min_bytes,
                         .max_wait_ms = static_cast<std::uint32_t>(request.max_wait.count()),
                         .topic_id = borrow(request.topic_id)};
  append(out, TG_FETCH, tg_Fetch_fields, message, request.topic.size() + request.topic_id.size());
}

void encode_list_offset(std::string& out, std::uint32_t correlation, const place& where, std::int64_t timestamp_ms) {
  const tg_ListOffset message{.correlation = correlation,
                              .topic = borrow(where.topic),
                              .partition = where.partition,
                              .timestamp_ms = timestamp_ms,
                              .topic_id = borrow(where.topic_id)};
  append(out, TG_LIST_OFFSET, tg_ListOffset_fields, message, where.topic.size() + where.topic_id.size());
}

void encode_commit_offset(std::string& out, std::uint32_t correlation, std::string_view group, const place& where,
                          offset_t offset, std::string_view metadata) {
  const tg_CommitOffset message{.correlation = correlation,
                                .group = borrow(group),
                                .topic = borrow(where.topic),
                                .partition = where.partition,
                                .offset = offset,
                                .metadata = borrow(metadata),
                                .topic_id = borrow(where.topic_id)};
  append(out, TG_COMMIT_OFFSET, tg_CommitOffset_fields, message,
         group.size() + where.topic.size() + metadata.size() + where.topic_id.size());
}

void encode_fetch_offset(std::string& out, std::uint32_t correlation, std::string_view group, const place& where) {
  const tg_FetchOffset message{.correlation = correlation,
                               .group = borrow(group),
                               .topic = borrow(where.topic),
                               .partition = where.partition,
                               .topic_id = borrow(where.topic_id)};
  append(out, TG_FETCH_OFFSET, tg_FetchOffset_fields, message,
         group.size() + where.topic.size() + where.topic_id.size());
}

void encode_lease(std::string& out, std::uint32_t correlation, std::string_view name, const lease_options& options) {
  const tg_Lease message{
      .correlation = correlation, .name = borrow(name), .take_over = options.take_over, .owner = borrow(options.owner)};
  append(out, TG_LEASE, tg_Lease_fields, message, name.size() + options.owner.size());
}

}  // namespace tidegate::client::codec
