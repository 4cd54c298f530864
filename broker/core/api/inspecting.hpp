// What exists, as values: for listings, for status, and to look before asking for a change.
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

// Listings. Each has an order of its own and is given in pages: the rows after a place in that order, at most so many.
// So what exists from the first page to the last is listed once, whatever is added or removed meanwhile.
constexpr std::size_t all_rows = std::numeric_limits<std::size_t>::max();
struct queue_row {
  const queue_definition* definition;
  std::uint64_t ready, ready_bytes, unsettled, consumers, bytes, discarded;
  store::drop_totals drops;
};
struct partition_row {
  offset_t log_start, high_watermark;
  std::uint64_t bytes;
  store::drop_totals drops;
};
struct topic_row {
  const topic_definition* definition;
  std::vector<partition_row> partitions;
};
struct group_place {
  std::string topic;
  std::uint32_t partition = 0;
  std::string group;
};
struct group_row {
  std::string group, topic;
  std::uint32_t partition;
  offset_t offset;
  std::uint64_t lag;
};
struct loss_row {
  store::loss_number number;
  std::string kind;  // queue, topic, device, or store (a file that was set aside)
  std::string name;  // empty = it was deleted
  std::uint32_t partition = 0;
  store::loss_record record;
};
class inspecting {
 public:
  inspecting(const store::store& store, const clock& clock, const catalog::catalog& catalog, commits::pipeline& commits,
             const groups::offsets& offsets, const transfer::intake& intake, const api::consuming& consuming);

  // In the order of names.
  std::vector<queue_row> list_queues(std::string_view after = {}, std::size_t rows_max = all_rows) const;
  std::vector<topic_row> list_topics(std::string_view after = {}, std::size_t rows_max = all_rows) const;
  // In the order of topic, partition and group.
  std::vector<group_row> list_groups(const group_place& after = {}, std::size_t rows_max = all_rows) const;
  // Returns rows of the loss ledger, in the order of numbers. Error: a row is damaged.
  result<std::vector<loss_row>> list_losses(store::loss_number after = 0, std::size_t rows_max = all_rows) const;
  const routing::exchanges& routes() const { return catalog_.routes(); }

  // Returns null if there is none.
  const queues::queue* find_queue(std::string_view name) const { return catalog_.queues().find(name); }
  const topics::topic* find_topic(std::string_view name) const { return catalog_.topics().find(name); }
  // Returns the names that the topic protects and no group has. Until a group commits an offset, such a name protects
  // every record.
  std::vector<std::string> unmatched_protect(const topics::topic& topic) const {
    return catalog_.protection().unmatched(topic);
  }

  // Also reads the flash meter.
  api::status status() const;
  // The store refuses publishes.
  bool is_full() const { return store_.is_full(); }
  std::string_view incarnation() const { return store_.start().incarnation; }
  // The wall clock that timestamps are made with, and this process's clock.
  milliseconds wall() const { return commits_.timeline().wall(); }
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
