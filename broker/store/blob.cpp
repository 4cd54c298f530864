#include "broker/store/blob.hpp"

#include <fmt/format.h>

#include "broker/base/bytes.hpp"
#include "broker/base/crc32c.hpp"
#include "broker/store/fields.hpp"

namespace tidegate::store {
namespace {

constexpr std::uint32_t blob_magic = 0x54474A32;  // "TGJ2"
constexpr std::size_t crc_covers_from = 12;
constexpr std::size_t flags_at = 22;
constexpr std::uint16_t flag_wall_trusted = 1;
constexpr std::uint16_t flag_has_more = 2;

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

blob_head take_head(byte_reader& reader) {
  blob_head head;
  head.commit = reader.be<commit_number>();
  head.part = reader.be<std::uint16_t>();
  const auto flags = reader.be<std::uint16_t>();
  head.has_more = (flags & flag_has_more) != 0;
  head.time.wall_trusted = (flags & flag_wall_trusted) != 0;
  head.time.lifetime = take_ms(reader);
  head.time.wall = take_ms(reader);
  head.time.boot = reader.be<std::uint64_t>();
  head.time.boot_elapsed = take_ms(reader);
  return head;
}

std::string name_of(commit_number commit, int part) { return fmt::format("part {} of commit {}", part, commit); }

void seal(std::string& blob) { store_be(blob.data() + 8, crc32c(std::string_view(blob).substr(crc_covers_from))); }

void set_has_more(std::string& blob) {
  char* const flags = blob.data() + flags_at;
  store_be(flags, static_cast<std::uint16_t>(load_be<std::uint16_t>(flags) | flag_has_more));
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
  if (parts_.empty() || parts_.back().bytes.size() + size > part_bytes_) begin_part();
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
    if (&part != &parts_.back()) set_has_more(part.bytes);
    seal(part.bytes);
  }
  return std::exchange(parts_, {});
}

std::string continued(std::string_view blob) {
  std::string changed(blob);
  set_has_more(changed);
  seal(changed);
  return changed;
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
    case entry_type::producer_erased: return visitor.producer(take_sized(reader), std::nullopt);
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
  const blob_head head = take_head(reader);
  if (reader.failed() || magic != blob_magic || length != blob.size() || crc != crc32c(blob.substr(crc_covers_from))) {
    throw store_damaged("the store is damaged: a journal blob fails its magic, length or CRC-32C");
  }
  visitor.head(head);
  while (!reader.at_end()) visit_entry(reader, blob, head.part, visitor);
  check_whole(reader, "a journal blob");
}

void journal_sequence::take(std::string_view key, const blob_head& head) {
  if (key != journal_key(head.commit, head.part)) {
    throw store_damaged(fmt::format("the store is damaged: {} of the journal stands in the place of another",
                                    name_of(head.commit, head.part)));
  }
  const auto before = std::exchange(last_, head);
  // A journal loses whole commits at its head, so it begins with a part 0.
  const commit_number commit = !before ? head.commit : before->has_more ? before->commit : before->commit + 1;
  const int part = before && before->has_more ? before->part + 1 : 0;
  if (head.commit == commit && head.part == part) return;
  throw store_damaged(fmt::format("the store is damaged: the journal has {} where {} belongs",
                                  name_of(head.commit, head.part), name_of(commit, part)));
}

std::string journal_sequence::complaint() const {
  if (!last_ || !last_->has_more) return {};
  return fmt::format("the journal ends before {}", name_of(last_->commit, last_->part + 1));
}

}  // namespace tidegate::store
