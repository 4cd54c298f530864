#include "broker/frontends/native/codec.hpp"

#include <algorithm>

#include "broker/base/limits.hpp"
#include "broker/base/protobuf.hpp"
#include "broker/model/definitions.hpp"

namespace tidegate::native {
namespace {

// Room for keys, lengths and numbers of the largest message, besides its text and bytes.
constexpr std::size_t frame_overhead = 160;

using protobuf::wire_type;

std::string_view body_of(const tg_frame& frame) { return {reinterpret_cast<const char*>(frame.body), frame.body_size}; }

// Reads fields, each of which must have its type.
class typed_fields {
 public:
  explicit typed_fields(std::string_view message) : reader_(message) {}
  bool next(protobuf::field& field) { return !is_malformed_ && reader_.next(field); }
  bool failed() const { return is_malformed_ || reader_.failed(); }

  void take(const protobuf::field& field, std::uint64_t& into) {
    if (is(field, wire_type::varint)) into = field.value;
  }
  void take(const protobuf::field& field, std::uint32_t& into) {
    if (!is(field, wire_type::varint)) return;
    into = static_cast<std::uint32_t>(field.value);
    is_malformed_ = is_malformed_ || into != field.value;
  }
  void take(const protobuf::field& field, bool& into) {
    std::uint32_t value = 0;
    take(field, value);
    into = value != 0;
  }
  void take(const protobuf::field& field, std::string_view& into) {
    if (is(field, wire_type::sized)) into = field.text;
  }

