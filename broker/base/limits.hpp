// Every bound in one place, with the sum that gives it. Bounds that operators set have their defaults here and their
// place in the configuration file; the others are fixed.
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
constexpr std::size_t body_bytes = 1 * mib - 64 * kib;  // a message with all of its headers fits one frame
constexpr std::size_t producer_bytes = 255;
constexpr std::size_t metadata_bytes = 4'000;  // with all that stands beside it on one page of the store
// One publish is one commit into all of its targets, so its size times their number is bounded.
constexpr std::size_t fan_out_bytes = 8 * mib;

// Definitions
constexpr std::uint32_t partitions_per_topic = 1'000;
constexpr std::size_t definitions_count = 10'000;     // of one kind; partitions of all topics together are one, too
constexpr std::size_t definition_bytes = 4'000;       // as the store keeps it, on one page
constexpr std::size_t retention_bytes_min = 1 * mib;  // a partition holds at least one batch of any size
constexpr std::chrono::hours retention_age_max{24 * 36'500};
constexpr std::size_t known_damage = 1'000;   // places in topics that are told as damaged, once each
constexpr std::size_t protected_groups = 16;  // of one topic; each is looked up when it drops something
constexpr std::chrono::hours durability_interval_max{1};
// Targets in cached routes, and the routes: at most 65,536 x (8 bytes a target, ~600 a route).
constexpr std::size_t cached_route_targets = 65'536;

// Native protocol (docs/wire.md, "Limits")
constexpr std::size_t frame_bytes = 1 * mib;
constexpr std::size_t first_frame_bytes = 512;
constexpr std::chrono::seconds first_frame_time{5};
constexpr std::size_t device_id_bytes = 16;
constexpr std::size_t device_payload_bytes = 256;
constexpr std::size_t device_aliases = 255;
constexpr std::size_t device_frame_bytes = 16 * kib;   // at most 8,000 empty items
constexpr std::size_t device_window_bytes = 64 * kib;  // what a slow link keeps in its pipe
constexpr std::chrono::hours device_sleep_max{7 * 24};
constexpr std::size_t error_text_bytes = 1 * kib;
constexpr std::size_t connections = 1'000;
constexpr std::size_t own_descriptors = 32;  // the store's, the loop's, the log's: about 20, beside one a connection
constexpr std::chrono::seconds heartbeat{30};

// A connection's memory: what was received and not taken + outbox. Connections receive in one place, so much at a time,
// and keep the begin of a frame until the rest of it is there, or, paused, what came with the last receive. Above the
// outbox's mark nothing more is taken from queues or topics for this connection.
constexpr std::size_t receive_bytes = 64 * kib;
constexpr std::size_t outbox_bytes_mark = 256 * kib;
constexpr std::size_t outbox_bytes_max = 4 * mib;  // answers to pipelined requests; above it the connection is closed
constexpr std::size_t batch_bytes = frame_bytes - 4 * kib;  // produced; and what one fetch gives: either fits a frame
constexpr std::size_t fetch_bytes_max = batch_bytes;
// A producer's compressed batch, opened to look into it: what a batch of a megabyte may turn into.
constexpr std::size_t opened_batch_bytes = 16 * mib;
constexpr std::size_t fetches_waiting = 256;  // long polls of one connection
// Rows of one page of a list, as JSON: what the broker gives with the place of the next page (< 1 KiB) in one frame,
// and what our client asks for. One row always goes; the longest is a topic of 1,000 partitions, < 256 KiB.
constexpr std::size_t listing_bytes_max = frame_bytes - 4 * kib;
constexpr std::size_t listing_page_bytes = 64 * kib;

// Answers that wait for a commit: of all connections for the next one (as many are with the writer), and publishes of
// one connection that are not confirmed. A refusal takes ~200 bytes, so 2 x 8,192 of them fit an outbox.
constexpr std::size_t receipts_gathering = 8'192;
constexpr std::size_t publishes_unsettled = 16'384;

// Queues: deliveries that wait for settlement, of one consumer (also for prefetch 0) and of one queue with what was
// requeued. They are what a queue keeps in memory: at most 100,000 x ~64 bytes.
constexpr std::uint32_t prefetch_max = 65'535;
constexpr std::size_t unsettled_per_queue = 100'000;
constexpr std::size_t consumers_per_connection = 1'024;
constexpr std::size_t leases_per_connection = 1'024;
constexpr std::size_t lease_owner_bytes = 64;

// Commits. A group is bounded by what the store's reserve is made for; a linger by what a publisher may be expected to
// wait without believing that the connection is dead.
constexpr std::size_t group_bytes_min = 16 * kib;
constexpr std::size_t group_bytes_max = 1 * mib;
constexpr std::chrono::milliseconds linger_max{10'000};
constexpr std::uint32_t commits_per_second_max = 1'000;  // the clock counts milliseconds

// Streams in memory, together, with what keeps their records. At the least four times what a partition holds at the
// least, so that a topic's part, which is a quarter, is enough for one.
constexpr std::uint64_t memory_bytes_max = 16 * mib;
constexpr std::uint64_t memory_bytes_min = 4 * retention_bytes_min;

// Rows of the loss ledger's table, ~100 bytes each. Those that the journal alone holds are in memory, too, ~250 bytes
// each, and no more of them.
constexpr std::size_t loss_rows = 10'000;

// Producers whose last sequence is remembered; the longest silent one is forgotten first, after 7 days at the least
// unless the number is reached.
constexpr std::size_t producers_count = 10'000;
constexpr std::chrono::hours producer_idle{7 * 24};

// The log. Its lines wait in two buffers of log_bytes_waiting at most: as much as 1,000 devices say when they connect
// at once. The end of the process waits log_flush_time for whoever reads standard error. Lines that come again within
// log_fold_time are counted; of so many at a time, at most 16 x 4 KiB.
constexpr std::size_t log_bytes_waiting = 128 * kib;
constexpr std::size_t log_line_bytes = 4 * kib;
constexpr std::chrono::milliseconds log_flush_time{1'000};
constexpr std::chrono::seconds log_fold_time{10};
constexpr std::size_t log_lines_remembered = 16;

// A configuration file, and the parts of a dotted key in it. The parser's recursion is as deep as tables are nested: at
// most 256 values of so many parts each.
constexpr std::size_t configuration_bytes = 1 * mib;
constexpr std::size_t configuration_key_parts = 16;

}  // namespace tidegate::limits
