// Record batch v2: Kafka's format (KIP-98, "Message Format v2"). Records have this form on disk, on the fast path and
// in Kafka itself.
//
//    0  base offset          u64   offset of the first record
//    8  length               u32   of everything after this field
//   12  partition leader epoch u32 0
//   16  magic                u8    2
//   17  CRC-32C              u32   of everything after this field
//   21  attributes           u16   bits 0-2 codec, 3 timestamp type, 4 transactional, 5 control
//   23  last offset delta    u32   offset of the last record less the base offset
//   27  first timestamp      u64   Unix ms
//   35  newest timestamp     u64
//   43  producer id          u64   all ones = none
//   51  producer epoch       u16   all ones = none
//   53  base sequence        u32   all ones = none
//   57  record count         u32
//   61  records
//
// A record: varint length, attributes i8, varint timestamp delta, varint offset delta, varint key length (-1 = none),
// key, varint body length, body, varint header count, {varint name length, name, varint value length, value}.
// Varints are zig-zag. Offsets may have gaps (a queue's chunk keeps only what is alive), as Kafka's do after
// compaction.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/bytes.hpp"
#include "broker/base/error.hpp"
#include "broker/model/ids.hpp"
#include "broker/model/message.hpp"

namespace tidegate {

constexpr std::size_t record_batch_header_bytes = 61;
constexpr std::size_t record_overhead_max = 32;  // a record's length, attributes and deltas

struct record_view {
  offset_t offset = 0;
  std::int64_t timestamp_ms = 0;
  std::string_view key;
  std::string_view body;
  std::vector<header> headers;
};

// A record with its key, body and headers still encoded, to copy it into another batch with the same bytes: a decoded
// record does not distinguish a missing key or body from an empty one.
struct raw_record {
  offset_t offset = 0;
  std::int64_t timestamp_ms = 0;
  std::string_view fields;
  // Returns the most bytes that the record takes in a batch.
  std::size_t size_bound() const { return record_overhead_max + fields.size(); }
};

// A batch at the start of some bytes. Points into them.
struct batch_view {
  offset_t base_offset = 0;
  offset_t last_offset = 0;
  std::int64_t first_timestamp_ms = 0;
  std::int64_t newest_timestamp_ms = 0;
  std::uint32_t count = 0;
  std::uint16_t attributes = 0;
  std::uint64_t producer_id = 0;
  std::string_view bytes;    // the whole batch
  std::string_view records;  // after the header, compressed as the attributes say
  bool compressed() const { return (attributes & 7) != 0; }
  // All records have the newest timestamp, whatever their deltas say.
  bool is_append_time() const { return (attributes & 8) != 0; }
};

// Reads the header of the first batch in `data`. Errors: cut off, not magic 2, lengths that contradict each other.
result<batch_view> read_batch(std::string_view data);

// Returns whether the CRC over the batch's bytes is right.
bool crc_matches(const batch_view& batch);

// Checks the batch of a Produce request: exactly one batch, CRC right, offsets without gaps from its base offset, no
// control or transaction marks. The records have to decode and be as many as the header says; this is not checked if
// they are compressed.
result<batch_view> check_produced(std::string_view data);

// Rewrites the base offset in place; the CRC does not cover it.
void set_base_offset(std::string& batch, offset_t base);

// Reads the records of an uncompressed batch, oldest first. The view is reused from record to record.
class record_reader {
 public:
  explicit record_reader(const batch_view& batch);
  // Returns false at the end, or if a record is malformed; `failed()` tells which.
  bool next(record_view& record);
  bool next(raw_record& record);
  bool failed() const { return failed_; }

 private:
  bool open(byte_reader& fields, offset_t& offset, std::int64_t& timestamp_ms);

  std::string_view rest_;
  offset_t base_offset_;
  std::int64_t first_timestamp_ms_;
  std::uint32_t left_;
  bool failed_ = false;
};

// Form in which a record keeps what Kafka's record has no field for.
enum class record_form {
  topic,  // plain headers: see message.hpp
  queue,  // one header `t`, always the first, so that a publisher may have one of that name: protobuf fields
};
// The fields of `t`, named as in message_view. 3 is reserved for more routing keys.
constexpr std::string_view header_of_queue = "t";
enum class queue_field : std::uint32_t {
  exchange = 1,
  routing_key = 2,
  properties = 4,
  due_ms = 5,
  deaths = 6,
  attempts = 7,
  is_time_estimated = 8,
  return_to = 9,
  expires_ms = 10,
};

// Writes a batch, record by record. The caller gives the offsets, which rise; gaps are allowed.
class batch_builder {
 public:
  void add(offset_t offset, std::int64_t timestamp_ms, const message_view& message,
           record_form form = record_form::topic);
  // Adds a record that was read from another batch.
  void add(const record_view& record);
  void add(const raw_record& record);
  bool empty() const { return count_ == 0; }
  std::uint32_t count() const { return count_; }
  offset_t base_offset() const { return base_offset_; }
  offset_t last_offset() const { return last_offset_; }
  std::int64_t newest_timestamp_ms() const { return newest_timestamp_ms_; }
  // Returns the size of the batch so far.
  std::size_t size() const { return size_; }
  // Writes the header and returns the batch. The builder is empty then.
  std::string finish();

 private:
  void add_to_topic(offset_t offset, std::int64_t timestamp_ms, const message_view& message);
  void add_to_queue(offset_t offset, std::int64_t timestamp_ms, const message_view& message);
  char* begin_record(offset_t offset, std::int64_t timestamp_ms, std::size_t fields_size);
  void end_record(const char* at) const;
  void make_room(std::size_t size);

  std::string out_;  // with spare room at its end
  std::size_t size_ = 0;
  offset_t base_offset_ = 0;
  offset_t last_offset_ = 0;
  std::int64_t first_timestamp_ms_ = 0;
  std::int64_t newest_timestamp_ms_ = 0;
  std::uint32_t count_ = 0;
  std::size_t finished_size_ = 0;  // of the last batch
};

// Returns the record as a message: routing key and exchange are taken out of its headers. The views are the record's.
message_view to_message(const record_view& record, record_form form = record_form::topic);
// Reads the same into `message`, whose memory is reused.
void read_message(const record_view& record, record_form form, message_view& message);

// Returns the most bytes that a message's record takes, to reserve room before it is built.
std::size_t record_size_bound(const message_view& message);

}  // namespace tidegate
