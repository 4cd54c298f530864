// Encodes and decodes the keys of the store's tables and the values of the small ones, as docs/store-format.md
// describes them. Pure functions over bytes; blob.hpp and chunk.hpp have the large values.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/base/error.hpp"
#include "broker/model/ids.hpp"
#include "broker/store/newest_times.hpp"

namespace tidegate::store {

// Version of the format. Raised when an older version of the program would read the store wrongly. Checked when a store
// is opened.
constexpr std::uint32_t format_version = 5;
// Archives of stores from this format on can be imported.
constexpr std::uint32_t archived_format_min = 2;

// A long value needs consecutive pages. In an old store the free pages are scattered. The longer the run that LMDB
// needs, the longer it searches, the more of its free list it writes again, and the sooner there is no such run
// although much is free. So values are short, or single pages if no run is free.
constexpr std::size_t row_bytes_on_a_page = 4'080;  // with LMDB's page header exactly 4 KiB
constexpr std::size_t row_bytes = std::size_t{4} * row_bytes_on_a_page;

constexpr std::size_t chunk_bytes_max = row_bytes;  // a longer batch has a chunk of its own, in several rows
// Most bytes by which a log grows when it moves from the journal into chunks: headers, longer varints.
constexpr std::uint64_t roll_up_growth_bytes_max = 64 * 1024;
constexpr std::uint64_t offsets_per_block = 1'024;

enum class stream_kind : std::uint8_t { queue = 1, log = 2 };

using commit_number = std::uint64_t;
using std::chrono::milliseconds;

// When a commit was made, as far as the gateway knows. core/commits/timeline.hpp measures it.
struct commit_time {
  milliseconds lifetime{0};  // age of the store: time known to have passed since it was made; never goes back
  milliseconds wall{0};      // Unix time; an estimate if it is not trusted
  bool wall_trusted = false;
  std::uint64_t boot = 0;        // identifies the boot of the machine, see clock::boot()
  milliseconds boot_elapsed{0};  // time since that boot
};

// Keys. Numbers are big-endian, so that LMDB, which orders keys by bytes, orders them by number.
struct chunk_place {
  stream_id stream;
  offset_t last_offset;
  friend bool operator==(const chunk_place&, const chunk_place&) = default;
};
std::string chunk_key(stream_id stream, offset_t last_offset, std::uint16_t piece = 0);
chunk_place place_of_chunk_key(std::string_view key);
std::uint16_t piece_of_chunk_key(std::string_view key);

// Keys of the state table: a letter, then the stream or name.
constexpr char state_stream = 'S';  // stream u32
constexpr char state_block = 'B';   // stream u32, block u64
// All others are facts (facts.hpp). The store reads these two:
constexpr char state_cursor = 'c';    // stream u32, group name
constexpr char state_producer = 'P';  // producer id
std::string stream_key(stream_id stream);
std::string block_key(stream_id stream, std::uint64_t block);
std::string cursor_key(stream_id stream, std::string_view group);
std::string producer_key(std::string_view producer);
constexpr std::size_t stream_key_bytes = 1 + sizeof(std::uint32_t);
constexpr std::size_t block_key_bytes = stream_key_bytes + sizeof(std::uint64_t);

// An offset that the log's end had reached at this age of the store. Retention by age uses these marks only, and no
// clock's or producer's time.
struct age_mark {
  milliseconds lifetime{0};
  offset_t offset = 0;
};

// Totals of the records dropped from a stream since it was created. Damaged records are not counted.
struct drop_totals {
  std::uint64_t records = 0;
  std::uint64_t unread = 0;  // of them, those that a protected group had not read; all if no group is protected
};

// The row of a stream, as of a commit. Changes by later commits are in the journal.
struct checkpoint {
  stream_kind kind = stream_kind::queue;
  offset_t log_start = 0;
  offset_t next_offset = 0;
  std::int64_t newest_timestamp_ms = 0;
  std::uint64_t chunk_bytes = 0;  // of the batches in chunks
  commit_number commit = 0;
  // Queues: messages below this offset may have been delivered before an unclean stop.
  offset_t maybe_delivered_before = 0;
  std::uint64_t held_bytes = 0;  // queues: bytes of the messages' bodies
  drop_totals dropped;
  offset_t covered_end = 0;         // one past what the newest chunk covers
  std::vector<newest_time> times;   // of chunks
  std::vector<age_mark> age_marks;  // oldest first; only logs with a bound by age have any
  // The records are in memory. The row is that of an empty stream, whose next offset was never used.
  bool in_memory = false;
};
// Values without their seal, which rows.hpp adds. Decoding throws storage_failure if the bytes do not decode.
std::string encode(const checkpoint& checkpoint);
checkpoint decode_checkpoint(std::string_view value);

// Highest count of a message's earlier deliveries that is stored, so that a block of counts fits a page.
constexpr std::uint32_t deliveries_max = (1 << 14) - 1;

// The state of 1,024 consecutive offsets of a queue: which are acknowledged, and how often each was delivered.
struct ack_block {
  std::string bits = std::string(offsets_per_block / 8, '\0');
  // If the whole block is acknowledged: how many blocks after it are, too. Those have no rows.
  std::uint64_t full_after = 0;
  std::vector<std::pair<std::uint16_t, std::uint32_t>> deliveries;  // offset within the block, earlier deliveries

