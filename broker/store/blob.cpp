#include "broker/store/blob.hpp"

#include <fmt/format.h>

#include "broker/base/bytes.hpp"
#include "broker/base/crc32c.hpp"
#include "broker/store/fields.hpp"

namespace tidegate::store {
namespace {

constexpr std::uint32_t blob_magic = 0x54474A33;  // "TGJ3"
constexpr std::size_t length_at = 4;
constexpr std::size_t crc_at = 8;
constexpr std::size_t crc_covers_from = 12;
constexpr std::size_t position_at = 20;
constexpr std::size_t previous_crc_at = 28;
constexpr std::size_t flags_at = 32;
constexpr std::uint16_t flag_in_tables = 2;
constexpr int kinds_on_flash = 2;  // a stream in memory has the number of the kind on flash, plus this

enum class entry_type : std::uint8_t {
  appended = 1,
  acked = 2,
  delivered = 3,
  trimmed = 4,
  fact = 5,
  created = 6,
  dropped = 7,
  age_mark = 8,
  lost = 9,
  held = 10,
  reserved = 11,
};

void append_entry(std::string& out, entry_type type, std::string_view body) {
  out.push_back(static_cast<char>(type));
  append_sized(out, body);
}

// Starts the body of an entry about one stream.
std::string body_of(stream_id stream) {
  std::string body;
  append_stream(body, stream);
  return body;
}

}  // namespace

blob_writer::blob_writer(commit_number commit, const commit_time& time, std::size_t about) {
  constexpr std::size_t padding = 4'096;  // up to which the ring fills the last block
  bytes_.reserve(blob_head_bytes + about + padding);
  append_be(bytes_, blob_magic);
  append_be(bytes_, std::uint32_t{0});
  append_be(bytes_, std::uint32_t{0});
  append_be(bytes_, commit);
  append_be(bytes_, ring_position{0});
  append_be(bytes_, std::uint32_t{0});
  append_time(bytes_, time);
}

std::uint32_t blob_writer::append(stream_id stream, std::string_view batch) {
  bytes_.push_back(static_cast<char>(entry_type::appended));
  append_varint(bytes_, sizeof stream + batch.size());
  append_stream(bytes_, stream);
  const auto position = static_cast<std::uint32_t>(bytes_.size());
  bytes_.append(batch);
  return position;
}

void blob_writer::acked(stream_id stream, const std::vector<offset_range>& ranges) {
  for (const offset_range& range : ranges) {
    std::string body = body_of(stream);
    append_varint(body, range.begin);
    append_varint(body, range.size());
    append_entry(bytes_, entry_type::acked, body);
  }
}

void blob_writer::deliveries(stream_id stream, const std::vector<std::pair<offset_t, std::uint32_t>>& counts) {
  for (const auto& [offset, count] : counts) {
    std::string body = body_of(stream);
    append_varint(body, offset);
    append_varint(body, count);
    append_entry(bytes_, entry_type::delivered, body);
  }
}

void blob_writer::trimmed(stream_id stream, offset_t log_start) {
  std::string body = body_of(stream);
  append_varint(body, log_start);
  append_entry(bytes_, entry_type::trimmed, body);
}

void blob_writer::held(stream_id stream, std::uint64_t bytes) {
  std::string body = body_of(stream);
  append_varint(body, bytes);
  append_entry(bytes_, entry_type::held, body);
}

void blob_writer::fact(std::string_view name, const std::optional<std::string>& value) {
  std::string body;
  append_sized(body, name);
  body.push_back(value ? '\1' : '\0');
  if (value) body.append(*value);
  append_entry(bytes_, entry_type::fact, body);
}

void blob_writer::created(stream_id stream, stream_kind kind, bool in_memory) {
  std::string body = body_of(stream);
  body.push_back(static_cast<char>(static_cast<int>(kind) + (in_memory ? kinds_on_flash : 0)));
  append_entry(bytes_, entry_type::created, body);
}

void blob_writer::dropped(stream_id stream) { append_entry(bytes_, entry_type::dropped, body_of(stream)); }

void blob_writer::reserved(stream_id stream, offset_t end, const drop_totals& dropped) {
  std::string body = body_of(stream);
  append_varint(body, end);
  append_totals(body, dropped);
  append_entry(bytes_, entry_type::reserved, body);
}

void blob_writer::age_marked(stream_id stream, const age_mark& mark) {
  std::string body = body_of(stream);
  append_mark(body, mark);
  append_entry(bytes_, entry_type::age_mark, body);
}

void blob_writer::lost(loss_number number, const loss_record& record, const drop_totals& totals) {
  std::string body;
  append_be(body, number);
  append_loss(body, record);
  append_totals(body, totals);
  append_entry(bytes_, entry_type::lost, body);
}

void blob_writer::say_in_tables() {
  char* const flags = bytes_.data() + flags_at;
  store_be(flags, static_cast<std::uint16_t>(load_be<std::uint16_t>(flags) | flag_in_tables));
}

void blob_writer::leave_records_to_tables() {
  const std::string all = std::exchange(bytes_, bytes_.substr(0, blob_head_bytes));
  byte_reader reader(std::string_view(all).substr(blob_head_bytes));
  while (!reader.at_end()) {
    const auto type = static_cast<entry_type>(reader.be<std::uint8_t>());
    const std::string_view body = take_sized(reader);
    if (type != entry_type::appended) append_entry(bytes_, type, body);
  }
  say_in_tables();
}

void blob_writer::leave_all_to_tables() {
  bytes_.resize(blob_head_bytes);
  say_in_tables();
}

std::size_t blob_length(std::string_view head) {
  return load_be<std::uint32_t>(head.data()) == blob_magic ? load_be<std::uint32_t>(head.data() + length_at) : 0;
}

std::uint32_t blob_crc(std::string_view head) { return load_be<std::uint32_t>(head.data() + crc_at); }

blob_head read_blob_head(std::string_view blob) {
  byte_reader reader(blob.substr(crc_covers_from));
  blob_head head;
  head.commit = reader.be<commit_number>();
  head.position = reader.be<ring_position>();
  head.previous_crc = reader.be<std::uint32_t>();
  head.is_in_tables = (load_be<std::uint16_t>(blob.data() + flags_at) & flag_in_tables) != 0;
  head.time = take_time(reader);
  return head;
}

bool is_sealed(std::string_view blob, std::uint32_t seed) {
  return blob.size() >= blob_head_bytes && blob_length(blob) == blob.size() &&
         blob_crc(blob) == crc32c(blob.substr(crc_covers_from), seed);
}

std::uint32_t seal_blob(std::string& blob, ring_position position, std::uint32_t previous_crc, std::uint32_t seed) {
  store_be(blob.data() + length_at, static_cast<std::uint32_t>(blob.size()));
  store_be(blob.data() + position_at, position);
  store_be(blob.data() + previous_crc_at, previous_crc);
  const std::uint32_t crc = crc32c(std::string_view(blob).substr(crc_covers_from), seed);
  store_be(blob.data() + crc_at, crc);
  return crc;
}

namespace {

// Visits an entry whose stream was read already. Returns false if its type is not one of these.
bool visit_stream_entry(entry_type type, stream_id stream, byte_reader& reader, std::string_view blob,
                        const blob_visitor& visitor) {
  const auto whole = [&] { check_whole(reader, "a journal entry"); };
  switch (type) {
    case entry_type::appended: {
      const std::string_view batch = reader.rest();
      whole();
      visitor.append(stream, batch, static_cast<std::uint32_t>(batch.data() - blob.data()));
      return true;
    }
    case entry_type::acked: {
      const offset_t begin = reader.varint(), count = reader.varint();
      whole();
      visitor.acked(stream, {begin, begin + count});
      return true;
    }
    case entry_type::delivered: {
      const offset_t offset = reader.varint();
      const auto count = static_cast<std::uint32_t>(reader.varint());
      whole();
      visitor.delivered(stream, offset, count);
      return true;
    }
    case entry_type::trimmed:
    case entry_type::held: {
      const std::uint64_t value = reader.varint();
      whole();
      (type == entry_type::trimmed ? visitor.trimmed : visitor.held)(stream, value);
      return true;
    }
    case entry_type::created: {
      const int kind = reader.be<std::uint8_t>();
      whole();
      const bool in_memory = kind > kinds_on_flash;
      visitor.created(stream, static_cast<stream_kind>(in_memory ? kind - kinds_on_flash : kind), in_memory);
      return true;
    }
    case entry_type::dropped: whole(); return visitor.dropped(stream), true;
    case entry_type::reserved: {
      const offset_t end = reader.varint();
      const drop_totals totals = take_totals(reader);
      whole();
      visitor.reserved(stream, end, totals);
      return true;
    }
    case entry_type::age_mark: {
      const age_mark mark = take_mark(reader);
      whole();
      visitor.age_marked(stream, mark);
      return true;
    }
    default: return false;
  }
}

void visit_entry(entry_type type, std::string_view body, std::string_view blob, const blob_visitor& visitor) {
  byte_reader reader(body);
  const auto whole = [&] { check_whole(reader, "a journal entry"); };
  if (type == entry_type::fact) {
    const std::string_view name = take_sized(reader);
    const bool is_there = reader.be<std::uint8_t>() != 0;
    const std::string_view value = reader.rest();
    whole();
    if (name.empty()) throw store_damaged("the store is damaged: a fact without a name");
    return visitor.fact(name, is_there ? std::optional(value) : std::nullopt);
  }
  if (type == entry_type::lost) {
    const auto number = reader.be<loss_number>();
    const loss_record record = take_loss(reader);
    const drop_totals totals = take_totals(reader);
    whole();
    return visitor.lost(number, record, totals);
  }
  const stream_id stream = take_stream(reader);
  if (visit_stream_entry(type, stream, reader, blob, visitor)) return;
  throw store_damaged(
      fmt::format("the store is damaged: a journal entry has the unknown type {}", static_cast<int>(type)));
}

void each_entry(std::string_view blob, const std::function<void(entry_type, std::string_view body)>& take) {
  byte_reader reader(blob.substr(blob_head_bytes));
  while (!reader.at_end()) {
    const auto type = static_cast<entry_type>(reader.be<std::uint8_t>());
    const std::string_view body = take_sized(reader);
    if (reader.failed()) throw store_damaged("the store is damaged: a journal entry is cut short");
    take(type, body);
  }
}

}  // namespace

std::vector<stream_id> streams_dropped_in(std::string_view blob) {
  std::vector<stream_id> dropped;
  each_entry(blob, [&](entry_type type, std::string_view body) {
    byte_reader reader(body);
    if (type == entry_type::dropped) dropped.push_back(take_stream(reader));
  });
  return dropped;
}

void visit_blob(std::string_view blob, const blob_visitor& visitor) {
  each_entry(blob, [&](entry_type type, std::string_view body) { visit_entry(type, body, blob, visitor); });
}

}  // namespace tidegate::store
