#include "broker/store/format.hpp"

#include "broker/base/bytes.hpp"
#include "broker/store/fields.hpp"

namespace tidegate::store {

std::string chunk_key(stream_id stream, offset_t last_offset, std::uint16_t piece) {
  std::string key;
  append_stream(key, stream);
  append_be(key, last_offset);
  append_be(key, piece);
  return key;
}

chunk_place place_of_chunk_key(std::string_view key) {
  byte_reader reader(key);
  const stream_id stream = take_stream(reader);
  const chunk_place place{stream, reader.be<std::uint64_t>()};
  reader.take(sizeof(std::uint16_t));
  check_whole(reader, "a chunk key");
  return place;
}

std::uint16_t piece_of_chunk_key(std::string_view key) {
  byte_reader reader(key);
  reader.take(sizeof(stream_id) + sizeof(offset_t));
  const auto piece = reader.be<std::uint16_t>();
  check_whole(reader, "a chunk key");
  return piece;
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

bool is_of_single_messages(loss_reason reason) {
  return reason == loss_reason::expired || reason == loss_reason::delivery_limit ||
         reason == loss_reason::dead_letter_refused;
}

std::string_view name(loss_reason reason) {
  switch (reason) {
    case loss_reason::retention_bytes: return "retention_bytes";
    case loss_reason::retention_records: return "retention_records";
    case loss_reason::retention_age: return "retention_age";
    case loss_reason::store_room: return "store_room";
    case loss_reason::damaged: return "damaged";
    case loss_reason::messages_max: return "messages_max";
    case loss_reason::bytes_max: return "bytes_max";
    case loss_reason::device: return "device";
    case loss_reason::deleted: return "deleted";
    case loss_reason::expired: return "expired";
    case loss_reason::delivery_limit: return "delivery_limit";
    case loss_reason::dead_letter_refused: return "dead_letter_refused";
  }
  return "unknown";
}

// A stream in memory has the number of its kind on flash, plus this.
constexpr int kinds_on_flash = 2;

std::string encode(const checkpoint& checkpoint) {
  std::string value;
  value.push_back(static_cast<char>(static_cast<int>(checkpoint.kind) + (checkpoint.in_memory ? kinds_on_flash : 0)));
  append_be(value, checkpoint.log_start);
  append_be(value, checkpoint.next_offset);
  append_be(value, static_cast<std::uint64_t>(checkpoint.newest_timestamp_ms));
  append_be(value, checkpoint.chunk_bytes);
  append_be(value, checkpoint.commit);
  append_be(value, checkpoint.maybe_delivered_before);
  append_be(value, checkpoint.held_bytes);
  append_totals(value, checkpoint.dropped);
  append_be(value, checkpoint.covered_end);
  value.push_back(static_cast<char>(checkpoint.times.size()));
  for (const newest_time& time : checkpoint.times) {
    append_be(value, time.last_offset);
    append_be(value, static_cast<std::uint64_t>(time.timestamp_ms));
  }
  for (const age_mark& mark : checkpoint.age_marks) append_mark(value, mark);
  return value;
}

checkpoint decode_checkpoint(std::string_view value) {
  constexpr std::string_view what = "a stream's checkpoint";
  byte_reader reader(value);
  checkpoint checkpoint;
  const int kind = reader.be<std::uint8_t>();
  checkpoint.in_memory = kind > kinds_on_flash;
  checkpoint.kind = static_cast<stream_kind>(checkpoint.in_memory ? kind - kinds_on_flash : kind);
  checkpoint.log_start = reader.be<std::uint64_t>();
  checkpoint.next_offset = reader.be<std::uint64_t>();
  checkpoint.newest_timestamp_ms = static_cast<std::int64_t>(reader.be<std::uint64_t>());
  checkpoint.chunk_bytes = reader.be<std::uint64_t>();
  checkpoint.commit = reader.be<std::uint64_t>();
  checkpoint.maybe_delivered_before = reader.be<std::uint64_t>();
  checkpoint.held_bytes = reader.be<std::uint64_t>();
  checkpoint.dropped = take_totals(reader);
  checkpoint.covered_end = reader.be<std::uint64_t>();
  for (int left = reader.be<std::uint8_t>(); left > 0; --left) {
    const auto last_offset = reader.be<std::uint64_t>();
    checkpoint.times.push_back({last_offset, static_cast<std::int64_t>(reader.be<std::uint64_t>())});
  }
  while (!reader.at_end()) checkpoint.age_marks.push_back(take_mark(reader));
  check_whole(reader, what);
  return checkpoint;
}

std::string encode(const ack_block& block) {
  std::string value = block.bits;
  append_varint(value, block.full_after);
  std::uint16_t before = 0;
  for (const auto& [place, count] : block.deliveries) {
    append_varint(value, static_cast<std::uint64_t>(place - before));
    append_varint(value, count);
    before = place;
  }
  return value;
}

ack_block decode_block(std::string_view value) {
  constexpr std::string_view what = "a queue's acknowledgement block";
  byte_reader reader(value);
  ack_block block;
  block.bits = reader.take(offsets_per_block / 8);
  block.full_after = reader.varint();
  if (block.full_after > 0 && !block.is_full()) throw store_damaged("the store is damaged: acknowledgements");
  std::uint64_t place = 0;
  while (!reader.at_end()) {
    place += reader.varint();
    const std::uint64_t count = reader.varint();
    if (place >= offsets_per_block || count > deliveries_max)
      throw store_damaged("the store is damaged: a delivery count");
    block.deliveries.emplace_back(static_cast<std::uint16_t>(place), static_cast<std::uint32_t>(count));
  }
  check_whole(reader, what);
  return block;
}

offset_range offsets_of(std::uint64_t number, const ack_block& block) {
  constexpr std::uint64_t blocks_max = ~offset_t{0} / offsets_per_block;
  if (number >= blocks_max || block.full_after >= blocks_max - number) {
    throw store_damaged("the store is damaged: acknowledgements behind the last offset there can be");
  }
  return {number * offsets_per_block, (number + 1 + block.full_after) * offsets_per_block};
}

std::string encode(const cursor_state& cursor) {
  std::string value;
  append_cursor(value, cursor);
  return value;
}

cursor_state decode_cursor(std::string_view value) {
  constexpr std::string_view what = "a group's committed offset";
  byte_reader reader(value);
  cursor_state cursor = take_cursor(reader);
  check_whole(reader, what);
  return cursor;
}

std::string encode(const producer_state& producer) {
  std::string value;
  append_producer(value, producer);
  return value;
}

producer_state decode_producer(std::string_view value) {
  constexpr std::string_view what = "a producer's sequence";
  byte_reader reader(value);
  const producer_state state = take_producer(reader);
  check_whole(reader, what);
  return state;
}

std::string encode(const loss_record& record) {
  std::string value;
  append_loss(value, record);
  return value;
}

loss_record decode_loss(std::string_view value) {
  constexpr std::string_view what = "a loss record";
  byte_reader reader(value);
  loss_record record = take_loss(reader);
  check_whole(reader, what);
  return record;
}

}  // namespace tidegate::store