  bool is_full() const { return bits.find_first_not_of('\xFF') == std::string::npos; }
};
// Returns the offsets that the row of this block covers, with those of the blocks after it in `full_after`. Throws
// storage_failure if they exceed the largest possible offset.
offset_range offsets_of(std::uint64_t number, const ack_block& block);
std::string encode(const ack_block& block);
ack_block decode_block(std::string_view value);

// Keys of the catalog table: a letter, then the name; a binding's number, u64.
constexpr char catalog_exchange = 'x';
constexpr char catalog_queue = 'q';
constexpr char catalog_topic = 't';
constexpr char catalog_binding = 'b';

// Keys of the meta table.
constexpr std::string_view meta_format = "format";            // u32, not sealed
constexpr std::string_view meta_incarnation = "incarnation";  // UUID as text
constexpr std::string_view meta_journal = "journal";          // journal_row: the ring's id and what of it is needed
constexpr std::string_view meta_clean = "clean";              // u8: 1 after close(), 0 while open
constexpr std::string_view meta_flash_bytes = "flash_bytes";  // u64, written to flash since the store was made
constexpr std::string_view meta_next_stream = "next_stream";  // u32, stream ids are never used again

// A consumer group's committed offset.
struct cursor_state {
  offset_t offset = 0;
  std::string metadata;
};
std::string encode(const cursor_state& cursor);
cursor_state decode_cursor(std::string_view value);

// The last sequence of a producer.
struct producer_state {
  std::uint32_t epoch = 0;
  std::uint64_t sequence = 0;
  std::int64_t timestamp_ms = 0;  // wall time of the producer's last publish
};
std::string encode(const producer_state& producer);
producer_state decode_producer(std::string_view value);

enum class loss_reason : std::uint8_t {
  retention_bytes = 1,
  retention_records = 2,
  retention_age = 3,
  store_room = 4,    // the whole store exceeded its mark
  damaged = 5,       // failed its CRC, or was missing
  device = 6,        // a device discarded the messages before they arrived
  messages_max = 7,  // bound of a queue
  bytes_max = 8,
  deleted = 9,   // the topic was deleted before a group had read all of it
  expired = 10,  // the message's time to live was over
  delivery_limit = 11,
  dead_letter_refused = 12,  // the target to which the message was dead-lettered refused it
};
std::string_view name(loss_reason reason);

// Returns whether the reason concerns single messages anywhere in a queue. Their losses share a record, too, whose
// range then has other messages as well: `records` says how many were lost.
bool is_of_single_messages(loss_reason reason);

// A record of the loss ledger: the range of messages that was dropped, and why. Adjoining drops for one reason share a
// record for up to an hour.
struct loss_record {
  loss_reason reason = loss_reason::retention_bytes;
  stream_id stream{};
  // A device's loss: the device, and the range is of its sequences. A deleted topic: `topic/partition`. A store that
  // was set aside: the file. Otherwise empty.
  std::string source;
  offset_t first = 0;
  offset_t end = 0;
  std::uint64_t records = 0;
  std::uint64_t unread = 0;  // see drop_totals
  std::uint64_t bytes = 0;   // an estimate
  milliseconds since{0};     // wall time of the first and of the last drop
  milliseconds until{0};
  bool wall_trusted = false;
  friend bool operator==(const loss_record&, const loss_record&) = default;
};
using loss_number = std::uint64_t;
std::string loss_key(loss_number number);
loss_number number_of_loss_key(std::string_view key);
std::string encode(const loss_record& record);
loss_record decode_loss(std::string_view value);

}  // namespace tidegate::store
