#include "broker/store/fields.hpp"

#include <fmt/format.h>

namespace tidegate::store {

void append_stream(std::string& out, stream_id stream) { append_be(out, static_cast<std::uint32_t>(stream)); }
stream_id take_stream(byte_reader& reader) { return static_cast<stream_id>(reader.be<std::uint32_t>()); }

void append_sized(std::string& out, std::string_view bytes) {
  append_varint(out, bytes.size());
  out.append(bytes);
}
std::string_view take_sized(byte_reader& reader) { return reader.take(reader.varint()); }

void check_whole(const byte_reader& reader, std::string_view what) {
  if (reader.failed() || !reader.at_end()) {
    throw store_damaged(fmt::format("the store is damaged: {} does not decode", what));
  }
}

void append_ms(std::string& out, milliseconds time) { append_be(out, static_cast<std::uint64_t>(time.count())); }
milliseconds take_ms(byte_reader& reader) {
  return milliseconds(static_cast<std::int64_t>(reader.be<std::uint64_t>()));
}

void append_time(std::string& out, const commit_time& time) {
  append_be(out, static_cast<std::uint16_t>(time.wall_trusted ? 1 : 0));
  append_ms(out, time.lifetime);
  append_ms(out, time.wall);
  append_be(out, time.boot);
  append_ms(out, time.boot_elapsed);
}

commit_time take_time(byte_reader& reader) {
  commit_time time;
  time.wall_trusted = (reader.be<std::uint16_t>() & 1) != 0;
  time.lifetime = take_ms(reader);
  time.wall = take_ms(reader);
  time.boot = reader.be<std::uint64_t>();
  time.boot_elapsed = take_ms(reader);
  return time;
}

void append_cursor(std::string& out, const cursor_state& cursor) {
  append_be(out, cursor.offset);
  append_sized(out, cursor.metadata);
}

void append_producer(std::string& out, const producer_state& producer) {
  append_be(out, producer.epoch);
  append_be(out, producer.sequence);
  append_be(out, static_cast<std::uint64_t>(producer.timestamp_ms));
}

void append_mark(std::string& out, const age_mark& mark) {
  append_ms(out, mark.lifetime);
  append_be(out, mark.offset);
}

age_mark take_mark(byte_reader& reader) {
  const milliseconds lifetime = take_ms(reader);
  return {lifetime, reader.be<std::uint64_t>()};
}

void append_totals(std::string& out, const drop_totals& totals) {
  append_be(out, totals.records);
  append_be(out, totals.unread);
}

drop_totals take_totals(byte_reader& reader) {
  const auto records = reader.be<std::uint64_t>();
  return {records, reader.be<std::uint64_t>()};
}

void append_loss(std::string& out, const loss_record& record) {
  out.push_back(static_cast<char>(record.reason));
  append_stream(out, record.stream);
  append_sized(out, record.source);
  for (const auto number : {record.first, record.end, record.records, record.unread, record.bytes}) {
    append_be(out, number);
  }
  append_ms(out, record.since);
  append_ms(out, record.until);
  out.push_back(record.wall_trusted ? '\1' : '\0');
}

loss_record take_loss(byte_reader& reader) {
  loss_record record;
  record.reason = static_cast<loss_reason>(reader.be<std::uint8_t>());
  record.stream = take_stream(reader);
  record.source = take_sized(reader);
  for (auto* const number : {&record.first, &record.end, &record.records, &record.unread, &record.bytes}) {
    *number = reader.be<std::uint64_t>();
  }
  record.since = take_ms(reader);
  record.until = take_ms(reader);
  record.wall_trusted = reader.be<std::uint8_t>() != 0;
  return record;
}

cursor_state take_cursor(byte_reader& reader) {
  cursor_state cursor;
  cursor.offset = reader.be<std::uint64_t>();
  cursor.metadata = take_sized(reader);
  return cursor;
}

producer_state take_producer(byte_reader& reader) {
  producer_state state;
  state.epoch = reader.be<std::uint32_t>();
  state.sequence = reader.be<std::uint64_t>();
  state.timestamp_ms = static_cast<std::int64_t>(reader.be<std::uint64_t>());
  return state;
}

}  // namespace tidegate::store
