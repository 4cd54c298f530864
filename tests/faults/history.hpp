// The history of a workload up to a moment: what the workload tried and what it was promised. Built from the marks that
// marking_broker writes, one per line:
//
//   opened                                  the store is open; nothing was promised before
//   define KIND/NAME   defined KIND/NAME    tried, settled; KIND: q queue, t topic, x exchange, b binding
//   remove KIND/NAME   removed KIND/NAME    tried, settled
//   limit TOPIC BYTES                       retention of each partition of the topic
//   attempt NUMBER PUBLISHER SEQUENCE yes|no TARGET...
//                                           yes: as a producer, which may repeat the message; TARGET: q/NAME, t/NAME
//   confirm NUMBER
//   refuse NUMBER                           refused with a reason: nothing was promised, the message may be missing
//   deliver QUEUE OFFSET NUMBER
//   requeue QUEUE NUMBER COUNT              requested, after COUNT deliveries
//   requeued QUEUE NUMBER COUNT             settled
//   ack QUEUE NUMBER   acked QUEUE NUMBER   requested, settled
//   stored TOPIC PARTITION OFFSET NUMBER    read back after it was settled, offset by offset
//   range TOPIC PARTITION LOG_START END
//   commit GROUP TOPIC PARTITION OFFSET     a committed offset: tried
//   committed GROUP TOPIC PARTITION OFFSET  settled
//
// One line is written before an action is tried and another after it is settled, so the lines before any cut are true.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "broker/model/ids.hpp"

namespace tidegate::faults {

struct definition_history {
  bool settled = false;       // true = the thing is there
  std::vector<bool> pending;  // tried since and not settled: true = define, false = remove
  // Count the definitions of this name one after the other: the settled ones, and those tried.
  std::uint32_t settled_life = 0, life = 0;
  // Returns whether the thing may be there (`there`) or missing (not `there`).
  bool may_be(bool there) const;
  bool is_certain() const { return pending.empty(); }
};

struct queue_message {
  std::uint32_t life = 0;  // life of the queue that the message was published to
  bool confirmed = false;
  bool ack_tried = false;
  std::optional<offset_t> offset;  // the offset it was delivered with, if it was delivered
  std::uint32_t deliveries = 0;    // tried
  std::uint32_t requeues = 0;      // deliveries counted by the last settled requeue
};

struct queue_history {
  std::unordered_map<std::uint64_t, queue_message> alive;  // by number, until the acknowledgement is settled
  std::unordered_set<std::uint64_t> acknowledged;
};

struct partition_history {
  offset_t log_start = 0;
  offset_t end = 0;
  std::deque<std::uint64_t> numbers;  // message numbers by offset, from log_start on
};

struct topic_history {
  std::uint64_t retention_bytes = 0;
  std::map<std::uint32_t, partition_history> partitions;
  struct waiting {
    std::uint32_t life = 0;
    bool confirmed = false;
  };
  std::unordered_map<std::uint64_t, waiting> unplaced;  // by number: tried, and the offset is not known yet
};

struct committed_history {
  std::optional<offset_t> settled;
  std::vector<offset_t> pending;  // tried since and not settled
};

struct producer_history {
  std::uint64_t confirmed = 0;  // highest sequence confirmed
  std::uint64_t tried = 0;      // latest sequence tried
};

struct attempt {
  std::uint32_t publisher = 0;
  std::uint64_t sequence = 0;
  bool as_producer = false;
  bool confirmed = false;
  std::vector<std::string> targets;
};

class history {
 public:
  // Applies one line. Throws std::invalid_argument if the line is none of the above, std::out_of_range if it names
  // something that was never tried.
  void apply(std::string_view line);

  bool is_opened() const { return opened_; }
  std::uint64_t confirmed() const { return confirmed_; }
  // Returns the attempt of this number; nullptr = none.
  const attempt* find(std::uint64_t number) const;
  // Numbers of the attempts that were neither confirmed nor refused.
  const std::set<std::uint64_t>& unconfirmed() const { return unconfirmed_; }
  const std::map<std::string, definition_history, std::less<>>& definitions() const { return definitions_; }
  const definition_history* definition(std::string_view name) const;
  const std::map<std::string, queue_history, std::less<>>& queues() const { return queues_; }
  const std::map<std::string, topic_history, std::less<>>& topics() const { return topics_; }
  // Committed offsets by "GROUP TOPIC PARTITION".
  const std::map<std::string, committed_history, std::less<>>& committed() const { return committed_; }
  const std::map<std::uint32_t, producer_history>& producers() const { return producers_; }

 private:
  using words = std::vector<std::string_view>;
  bool apply_definition(const words& line);
  bool apply_publish(const words& line);
  bool apply_delivery(const words& line);
  bool apply_log(const words& line);
  void define(std::string_view name);
  void settle_definition(std::string_view name, bool there);
  void forget(std::string_view name);
  void add_attempt(const words& line);
  void confirm(std::uint64_t number);
  queue_message* find_alive(std::string_view queue, std::string_view number);
  void place(const words& line);
  void set_range(const words& line);

  bool opened_ = false;
  std::uint64_t confirmed_ = 0;
  std::vector<attempt> attempts_;
  std::set<std::uint64_t> unconfirmed_;
  std::map<std::string, definition_history, std::less<>> definitions_;
  std::map<std::string, queue_history, std::less<>> queues_;
  std::map<std::string, topic_history, std::less<>> topics_;
  std::map<std::string, committed_history, std::less<>> committed_;
  std::map<std::uint32_t, producer_history> producers_;
};

}  // namespace tidegate::faults
