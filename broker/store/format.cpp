#include "broker/store/format.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/base/bytes.hpp"
#include "broker/base/crc32c.hpp"

namespace tidegate::store {
namespace {

constexpr std::uint32_t blob_magic = 0x54474A32;  // "TGJ2"
constexpr std::size_t crc_covers_from = 12;
constexpr std::uint16_t flag_wall_trusted = 1;

enum class entry_type : std::uint8_t {
  append = 1,
  acked = 2,
  delivered = 3,
  trimmed = 4,
  cursor = 5,
  producer = 6,
  producer_erased = 7,
  age_mark = 8,
  lost = 9,
};

void begin_entry(std::string& out, entry_type type) { out.push_back(static_cast<char>(type)); }
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
  append_be(out, time.wall_trusted ? flag_wall_trusted : std::uint16_t{0});
  append_ms(out, time.lifetime);
  append_ms(out, time.wall);
  append_be(out, time.boot);
  append_ms(out, time.boot_elapsed);
}

commit_time take_time(byte_reader& reader) {
  commit_time time;
  time.wall_trusted = (reader.be<std::uint16_t>() & flag_wall_trusted) != 0;
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

}  // namespace

std::string journal_key(commit_number commit, std::uint16_t part) {
  std::string key;
  append_be(key, commit);
  append_be(key, part);
  return key;
}

commit_number commit_of_journal_key(std::string_view key) {
  byte_reader reader(key);
  const auto commit = reader.be<commit_number>();
  reader.take(2);
  check_whole(reader, "a journal key");
  return commit;
}

std::string chunk_key(stream_id stream, offset_t last_offset) {
  std::string key;
  append_stream(key, stream);
  append_be(key, last_offset);
  return key;
}

chunk_place place_of_chunk_key(std::string_view key) {
  byte_reader reader(key);
  const stream_id stream = take_stream(reader);
  const chunk_place place{stream, reader.be<std::uint64_t>()};
  check_whole(reader, "a chunk key");
  return place;
}

std::string stream_key(stream_id stream) {
  std::string key(1, state_stream);
  append_stream(key, stream);
  return key;
}

std::string block_key(stream_id stream, std::uint64_t block) {
  std::string key(1, state_block);
  append_stream(key, stream);
  append_be(key, block);
  return key;
}

std::string cursor_key(stream_id stream, std::string_view group) {
  std::string key(1, state_cursor);
  append_stream(key, stream);
  return key.append(group);
}

std::string producer_key(std::string_view producer) { return std::string(1, state_producer).append(producer); }

std::string loss_key(loss_number number) {
  std::string key;
  append_be(key, number);
  return key;
}

loss_number number_of_loss_key(std::string_view key) {
  byte_reader reader(key);
  const auto number = reader.be<loss_number>();
  check_whole(reader, "a loss record's key");
  return number;
}

std::string_view name(loss_reason reason) {
  switch (reason) {
    case loss_reason::retention_bytes:
      return "retention_bytes";
    case loss_reason::retention_records:
      return "retention_records";
    case loss_reason::retention_age:
      return "retention_age";
    case loss_reason::store_room:
      return "store_room";
    case loss_reason::damaged:
      return "damaged";
    case loss_reason::device:
      return "device";
  }
  return "unknown";
}

std::string sealed(std::string value) {
  append_be(value, crc32c(value));
  return value;
}

std::string_view unsealed(std::string_view value, std::string_view what) {
  constexpr std::size_t crc_bytes = 4;
  const std::size_t size = value.size() - std::min(value.size(), crc_bytes);
  if (value.size() < crc_bytes || crc32c(value.substr(0, size)) != load_be<std::uint32_t>(value.data() + size)) {
    throw store_damaged(fmt::format("the store is damaged: {} fails its CRC-32C", what));
  }
  return value.substr(0, size);
}

std::string encode(const checkpoint& checkpoint) {
  std::string value;
  value.push_back(static_cast<char>(checkpoint.kind));
  append_be(value, checkpoint.log_start);
  append_be(value, checkpoint.next_offset);
  append_be(value, static_cast<std::uint64_t>(checkpoint.newest_timestamp_ms));
  append_be(value, checkpoint.chunk_bytes);
  append_be(value, checkpoint.commit);
  append_be(value, checkpoint.maybe_delivered_before);
  append_totals(value, checkpoint.dropped);
  for (const age_mark& mark : checkpoint.age_marks) append_mark(value, mark);
  return sealed(std::move(value));
}

checkpoint decode_checkpoint(std::string_view value) {
  constexpr std::string_view what = "a stream's checkpoint";
  byte_reader reader(unsealed(value, what));
  checkpoint checkpoint;
  checkpoint.kind = static_cast<stream_kind>(reader.be<std::uint8_t>());
  checkpoint.log_start = reader.be<std::uint64_t>();
  checkpoint.next_offset = reader.be<std::uint64_t>();
  checkpoint.newest_timestamp_ms = static_cast<std::int64_t>(reader.be<std::uint64_t>());
  checkpoint.chunk_bytes = reader.be<std::uint64_t>();
  checkpoint.commit = reader.be<std::uint64_t>();
  checkpoint.maybe_delivered_before = reader.be<std::uint64_t>();
  checkpoint.dropped = take_totals(reader);
  while (!reader.at_end()) checkpoint.age_marks.push_back(take_mark(reader));
  check_whole(reader, what);
  return checkpoint;
}

std::string encode(const ack_block& block) {
  std::string value = block.bits;
  for (const auto& [place, count] : block.deliveries) {
    append_be(value, place);
    append_be(value, count);
  }
  return sealed(std::move(value));
}

ack_block decode_block(std::string_view value) {
  constexpr std::string_view what = "a queue's acknowledgement block";
  byte_reader reader(unsealed(value, what));
  ack_block block;
  block.bits = reader.take(offsets_per_block / 8);
  while (!reader.at_end()) {
    const auto place = reader.be<std::uint16_t>();
    block.deliveries.emplace_back(place, reader.be<std::uint32_t>());
  }
  check_whole(reader, what);
  return block;
}

std::string encode(const cursor_state& cursor) {
  std::string value;
  append_cursor(value, cursor);
  return sealed(std::move(value));
}

cursor_state decode_cursor(std::string_view value) {
  constexpr std::string_view what = "a group's committed offset";
  byte_reader reader(unsealed(value, what));
  cursor_state cursor = take_cursor(reader);
  check_whole(reader, what);
  return cursor;
}

std::string encode(const producer_state& producer) {
  std::string value;
  append_producer(value, producer);
  return sealed(std::move(value));
}

producer_state decode_producer(std::string_view value) {
  constexpr std::string_view what = "a producer's sequence";
  byte_reader reader(unsealed(value, what));
  const producer_state state = take_producer(reader);
  check_whole(reader, what);
  return state;
}

std::string encode(const loss_record& record) {
  std::string value;
  append_loss(value, record);
  return sealed(std::move(value));
}

loss_record decode_loss(std::string_view value) {
  constexpr std::string_view what = "a loss record";
  byte_reader reader(unsealed(value, what));
  loss_record record = take_loss(reader);
  check_whole(reader, what);
  return record;
}

void blob_writer::begin_part() {
  part& part = parts_.emplace_back();
  part.number = next_part_++;
  append_be(part.bytes, blob_magic);
  append_be(part.bytes, std::uint32_t{0});
  append_be(part.bytes, std::uint32_t{0});
  append_be(part.bytes, commit_);
  append_be(part.bytes, part.number);
  append_time(part.bytes, time_);
}

std::string& blob_writer::room_for(std::size_t size) {
  if (parts_.empty() || parts_.back().bytes.size() + size > blob_bytes_max) begin_part();
  return parts_.back().bytes;
}

blob_writer::place blob_writer::append(stream_id stream, std::string_view batch) {
  std::string& out = room_for(batch.size() + 16);
  begin_entry(out, entry_type::append);
  append_stream(out, stream);
  append_varint(out, batch.size());
  const place place{parts_.back().number, static_cast<std::uint32_t>(out.size())};
  out.append(batch);
  return place;
}

void blob_writer::acked(stream_id stream, const std::vector<offset_range>& ranges) {
  constexpr std::size_t range_bytes_max = 20;
  for (const offset_range& range : ranges) {
    std::string& out = room_for(range_bytes_max + 8);
    begin_entry(out, entry_type::acked);
    append_stream(out, stream);
    append_varint(out, range.begin);
    append_varint(out, range.size());
  }
}

void blob_writer::deliveries(stream_id stream, const std::vector<std::pair<offset_t, std::uint32_t>>& counts) {
  for (const auto& [offset, count] : counts) {
    std::string& out = room_for(32);
    begin_entry(out, entry_type::delivered);
    append_stream(out, stream);
    append_varint(out, offset);
    append_varint(out, count);
  }
}

void blob_writer::trimmed(stream_id stream, offset_t log_start) {
  std::string& out = room_for(16);
  begin_entry(out, entry_type::trimmed);
  append_stream(out, stream);
  append_varint(out, log_start);
}

void blob_writer::cursor(stream_id stream, std::string_view group, const cursor_state& cursor) {
  std::string& out = room_for(group.size() + cursor.metadata.size() + 32);
  begin_entry(out, entry_type::cursor);
  append_stream(out, stream);
  append_sized(out, group);
  append_cursor(out, cursor);
}

void blob_writer::producer(std::string_view producer, const producer_state& state) {
  std::string& out = room_for(producer.size() + 32);
  begin_entry(out, entry_type::producer);
  append_sized(out, producer);
  append_producer(out, state);
}

void blob_writer::producer_erased(std::string_view producer) {
  std::string& out = room_for(producer.size() + 8);
  begin_entry(out, entry_type::producer_erased);
  append_sized(out, producer);
}

void blob_writer::age_marked(stream_id stream, const age_mark& mark) {
  std::string& out = room_for(32);
  begin_entry(out, entry_type::age_mark);
  append_stream(out, stream);
  append_mark(out, mark);
}

void blob_writer::lost(loss_number number, const loss_record& record, const drop_totals& totals) {
  std::string& out = room_for(record.source.size() + 128);
  begin_entry(out, entry_type::lost);
  append_be(out, number);
  append_loss(out, record);
  append_totals(out, totals);
}

std::vector<blob_writer::part> blob_writer::finish() {
  for (part& part : parts_) {
    store_be(part.bytes.data() + 4, static_cast<std::uint32_t>(part.bytes.size()));
    store_be(part.bytes.data() + 8, crc32c(std::string_view(part.bytes).substr(crc_covers_from)));
  }
  return std::exchange(parts_, {});
}

namespace {

void visit_entry(byte_reader& reader, std::string_view blob, std::uint16_t part, const blob_visitor& visitor) {
  const auto type = static_cast<entry_type>(reader.be<std::uint8_t>());
  switch (type) {
    case entry_type::append: {
      const stream_id stream = take_stream(reader);
      const std::string_view batch = take_sized(reader);
      if (reader.failed()) return;
      return visitor.append(stream, batch, {part, static_cast<std::uint32_t>(batch.data() - blob.data())});
    }
    case entry_type::acked: {
      const stream_id stream = take_stream(reader);
      const offset_t begin = reader.varint();
      return visitor.acked(stream, {begin, begin + reader.varint()});
    }
    case entry_type::delivered: {
      const stream_id stream = take_stream(reader);
      const offset_t offset = reader.varint();
      return visitor.delivered(stream, offset, static_cast<std::uint32_t>(reader.varint()));
    }
    case entry_type::trimmed: {
      const stream_id stream = take_stream(reader);
      return visitor.trimmed(stream, reader.varint());
    }
    case entry_type::cursor: {
      const stream_id stream = take_stream(reader);
      const std::string_view group = take_sized(reader);
      return visitor.cursor(stream, group, take_cursor(reader));
    }
    case entry_type::producer: {
      const std::string_view producer = take_sized(reader);
      return visitor.producer(producer, take_producer(reader));
    }
    case entry_type::producer_erased:
      return visitor.producer(take_sized(reader), std::nullopt);
    case entry_type::age_mark: {
      const stream_id stream = take_stream(reader);
      return visitor.age_marked(stream, take_mark(reader));
    }
    case entry_type::lost: {
      const auto number = reader.be<loss_number>();
      const loss_record record = take_loss(reader);
      return visitor.lost(number, record, take_totals(reader));
    }
  }
  throw store_damaged(
      fmt::format("the store is damaged: a journal entry has the unknown type {}", static_cast<int>(type)));
}

}  // namespace

void visit_blob(std::string_view blob, const blob_visitor& visitor) {
  byte_reader reader(blob);
  const auto magic = reader.be<std::uint32_t>();
  const auto length = reader.be<std::uint32_t>();
  const auto crc = reader.be<std::uint32_t>();
  reader.take(8);
  const auto part = reader.be<std::uint16_t>();
  const commit_time time = take_time(reader);
  if (reader.failed() || magic != blob_magic || length != blob.size() || crc != crc32c(blob.substr(crc_covers_from))) {
    throw store_damaged("the store is damaged: a journal blob fails its magic, length or CRC-32C");
  }
  visitor.time(time);
  while (!reader.at_end()) visit_entry(reader, blob, part, visitor);
  check_whole(reader, "a journal blob");
}

}  // namespace tidegate::store
