#include "broker/store/blob.hpp"

#include <fmt/format.h>

#include "broker/base/bytes.hpp"
#include "broker/base/crc32c.hpp"
#include "broker/store/fields.hpp"

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
  held = 10,
};

void begin_entry(std::string& out, entry_type type) { out.push_back(static_cast<char>(type)); }

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

}  // namespace

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

void blob_writer::held(stream_id stream, std::uint64_t bytes) {
  std::string& out = room_for(16);
  begin_entry(out, entry_type::held);
  append_stream(out, stream);
  append_varint(out, bytes);
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
    case entry_type::held: {
      const stream_id stream = take_stream(reader);
      return visitor.held(stream, reader.varint());
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
