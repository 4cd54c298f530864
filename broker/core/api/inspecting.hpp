// Inspecting: returns the state of the broker as plain values, for listings, for status, and for checks before a change
// is requested.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/core/api/consuming.hpp"
#include "broker/core/api/status.hpp"
#include "broker/core/catalog/catalog.hpp"
#include "broker/core/transfer/intake.hpp"

namespace tidegate::core::api {

// Rows of listings. Each listing has an order of its own and is read in pages: a page holds the rows after a given
// place in that order, at most `rows_max`. So an object that exists from the first page to the last is listed exactly
// once, whatever is created and deleted meanwhile.
constexpr std::size_t all_rows = std::numeric_limits<std::size_t>::max();
// `ready_bytes`: size of the ready messages' bodies. `bytes`: size of the queue's records in the store.
struct queue_row {
  const queue_definition* definition;  // valid until the next request
  std::uint64_t ready, ready_bytes, unsettled, consumers, bytes, discarded;
  store::drop_totals drops;
  bool is_exclusive;
};
struct partition_row {
  offset_t log_start, high_watermark;
  std::uint64_t bytes;
  store::drop_totals drops;
};
struct topic_row {
  const topic_definition* definition;  // valid until the next request
  std::vector<partition_row> partitions;
};
// A place in the listing of groups.
struct group_place {
  std::string topic;
  std::uint32_t partition = 0;
  std::string group;
};
struct group_row {
  std::string group, topic;
  std::uint32_t partition;
  offset_t offset;
  std::uint64_t lag;  // records from the offset, or from log_start if that is higher, to the high watermark
};
struct loss_row {
  store::loss_number number;
  std::string kind;  // "queue", "topic", "device", or "store" for a file that was set aside
  std::string name;  // kind and name are empty if the queue or topic has been deleted since
  std::uint32_t partition = 0;
  store::loss_record record;
};
class inspecting {
 public:
  inspecting(const store::store& store, const clock& clock, const catalog::catalog& catalog, commits::pipeline& commits,
             const groups::offsets& offsets, const transfer::intake& intake, const api::consuming& consuming);

  // Lists queues and topics, by name.
  std::vector<queue_row> list_queues(std::string_view after = {}, std::size_t rows_max = all_rows) const;
  std::vector<topic_row> list_topics(std::string_view after = {}, std::size_t rows_max = all_rows) const;
  // Lists committed offsets, by topic, partition and group name.
  std::vector<group_row> list_groups(const group_place& after = {}, std::size_t rows_max = all_rows) const;
  // Lists the loss ledger, by number. Error: a row is damaged.
  result<std::vector<loss_row>> list_losses(store::loss_number after = 0, std::size_t rows_max = all_rows) const;
  const routing::exchanges& routes() const { return catalog_.routes(); }

  // Returns null if there is none.
  const queues::queue* find_queue(std::string_view name) const { return catalog_.queues().find(name); }
  // Hands the first message of the queue after `place` that is ready to `take`, and sets `place` to its own. Nothing
  // changes. Returns whether there was one. Error: the store cannot be read.
  result<bool> peek(const queues::queue& queue, queues::message_place& place,
                    const std::function<void(delivery_view&)>& take) const;
  // Returns whether a declaration of this name finds replies instead of a queue (replies.hpp).
  bool is_for_replies(std::string_view name) const { return consuming_.replies().knows(name); }
  const topics::topic* find_topic(std::string_view name) const { return catalog_.topics().find(name); }
  // Returns the names in the topic's `protect` for which no group has committed an offset. Until one does, all records
  // of the topic count as unread.
  std::vector<std::string> unmatched_protect(const topics::topic& topic) const {
    return catalog_.protection().unmatched(topic);
  }

  // Also reads the flash meter, at most once a second.
  api::status status() const;
  // Returns whether publishes and new definitions are refused because the store is full.
  bool is_full() const { return store_.is_full(); }
  std::string_view incarnation() const { return store_.start().incarnation; }
  // Returns Unix time as used for timestamps: an estimate if the wall clock is not trusted.
  milliseconds wall() const { return commits_.timeline().wall(); }
  // Returns monotonic time.
  milliseconds now() const { return clock_.monotonic(); }

 private:
  store_status store_now() const;
  message_status messages_now() const;
  commit_status commits_now() const;
  flash_status flash_now() const;
  loss_row owned(store::loss_number number, const store::loss_record& record) const;

  const store::store& store_;
  const clock& clock_;
  const catalog::catalog& catalog_;
  commits::pipeline& commits_;
  const groups::offsets& offsets_;
  const transfer::intake& intake_;
  const api::consuming& consuming_;
};

}  // namespace tidegate::core::api
