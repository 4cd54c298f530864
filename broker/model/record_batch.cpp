#include "broker/model/record_batch.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/base/crc32c.hpp"
#include "broker/base/limits.hpp"
#include "broker/base/protobuf.hpp"

namespace tidegate {
namespace {

constexpr std::size_t length_at = 8;
constexpr std::size_t magic_at = 16;
constexpr std::size_t crc_at = 17;
constexpr std::size_t attributes_at = 21;
constexpr std::size_t length_covers_from = 12;
constexpr std::uint16_t control_or_transactional = 0x30;

error malformed(std::string_view what) { return {errc::invalid, fmt::format("record batch: {}", what), "batch"}; }

std::size_t signed_varint_size(std::int64_t value) { return varint_size(zigzag(value)); }
char* put_signed_varint(char* at, std::int64_t value) { return put_varint(at, zigzag(value)); }

// Timestamps come from a peer, so a sum may overflow. It wraps then.
std::int64_t plus(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
std::int64_t minus(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

std::int64_t as_signed(std::size_t size) { return static_cast<std::int64_t>(size); }

// Size of a field with its length, as a record holds its body and the names and values of its headers.
std::size_t field_size(std::string_view field) { return signed_varint_size(as_signed(field.size())) + field.size(); }
char* put_field(char* at, std::string_view field) {
  return put_bytes(put_signed_varint(at, as_signed(field.size())), field);
}

// Kafka distinguishes a missing key from an empty one; here an empty key is no key.
std::size_t key_size(std::string_view key) { return key.empty() ? 1 : field_size(key); }
char* put_key(char* at, std::string_view key) { return key.empty() ? put_signed_varint(at, -1) : put_field(at, key); }

std::size_t headers_size(const std::vector<header>& headers) {
  std::size_t size = 0;
  for (const header& header : headers) size += field_size(header.name) + field_size(header.value);
  return size;
}

char* put_headers(char* at, const std::vector<header>& headers) {
  for (const header& header : headers) at = put_field(put_field(at, header.name), header.value);
  return at;
}

constexpr std::uint32_t number_of(queue_field field) { return static_cast<std::uint32_t>(field); }

std::string_view take_field(byte_reader& reader) {
  const std::int64_t size = reader.signed_varint();
  return size < 0 ? std::string_view{} : reader.take(static_cast<std::uint64_t>(size));
}

}  // namespace

result<batch_view> read_batch(std::string_view data) {
  if (data.size() < record_batch_header_bytes) return malformed("cut off inside its header");
  byte_reader reader(data);
  batch_view batch;
  batch.base_offset = reader.be<std::uint64_t>();
  const auto length = reader.be<std::uint32_t>();
  reader.take(4);
  const auto magic = reader.be<std::uint8_t>();
  if (magic != 2) return malformed(fmt::format("magic {} is not 2", magic));
  if (length < record_batch_header_bytes - length_covers_from) {
    return malformed("its length is shorter than its header");
  }
  if (length > data.size() - length_covers_from) return malformed("cut off inside its records");
  reader.take(4);
  batch.attributes = reader.be<std::uint16_t>();
  const auto last_delta = reader.be<std::uint32_t>();
  batch.last_offset = batch.base_offset + last_delta;
  batch.first_timestamp_ms = static_cast<std::int64_t>(reader.be<std::uint64_t>());
  batch.newest_timestamp_ms = static_cast<std::int64_t>(reader.be<std::uint64_t>());
  batch.producer_id = reader.be<std::uint64_t>();
  reader.take(2 + 4);
  batch.count = reader.be<std::uint32_t>();
  if (batch.count == 0 || batch.count - 1 > last_delta) return malformed("its record count contradicts its offsets");
  batch.bytes = data.substr(0, length_covers_from + length);
  batch.records = batch.bytes.substr(record_batch_header_bytes);
  return batch;
}

bool crc_matches(const batch_view& batch) {
  return crc32c(batch.bytes.substr(attributes_at)) == load_be<std::uint32_t>(batch.bytes.data() + crc_at);
}

result<batch_view> check_produced(std::string_view data) {
  const auto batch = read_batch(data);
  if (!batch) return batch.error();
  if (batch->bytes.size() != data.size()) return malformed("more than one batch in a request");
  if (!crc_matches(*batch)) return malformed("its CRC-32C does not match");
  if ((batch->attributes & control_or_transactional) != 0) {
    return malformed("control and transactional batches are not taken");
  }
  if (batch->last_offset - batch->base_offset != batch->count - 1) return malformed("its offsets are not dense");
  if (batch->compressed()) return batch;
  record_reader reader(*batch);
  record_view record;
  offset_t expected = batch->base_offset;
  while (reader.next(record)) {
    if (record.offset != expected++) return malformed("its offsets are not dense");
  }
  if (reader.failed()) return malformed("its records are malformed");
  return batch;
}

void set_base_offset(std::string& batch, offset_t base) { store_be<std::uint64_t>(batch.data(), base); }

record_reader::record_reader(const batch_view& batch)
    : rest_(batch.records),
      base_offset_(batch.base_offset),
      first_timestamp_ms_(batch.first_timestamp_ms),
      left_(batch.count),
      failed_(batch.compressed()) {}

// Reads the next record up to its deltas; `fields` holds the rest. Returns false at the end, or if the record is
// malformed.
inline bool record_reader::open(byte_reader& fields, offset_t& offset, std::int64_t& timestamp_ms) {
  if (failed_ || left_ == 0) {
    failed_ = failed_ || !rest_.empty();
    return false;
  }
  byte_reader outer(rest_);
  const std::int64_t length = outer.signed_varint();
  byte_reader reader(outer.take(length < 0 ? rest_.size() + 1 : static_cast<std::uint64_t>(length)));
  reader.take(1);
  timestamp_ms = plus(first_timestamp_ms_, reader.signed_varint());
  offset = base_offset_ + static_cast<std::uint64_t>(reader.signed_varint());
  failed_ = outer.failed() || reader.failed();
  if (failed_) return false;
  fields = reader;
  rest_.remove_prefix(rest_.size() - outer.remaining());
  --left_;
  return true;
}

bool record_reader::next(raw_record& record) {
  byte_reader fields({});
  if (!open(fields, record.offset, record.timestamp_ms)) return false;
  record.fields = fields.rest();
  return true;
}

bool record_reader::next(record_view& record) {
  byte_reader fields({});
  if (!open(fields, record.offset, record.timestamp_ms)) return false;
  record.key = take_field(fields);
  record.body = take_field(fields);
  const std::int64_t count = fields.signed_varint();
  record.headers.clear();
  // Each header takes at least two bytes, so the count cannot make us reserve more than was sent.
  if (count < 0 || static_cast<std::uint64_t>(count) > fields.remaining()) failed_ = true;
  for (std::int64_t i = 0; !failed_ && i < count && !fields.failed(); ++i) {
    const std::string_view name = take_field(fields);
    record.headers.push_back({name, take_field(fields)});
  }
  failed_ = failed_ || fields.failed() || !fields.at_end();
  return !failed_;
}

// Returns the place for the record's fields, of exactly this size.
char* batch_builder::begin_record(offset_t offset, std::int64_t timestamp_ms, std::size_t fields_size) {
  if (count_ == 0) {
    // Reserves as much as the last batch took, because batches mostly have the same length.
    out_.reserve(std::max(finished_size_, record_batch_header_bytes + record_overhead_max + fields_size));
    out_.assign(record_batch_header_bytes, '\0');
    size_ = record_batch_header_bytes;
    base_offset_ = offset;
    first_timestamp_ms_ = newest_timestamp_ms_ = timestamp_ms;
  }
  TIDEGATE_EXPECT(count_ == 0 || offset > last_offset_);
  last_offset_ = offset;
  newest_timestamp_ms_ = std::max(newest_timestamp_ms_, timestamp_ms);
  ++count_;
  const std::int64_t time_delta = minus(timestamp_ms, first_timestamp_ms_);
  const auto offset_delta = static_cast<std::int64_t>(offset - base_offset_);
  const std::size_t size = 1 + signed_varint_size(time_delta) + signed_varint_size(offset_delta) + fields_size;
  const std::size_t begin = size_;
  size_ += signed_varint_size(as_signed(size)) + size;
  if (size_ > out_.size()) make_room(size_);
  char* at = put_signed_varint(out_.data() + begin, as_signed(size));
  *at++ = '\0';
  return put_signed_varint(put_signed_varint(at, time_delta), offset_delta);
}

void batch_builder::end_record(const char* at) const { TIDEGATE_EXPECT(at == out_.data() + size_); }

// Grows in steps and not record by record, since each resize costs a check of the string's capacity.
void batch_builder::make_room(std::size_t size) {
  constexpr std::size_t step = 1'024;
  if (size > out_.capacity()) out_.reserve(std::max(size, 2 * out_.capacity()));
  out_.resize(std::max(size, std::min(out_.capacity(), out_.size() + step)));
}

void batch_builder::add(offset_t offset, std::int64_t timestamp_ms, const message_view& message, record_form form) {
  if (form == record_form::queue) return add_to_queue(offset, timestamp_ms, message);
  add_to_topic(offset, timestamp_ms, message);
}

void batch_builder::add_to_topic(offset_t offset, std::int64_t timestamp_ms, const message_view& message) {
  const bool has_exchange = !message.exchange.empty();
  const bool has_properties = !message.properties.empty();
  const std::size_t count = message.headers.size() + 1 + (has_exchange ? 1 : 0) + (has_properties ? 1 : 0) +
                            (message.is_time_estimated ? 1 : 0);
  std::size_t size = key_size(message.key) + field_size(message.body) + signed_varint_size(as_signed(count)) +
                     headers_size(message.headers) + field_size(header_routing_key) + field_size(message.routing_key);
  if (has_exchange) size += field_size(header_exchange) + field_size(message.exchange);
  if (has_properties) size += field_size(header_properties) + field_size(message.properties);
  if (message.is_time_estimated) size += field_size(header_estimated) + field_size({});
  char* at = put_key(begin_record(offset, timestamp_ms, size), message.key);
  at = put_signed_varint(put_field(at, message.body), as_signed(count));
  at = put_field(put_field(at, header_routing_key), message.routing_key);
  if (has_exchange) at = put_field(put_field(at, header_exchange), message.exchange);
  at = put_headers(at, message.headers);
  if (has_properties) at = put_field(put_field(at, header_properties), message.properties);
  if (message.is_time_estimated) at = put_field(put_field(at, header_estimated), {});
  end_record(at);
}

void batch_builder::add_to_queue(offset_t offset, std::int64_t timestamp_ms, const message_view& message) {
  using protobuf::size_of;
  const std::uint64_t estimated = message.is_time_estimated ? 1 : 0;
  const std::uint64_t attempts = message.attempts;
  const std::size_t fields = size_of(message.exchange) + size_of(message.routing_key) + size_of(message.properties) +
                             size_of(message.due_ms) + size_of(message.deaths) + size_of(attempts) +
                             size_of(estimated) + size_of(message.return_to) + size_of(message.expires_ms);
  const std::size_t count = message.headers.size() + 1;
  const std::size_t size = key_size(message.key) + field_size(message.body) + signed_varint_size(as_signed(count)) +
                           field_size(header_of_queue) + signed_varint_size(as_signed(fields)) + fields +
                           headers_size(message.headers);
  char* at = put_key(begin_record(offset, timestamp_ms, size), message.key);
  at = put_signed_varint(put_field(at, message.body), as_signed(count));
  at = put_signed_varint(put_field(at, header_of_queue), as_signed(fields));
  at = protobuf::put_text(at, number_of(queue_field::exchange), message.exchange);
  at = protobuf::put_text(at, number_of(queue_field::routing_key), message.routing_key);
  at = protobuf::put_text(at, number_of(queue_field::properties), message.properties);
  at = protobuf::put_number(at, number_of(queue_field::due_ms), message.due_ms);
  at = protobuf::put_text(at, number_of(queue_field::deaths), message.deaths);
  at = protobuf::put_number(at, number_of(queue_field::attempts), attempts);
  at = protobuf::put_number(at, number_of(queue_field::is_time_estimated), estimated);
  at = protobuf::put_text(at, number_of(queue_field::return_to), message.return_to);
  at = protobuf::put_number(at, number_of(queue_field::expires_ms), message.expires_ms);
  end_record(put_headers(at, message.headers));
}

void batch_builder::add(const record_view& record) {
  const auto count = as_signed(record.headers.size());
  const std::size_t size =
      key_size(record.key) + field_size(record.body) + signed_varint_size(count) + headers_size(record.headers);
  char* at = put_key(begin_record(record.offset, record.timestamp_ms, size), record.key);
  at = put_signed_varint(put_field(at, record.body), count);
  end_record(put_headers(at, record.headers));
}

void batch_builder::add(const raw_record& record) {
  char* const at = begin_record(record.offset, record.timestamp_ms, record.fields.size());
  end_record(put_bytes(at, record.fields));
}

std::string batch_builder::finish() {
  TIDEGATE_EXPECT(count_ > 0);
  out_.resize(size_);
  char* const header = out_.data();
  store_be<std::uint64_t>(header, base_offset_);
  store_be<std::uint32_t>(header + length_at, static_cast<std::uint32_t>(out_.size() - length_covers_from));
  header[magic_at] = 2;
  store_be<std::uint32_t>(header + 23, static_cast<std::uint32_t>(last_offset_ - base_offset_));
  store_be<std::uint64_t>(header + 27, static_cast<std::uint64_t>(first_timestamp_ms_));
  store_be<std::uint64_t>(header + 35, static_cast<std::uint64_t>(newest_timestamp_ms_));
  std::fill_n(header + 43, 8 + 2 + 4, '\xff');
  store_be<std::uint32_t>(header + 57, count_);
  store_be<std::uint32_t>(header + crc_at, crc32c(std::string_view(out_).substr(attributes_at)));
  count_ = 0;
  finished_size_ = std::exchange(size_, 0);
  return std::exchange(out_, {});
}

namespace {

void clear_broker_fields(message_view& message) {
  message.exchange = message.routing_key = message.properties = message.deaths = message.return_to = {};
  message.is_time_estimated = false;
  message.due_ms = message.expires_ms = 0;
  message.attempts = 0;
}

void read_queue_message(const record_view& record, message_view& message) {
  auto header = record.headers.begin();
  if (header != record.headers.end() && header->name == header_of_queue) {
    protobuf::field_reader fields(header++->value);
    protobuf::field field;
    while (fields.next(field)) {
      switch (static_cast<queue_field>(field.number)) {
        case queue_field::exchange: message.exchange = field.text; break;
        case queue_field::routing_key: message.routing_key = field.text; break;
        case queue_field::properties: message.properties = field.text; break;
        case queue_field::due_ms: message.due_ms = field.value; break;
        case queue_field::deaths: message.deaths = field.text; break;
        case queue_field::attempts: message.attempts = static_cast<std::uint32_t>(field.value); break;
        case queue_field::is_time_estimated: message.is_time_estimated = field.value != 0; break;
        case queue_field::return_to: message.return_to = field.text; break;
        case queue_field::expires_ms: message.expires_ms = field.value; break;
      }
    }
  }
  message.headers.assign(header, record.headers.end());
}

void read_topic_message(const record_view& record, message_view& message) {
  message.headers.clear();
  for (const header& header : record.headers) {
    if (header.name == header_routing_key) {
      message.routing_key = header.value;
    } else if (header.name == header_exchange) {
      message.exchange = header.value;
    } else if (header.name == header_estimated) {
      message.is_time_estimated = true;
    } else if (header.name == header_properties) {
      message.properties = header.value;
    } else {
      message.headers.push_back(header);
    }
  }
}

}  // namespace

void read_message(const record_view& record, record_form form, message_view& message) {
  clear_broker_fields(message);
  message.key = record.key;
  message.body = record.body;
  if (form == record_form::queue) return read_queue_message(record, message);
  read_topic_message(record, message);
}

message_view to_message(const record_view& record, record_form form) {
  message_view message;
  read_message(record, form, message);
  return message;
}

std::size_t record_size_bound(const message_view& message) {
  constexpr std::size_t varints = 96;
  return varints + key_size(message.key) + field_size(message.body) + headers_size(message.headers) +
         header_routing_key.size() + message.routing_key.size() + header_exchange.size() + message.exchange.size() +
         (message.is_time_estimated ? header_estimated.size() : 0) +
         (message.properties.empty() ? 0 : header_properties.size() + message.properties.size()) +
         message.deaths.size() + message.return_to.size();
}

}  // namespace tidegate
