// Keys of the store's tables and values of the small ones, as docs/store-format.md describes them. Pure functions over
// bytes; blob.hpp and chunk.hpp have the large values.
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

// Raised when a reader of the older kind would go wrong; checked at open.
constexpr std::uint32_t format_version = 5;
// Archives of stores from this format on can be imported.
constexpr std::uint32_t archived_format_min = 2;

// A value lies on pages side by side. In a store that has lived its free pages are scattered, and the longer a run LMDB
// needs, the longer it searches, the more of its free list it writes anew, and the sooner there is no such run although
// much is free. So values are short, and single pages where that is all there is.
constexpr std::size_t row_bytes_on_a_page = 4'080;  // with LMDB's page header exactly 4 KiB
constexpr std::size_t row_bytes = std::size_t{4} * row_bytes_on_a_page;

constexpr std::size_t chunk_bytes_max = row_bytes;  // a longer batch has a chunk of its own, in several rows
// By so much at most a log grows when it moves from the journal into chunks: their headers, longer varints.
constexpr std::uint64_t roll_up_growth_bytes_max = 64 * 1024;
constexpr std::uint64_t offsets_per_block = 1'024;

enum class stream_kind : std::uint8_t { queue = 1, log = 2 };

using commit_number = std::uint64_t;
using std::chrono::milliseconds;

// When a commit was made, as far as the gateway knows. core/commits/timeline.hpp draws it up.
struct commit_time {
  milliseconds lifetime{0};  // of the store: what is known to have passed since it was made; never goes back
  milliseconds wall{0};      // Unix time; an estimate where it is not trusted
  bool wall_trusted = false;
  std::uint64_t boot = 0;  // of the machine, as clock::boot() tells it
  milliseconds boot_elapsed{0};
};

// Keys. Numbers are big-endian, so LMDB's byte order is theirs.
struct chunk_place {
  stream_id stream;
  offset_t last_offset;
  friend bool operator==(const chunk_place&, const chunk_place&) = default;
};
std::string chunk_key(stream_id stream, offset_t last_offset, std::uint16_t piece = 0);
chunk_place place_of_chunk_key(std::string_view key);
std::uint16_t piece_of_chunk_key(std::string_view key);

// state table: one letter, then what it is about.
constexpr char state_stream = 'S';  // stream u32
constexpr char state_block = 'B';   // stream u32, block u64
// Facts (facts.hpp) are the others; these are known here.
constexpr char state_cursor = 'c';    // stream u32, group name
constexpr char state_producer = 'P';  // producer id
std::string stream_key(stream_id stream);
std::string block_key(stream_id stream, std::uint64_t block);
std::string cursor_key(stream_id stream, std::string_view group);
std::string producer_key(std::string_view producer);
constexpr std::size_t stream_key_bytes = 1 + sizeof(std::uint32_t);
constexpr std::size_t block_key_bytes = stream_key_bytes + sizeof(std::uint64_t);

// Below this offset everything had been appended when the store was so old. Retention by age goes by these marks and
// by nothing that a clock or a producer says.
struct age_mark {
  milliseconds lifetime{0};
  offset_t offset = 0;
};

// What limits took from a stream since it was made.
struct drop_totals {
  std::uint64_t records = 0;
  std::uint64_t unread = 0;  // of them, what a protected group had not read; where none is named, all
};

// A stream as of a commit. What later commits did to it is in the journal.
struct checkpoint {
  stream_kind kind = stream_kind::queue;
  offset_t log_start = 0;
  offset_t next_offset = 0;
  std::int64_t newest_timestamp_ms = 0;
  std::uint64_t chunk_bytes = 0;  // of the batches in them
  commit_number commit = 0;
  // Queue messages below it may have been delivered before an unclean stop.
  offset_t maybe_delivered_before = 0;
  std::uint64_t held_bytes = 0;  // of a queue: bodies of its messages
  drop_totals dropped;
  offset_t covered_end = 0;         // one past what the newest chunk covers
  std::vector<newest_time> times;   // of chunks
  std::vector<age_mark> age_marks;  // oldest first; of logs with a bound by age
  // Its records live in memory. The row is that of an empty stream, which goes on where no offset has been used.
  bool in_memory = false;
};
// Values are without their seal, for which rows.hpp is there. Decoding throws storage_failure on what does not decode.
std::string encode(const checkpoint& checkpoint);
checkpoint decode_checkpoint(std::string_view value);

