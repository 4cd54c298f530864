// Every bound, with the calculation behind it. Bounds that operators set have their defaults here and a key in the
// configuration file; the others are fixed.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace tidegate::limits {

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;

// Messages
constexpr std::size_t routing_key_bytes = 255;
constexpr std::size_t name_bytes = 249;  // of exchanges, queues, topics, groups: Kafka's bound for topics
constexpr std::size_t partition_key_bytes = 255;
constexpr std::size_t headers_count = 64;
constexpr std::size_t headers_bytes = 8 * kib;
constexpr std::size_t properties_bytes = 32 * kib;
constexpr std::size_t body_bytes = 1 * mib - 64 * kib;  // a message with its headers and properties fits one frame
constexpr std::size_t deaths_bytes = 8 * kib;           // of a dead letter; the oldest deaths are forgotten above it
constexpr std::chrono::milliseconds time_to_live_max{0xFFFF'FFFF};  // RabbitMQ's bound, 49 days
constexpr std::size_t producer_bytes = 255;
constexpr std::size_t metadata_bytes = 4'000;      // of a committed offset; its whole row fits one page of the store
constexpr std::size_t transaction_items = 10'000;  // messages and settlements; in bytes it is bounded by its frame
// One publish is one commit into all of its targets, so its size times their number is bounded.
constexpr std::size_t fan_out_bytes = 8 * mib;

// Definitions
constexpr std::uint32_t partitions_per_topic = 1'000;
// Definitions of one kind. The partitions of all topics together count as a kind, and so do committed offsets.
constexpr std::size_t definitions_count = 10'000;
constexpr std::size_t arguments_bytes = 2'000;        // of a binding, exchange or queue, as their field table
constexpr std::uint32_t priority_max = 255;           // of a queue; each priority in use is a stream
constexpr std::uint32_t delivery_limit = 20;          // of a queue that sets none, as RabbitMQ 4's
constexpr std::size_t document_items = 10'000;        // of one Define; in bytes it is bounded by its frame
constexpr std::size_t definition_bytes = 4'000;       // of a definition's row, which fits one page
constexpr std::size_t retention_bytes_min = 1 * mib;  // a partition holds at least one batch of any size
constexpr std::chrono::hours retention_age_max{24 * 36'500};
constexpr std::size_t known_damage = 1'000;   // damaged ranges of topics that are recorded as losses, once each
constexpr std::size_t protected_groups = 16;  // of one topic; each is looked up when the topic drops something
constexpr std::chrono::hours durability_interval_max{1};
// Cached routes plus the targets in them. Memory: at most 65,536 x (8 bytes for a target, ~600 for a route).
constexpr std::size_t cached_route_targets = 65'536;

// Native protocol (docs/wire.md, "Limits")
constexpr std::size_t frame_bytes = 1 * mib;
constexpr std::size_t first_frame_bytes = 512;
constexpr std::chrono::seconds first_frame_time{5};
constexpr std::size_t device_id_bytes = 16;
constexpr std::size_t device_payload_bytes = 256;
constexpr std::size_t device_aliases = 255;
constexpr std::size_t device_frame_bytes = 16 * kib;   // at most 8,000 empty items
constexpr std::size_t device_window_bytes = 64 * kib;  // the bytes in flight on a slow link
constexpr std::chrono::hours device_sleep_max{7 * 24};
constexpr std::size_t error_text_bytes = 1 * kib;
constexpr std::size_t connections = 1'000;
constexpr std::size_t own_descriptors = 32;  // store, event loop and log use about 20, besides one per connection
constexpr std::chrono::seconds heartbeat{30};

// A connection's memory: bytes that were received and not handled, and the outbox. All connections receive into one
// buffer, and a connection keeps the start of an incomplete frame or, if paused, the rest of the last read. Above the
// outbox's mark, nothing more is taken from queues or topics for the connection.
constexpr std::size_t receive_bytes = 64 * kib;
constexpr std::size_t outbox_bytes_mark = 256 * kib;
constexpr std::size_t outbox_bytes_max = 4 * mib;  // answers to pipelined requests; above it the connection is closed
constexpr std::size_t batch_bytes = frame_bytes - 4 * kib;  // of a produced batch, so that it fits a frame
constexpr std::size_t fetch_bytes_max = batch_bytes;        // of the batches in an answer to a fetch: it fits a frame
// Bytes that a producer's compressed batch of a megabyte may decompress to when its records are read.
constexpr std::size_t opened_batch_bytes = 16 * mib;
constexpr std::size_t fetches_waiting = 256;  // long polls of one connection
// One page of a list, as JSON rows. listing_bytes_max is the broker's bound: rows and the place of the next page
// (< 1 KiB) fit one frame. listing_page_bytes is what our client asks for. A page has at least one row; the longest row
// is a topic of 1,000 partitions, < 256 KiB.
constexpr std::size_t listing_bytes_max = frame_bytes - 4 * kib;
constexpr std::size_t listing_page_bytes = 64 * kib;

// Answers that wait for a commit. receipts_gathering: receipts of all connections that wait for the next commit; as
// many again may wait for the commit that is with the writer. publishes_unsettled: unconfirmed publishes of one
// connection. A refusal takes ~200 bytes, so 2 x 8,192 of them fit an outbox.
constexpr std::size_t receipts_gathering = 8'192;
constexpr std::size_t publishes_unsettled = 16'384;

// Queues: unsettled deliveries of one consumer (also for prefetch 0), and of one queue together with its requeued
// messages. These are what a queue keeps in memory: at most 100,000 x ~64 bytes.
constexpr std::uint32_t prefetch_max = 65'535;
constexpr std::size_t unsettled_per_queue = 100'000;
constexpr std::size_t consumers_per_connection = 1'024;
// Replies that wait for one session, and for all: a session that reads its replies has none waiting.
constexpr std::size_t replies_bytes = 1 * mib;
constexpr std::size_t replies_bytes_all = 8 * mib;
constexpr std::size_t leases_per_connection = 1'024;
constexpr std::size_t lease_owner_bytes = 64;

// Commits. The bound of a group comes from the store's reserve; the bound of the linger from how long a publisher waits
// before it believes that the connection is dead.
constexpr std::size_t group_bytes_min = 16 * kib;
constexpr std::size_t group_bytes_max = 1 * mib;
constexpr std::chrono::milliseconds linger_max{10'000};
constexpr std::uint32_t commits_per_second_max = 1'000;  // the clock counts milliseconds

// Memory streams, all together, with their bookkeeping. The minimum is four times retention_bytes_min: a partition in
// memory gets a quarter of the bound unless its topic names a retention, and a quarter has to be enough for it.
constexpr std::uint64_t memory_bytes_max = 16 * mib;
constexpr std::uint64_t memory_bytes_min = 4 * retention_bytes_min;

// Rows of the loss ledger's table, ~100 bytes each. Rows that only the journal has are in memory too, ~250 bytes each;
// their number has the same bound.
constexpr std::size_t loss_rows = 10'000;

// Producers whose last sequence is remembered. A producer is forgotten after producer_idle of silence, and earlier only
// if there are more than producers_count: then the one that was silent for longest is forgotten.
constexpr std::size_t producers_count = 10'000;
constexpr std::chrono::hours producer_idle{7 * 24};

// The log. Lines wait in two buffers of at most log_bytes_waiting each: enough for the lines of 1,000 devices that
// connect at once. When the process ends, it waits up to log_flush_time for the reader of standard error. A line that
// repeats within log_fold_time is counted; log_lines_remembered lines are compared for that, at most 16 x 4 KiB.
constexpr std::size_t log_bytes_waiting = 128 * kib;
constexpr std::size_t log_line_bytes = 4 * kib;
constexpr std::chrono::milliseconds log_flush_time{1'000};
constexpr std::chrono::seconds log_fold_time{10};
constexpr std::size_t log_lines_remembered = 16;

// Size of a configuration file, and parts of a dotted key in it. The parser recurses once for each nested table: at
// most 256 nested values with that many parts each.
constexpr std::size_t configuration_bytes = 1 * mib;
constexpr std::size_t configuration_key_parts = 16;

}  // namespace tidegate::limits
