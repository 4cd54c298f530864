// An overview of a store as a start would find it, with the names from its definitions: for `tidegate store show` and
// `tidegate store check`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/store/offline/catalog.hpp"
#include "broker/store/offline/offline_store.hpp"
#include "broker/store/reader.hpp"

namespace tidegate::store::offline {

struct stream_overview {
  stream_id stream{};
  stream_kind kind = stream_kind::queue;
  bool in_memory = false;             // the file has only the stream's next offset
  std::optional<stream_owner> owner;  // none = no definition names it
  offset_t log_start = 0;
  offset_t end = 0;
  std::uint64_t live = 0;     // messages that are not acknowledged, or records at or above the log start
  std::uint64_t counted = 0;  // of the messages, those with a delivery count
  std::uint64_t bytes = 0;
  std::int64_t newest_timestamp_ms = 0;
};

struct cursor_overview {
  stream_id stream{};
  std::optional<stream_owner> owner;
  std::string group;
  offset_t offset = 0;
  std::uint64_t lag = 0;  // records that the group has not read yet
};

struct journal_overview {
  std::uint64_t blobs = 0;
  std::uint64_t bytes = 0;
  commit_number oldest = 0;  // 0 = none
  commit_number newest = 0;
};

struct loss_overview {
  loss_number number = 0;
  std::optional<stream_owner> owner;  // none = it was deleted, or the loss did not come from a stream
  loss_record record;
};

struct store_overview {
  std::vector<stream_overview> streams;
  std::vector<cursor_overview> cursors;
  std::size_t producers = 0;
  std::size_t exchanges = 0, queues = 0, topics = 0, bindings = 0;
  journal_overview journal;
  std::uint64_t loss_records = 0;     // in the table
  std::vector<loss_overview> losses;  // survey() only: all, including those in the journal
};

// Makes an overview from the result of read_books().
store_overview summarize(offline_store& store, const books& books, const contents& contents);

// Reads what a start reads, and changes nothing. Throws storage_failure if a start would fail.
store_overview survey(offline_store& store);

}  // namespace tidegate::store::offline