// Earlier deliveries of a message are counted up to here, so that a block of them fits a page.
constexpr std::uint32_t deliveries_max = (1 << 14) - 1;

// What is known of 1,024 consecutive offsets of a queue: which are acknowledged, which were delivered how often.
struct ack_block {
  std::string bits = std::string(offsets_per_block / 8, '\0');
  // If all of the block is acknowledged: so many blocks after it are too, and have no rows of their own.
  std::uint64_t full_after = 0;
  std::vector<std::pair<std::uint16_t, std::uint32_t>> deliveries;  // offset within the block, earlier deliveries

  bool is_full() const { return bits.find_first_not_of('\xFF') == std::string::npos; }
};
// The offsets that the row of this block stands for. Throws storage_failure where they are more than there can be.
offset_range offsets_of(std::uint64_t number, const ack_block& block);
std::string encode(const ack_block& block);
ack_block decode_block(std::string_view value);

// catalog table: one letter, then the name; of a binding its number, u64.
constexpr char catalog_exchange = 'x';
constexpr char catalog_queue = 'q';
constexpr char catalog_topic = 't';
constexpr char catalog_binding = 'b';

// meta table: names.
constexpr std::string_view meta_format = "format";            // u32, not sealed
constexpr std::string_view meta_incarnation = "incarnation";  // UUID as text
constexpr std::string_view meta_journal = "journal";          // which ring it is, and what of it is needed
constexpr std::string_view meta_clean = "clean";              // u8: 1 after close(), 0 while open
constexpr std::string_view meta_flash_bytes = "flash_bytes";  // u64, written since the store was made, by and by
constexpr std::string_view meta_next_stream = "next_stream";  // u32, stream ids are never used again

struct cursor_state {
  offset_t offset = 0;
  std::string metadata;
};
std::string encode(const cursor_state& cursor);
cursor_state decode_cursor(std::string_view value);

struct producer_state {
  std::uint32_t epoch = 0;
  std::uint64_t sequence = 0;
  std::int64_t timestamp_ms = 0;  // wall time of its last publish
};
std::string encode(const producer_state& producer);
producer_state decode_producer(std::string_view value);

enum class loss_reason : std::uint8_t {
  retention_bytes = 1,
  retention_records = 2,
  retention_age = 3,
  store_room = 4,    // the store as a whole was above its mark
  damaged = 5,       // fails its CRC
  device = 6,        // a device no longer had it: it never came
  messages_max = 7,  // of a queue
  bytes_max = 8,
  deleted = 9,   // the topic was, before a group that reads it had come to its end
  expired = 10,  // of a queue: its time to live was over
  delivery_limit = 11,
  dead_letter_refused = 12,  // it was to move on, and where to would not take it
};
std::string_view name(loss_reason reason);

// What was dropped, and by what. Drops of one reason that adjoin become one record for up to an hour.
struct loss_record {
  loss_reason reason = loss_reason::retention_bytes;
  stream_id stream{};
  // Of a device's loss: which device; the range is its sequences then. Of a deleted topic: `topic/partition`. Of a
  // store that was set aside: the file.
  std::string source;
  offset_t first = 0;
  offset_t end = 0;
  std::uint64_t records = 0;
  std::uint64_t unread = 0;  // as in drop_totals
  std::uint64_t bytes = 0;   // about
  milliseconds since{0};     // wall time of the first and the last drop
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