 private:
  bool is(const protobuf::field& field, wire_type type) {
    is_malformed_ = is_malformed_ || field.type != type;
    return field.type == type;
  }
  protobuf::field_reader reader_;
  bool is_malformed_ = false;
};

bool decode_header(std::string_view message, header& header) {
  typed_fields fields(message);
  protobuf::field field;
  while (fields.next(field)) {
    switch (field.number) {
      case tg_Header_name_tag: fields.take(field, header.name); break;
      case tg_Header_value_tag: fields.take(field, header.value); break;
      default: break;  // of a later version
    }
  }
  return !fields.failed();
}

}  // namespace

tg_Code wire_code(errc code) {
  switch (code) {
    case errc::invalid: return tg_Code_INVALID;
    case errc::not_found: return tg_Code_NOT_FOUND;
    case errc::precondition: return tg_Code_PRECONDITION;
    case errc::too_large: return tg_Code_TOO_LARGE;
    case errc::store_full: return tg_Code_STORE_FULL;
    case errc::not_allowed: return tg_Code_NOT_ALLOWED;
    case errc::out_of_range: return tg_Code_OUT_OF_RANGE;
    case errc::fenced: return tg_Code_FENCED;
    case errc::limit: return tg_Code_LIMIT;
    case errc::unsupported: return tg_Code_UNSUPPORTED;
    case errc::locked: return tg_Code_LOCKED;
    case errc::target_full: return tg_Code_TARGET_FULL;
    case errc::memory_full: return tg_Code_MEMORY_FULL;
  }
  return tg_Code_INVALID;
}

std::string presentable(std::string_view text) {
  const bool fits = text.size() <= limits::error_text_bytes && is_utf8(text);
  std::string out(text.substr(0, limits::error_text_bytes));
  std::replace_if(
      out.begin(), out.end(),
      [&](char c) { return (c >= 0 && c < 0x20) || c == 0x7f || (!fits && static_cast<std::uint8_t>(c) >= 0x80); },
      '?');
  return out;
}

void append_frame(std::string& out, tg_member member, const pb_msgdesc_t* fields, const void* message,
                  std::size_t size_hint) {
  const std::size_t before = out.size();
  out.resize(before + size_hint + frame_overhead);
  const std::size_t size = tg_frame_encode(reinterpret_cast<std::uint8_t*>(out.data()) + before, out.size() - before,
                                           member, fields, message);
  TIDEGATE_EXPECT(size > 0);
  out.resize(before + size);
}

namespace {

bool decode_publish(std::string_view body, publish_frame& publish) {
  std::vector<header> headers = std::move(publish.message.headers);
  headers.clear();
  publish = {};
  message_view& message = publish.message;
  typed_fields fields(body);
  protobuf::field field;
  while (fields.next(field)) {
    switch (field.number) {
      case tg_PublishMessage_id_tag: fields.take(field, publish.id); break;
      case tg_PublishMessage_exchange_tag: fields.take(field, message.exchange); break;
      case tg_PublishMessage_routing_key_tag: fields.take(field, message.routing_key); break;
      case tg_PublishMessage_key_tag: fields.take(field, message.key); break;
      case tg_PublishMessage_headers_tag:
        // One header more than the limit is accepted here, so that check() of the message can name the limit.
        if (field.type != wire_type::sized || headers.size() > limits::headers_count) return false;
        if (!decode_header(field.text, headers.emplace_back())) return false;
        break;
      case tg_PublishMessage_body_tag: fields.take(field, message.body); break;
      case tg_PublishMessage_mandatory_tag: fields.take(field, publish.mandatory); break;
      case tg_PublishMessage_sequence_tag: fields.take(field, publish.sequence); break;
      case tg_PublishMessage_properties_tag: fields.take(field, message.properties); break;
      case tg_PublishMessage_delay_ms_tag: fields.take(field, publish.delay_ms); break;
      default: break;  // of a later version
    }
  }
  message.headers = std::move(headers);
  return !fields.failed();
}

bool decode_settle(std::string_view body, settle_frame& settle) {
  settle = {};
  typed_fields fields(body);
  protobuf::field field;
  while (fields.next(field)) {
    switch (field.number) {
      case tg_Settle_tag_tag: fields.take(field, settle.tag); break;
      case tg_Settle_multiple_tag: fields.take(field, settle.multiple); break;
      case tg_Settle_outcome_tag: fields.take(field, settle.outcome); break;
      default: break;  // of a later version
    }
  }
  return !fields.failed();
}

}  // namespace

bool decode(const tg_frame& frame, publish_frame& publish) { return decode_publish(body_of(frame), publish); }

bool decode(const tg_frame& frame, settle_frame& settle) { return decode_settle(body_of(frame), settle); }

bool decode(const tg_frame& frame, transact_frame& transact) {
  transact = {};
  typed_fields fields(body_of(frame));
  protobuf::field field;
  std::string_view item;
  while (transact.publishes.size() + transact.settles.size() <= limits::transaction_items && fields.next(field)) {
    switch (field.number) {
      case 1: fields.take(field, transact.correlation); break;
      case 2:
        fields.take(field, item);
        if (!decode_publish(item, transact.publishes.emplace_back())) return false;
        break;
      case 3:
        fields.take(field, item);
        if (!decode_settle(item, transact.settles.emplace_back())) return false;
        break;
      case 4: fields.take(field, transact.all_routable); break;
      default: break;  // of a later version
    }
  }
  return !fields.failed();
}

bool decode(const tg_frame& frame, define_frame& define) {
  define = {};
  typed_fields fields(body_of(frame));
  protobuf::field field;
  while (define.size() <= limits::document_items && fields.next(field)) {
    switch (field.number) {
      case 1: fields.take(field, define.correlation); break;
      case 2: fields.take(field, define.exchanges.emplace_back()); break;
      case 3: fields.take(field, define.queues.emplace_back()); break;
      case 4: fields.take(field, define.topics.emplace_back()); break;
      case 5: fields.take(field, define.bindings.emplace_back()); break;
      case 6: fields.take(field, define.only_check); break;
      default: break;  // of a later version
    }
  }
  return !fields.failed();
}

// Field numbers as in link.proto; the order is nanopb's.
void append_deliver(std::string& out, std::uint32_t consumer, const core::delivery_view& delivery) {
  using protobuf::size_of;
  const message_view& message = delivery.message;
  const auto timestamp_ms = static_cast<std::uint64_t>(delivery.timestamp_ms);
  std::size_t size = size_of(std::uint64_t{consumer}) + size_of(delivery.number) +
                     size_of(std::uint64_t{delivery.redelivered}) + size_of(std::uint64_t{delivery.deliveries}) +
                     size_of(message.routing_key) + size_of(message.key) + size_of(message.body) +
                     size_of(timestamp_ms) + size_of(message.exchange) + size_of(message.properties) +
                     size_of(message.deaths);
  for (const header& header : message.headers) size += size_of(header.name, header.value);
  if (message.is_time_estimated) size += size_of(header_estimated, {});
  protobuf::field_writer writer(out, TG_DELIVER, size);
  writer.number(1, consumer);
  writer.number(2, delivery.number);
  writer.number(3, delivery.redelivered);
  writer.number(4, delivery.deliveries);
  writer.text(5, message.routing_key);
  writer.text(6, message.key);
  for (const header& header : message.headers) writer.pair(7, header.name, header.value);
  if (message.is_time_estimated) writer.pair(7, header_estimated, {});
  writer.text(8, message.body);
  writer.number(9, timestamp_ms);
  writer.text(10, message.exchange);
  writer.text(11, message.properties);
  writer.text(12, message.deaths);
  writer.finish();
}

void append_got(std::string& out, std::uint32_t correlation, std::uint64_t left, const core::delivery_view& delivery,
                std::string_view place) {
  using protobuf::size_of;
  std::string deliver;
  append_deliver(deliver, 0, delivery);
  tg_frame frame;
  const auto split =
      tg_frame_split(reinterpret_cast<const std::uint8_t*>(deliver.data()), deliver.size(), deliver.size(), &frame);
  TIDEGATE_EXPECT(split == TG_SPLIT_READY);
  const std::string_view body = body_of(frame);
  protobuf::field_writer writer(out, TG_GOT,
                                size_of(std::uint64_t{correlation}) + size_of(left) + size_of(body) + size_of(place));
  writer.number(1, correlation);
  writer.number(2, left);
  writer.text(3, body);
  writer.text(4, place);
  writer.finish();
}

void append_return(std::string& out, std::uint64_t id, const message_view& message) {
  using protobuf::size_of;
  std::size_t size = size_of(id) + size_of(message.exchange) + size_of(message.routing_key) + size_of(message.body) +
                     size_of(message.key) + size_of(message.properties);
  for (const header& header : message.headers) size += size_of(header.name, header.value);
  protobuf::field_writer writer(out, TG_RETURN, size);
  writer.number(1, id);
  writer.text(2, message.exchange);
  writer.text(3, message.routing_key);
  writer.text(4, message.body);
  writer.text(5, message.key);
  for (const header& header : message.headers) writer.pair(6, header.name, header.value);
  writer.text(7, message.properties);
  writer.finish();
}

}  // namespace tidegate::native
