// What a workload did and what it was promised, up to a moment: read line by line from its marks.
//
//   opened                                  the store is there; before, nothing was promised
//   define KIND/NAME   defined KIND/NAME    tried, settled; KIND: q queue, t topic, x exchange, b binding
//   remove KIND/NAME   removed KIND/NAME
//   limit TOPIC BYTES                       retention of each of its partitions
//   attempt NUMBER PUBLISHER SEQUENCE yes|no TARGET...   yes: as a producer, which may repeat it; TARGET: q/NAME,
//   t/NAME confirm NUMBER refuse NUMBER                           with a reason: it may not be there, and nothing was
//   promised deliver QUEUE OFFSET NUMBER requeue QUEUE NUMBER COUNT              handed over: COUNT deliveries so far
//   requeued QUEUE NUMBER COUNT             settled
//   ack QUEUE NUMBER   acked QUEUE NUMBER   handed over, settled
//   stored TOPIC PARTITION OFFSET NUMBER    read back after it was settled, offset by offset
//   range TOPIC PARTITION LOG_START END
//   commit GROUP TOPIC PARTITION OFFSET     a committed offset: tried, then settled
//   committed GROUP TOPIC PARTITION OFFSET
//
// A line is written before the thing is tried, and after it is settled, so a cut between two lines is a true story.
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
  bool settled = false;                      // it is there
  std::vector<bool> pending;                 // what was tried since
  std::uint32_t settled_life = 0, life = 0;  // of things that had this name one after the other
  bool may_be(bool there) const;
  bool is_certain() const { return pending.empty(); }
};

struct queue_message {
  std::uint32_t life = 0;  // of the queue, for which it was meant
  bool confirmed = false;
  bool ack_tried = false;
  std::optional<offset_t> offset;  // where it was delivered from
  std::uint32_t deliveries = 0;    // tried
  std::uint32_t requeues = 0;      // settled
};

struct queue_history {
  std::unordered_map<std::uint64_t, queue_message> alive;  // by number; until the acknowledgement is settled
  std::unordered_set<std::uint64_t> acknowledged;
};

struct partition_history {
  offset_t log_start = 0;
  offset_t end = 0;
  std::deque<std::uint64_t> numbers;  // from the log start on
};

struct topic_history {
  std::uint64_t retention_bytes = 0;
  std::map<std::uint32_t, partition_history> partitions;
  struct waiting {
    std::uint32_t life = 0;
    bool confirmed = false;
  };
  std::unordered_map<std::uint64_t, waiting> unplaced;  // tried, offset not known yet
};

struct committed_history {
  std::optional<offset_t> settled;
  std::vector<offset_t> pending;
};

struct producer_history {
  std::uint64_t confirmed = 0;
  std::uint64_t tried = 0;
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
  // One line. Throws std::invalid_argument on one that is none of the above.
  void apply(std::string_view line);

  bool is_opened() const { return opened_; }
  std::uint64_t confirmed() const { return confirmed_; }
  const attempt* find(std::uint64_t number) const;
  const std::set<std::uint64_t>& unconfirmed() const { return unconfirmed_; }
  const std::map<std::string, definition_history, std::less<>>& definitions() const { return definitions_; }
  const definition_history* definition(std::string_view name) const;
  const std::map<std::string, queue_history, std::less<>>& queues() const { return queues_; }
  const std::map<std::string, topic_history, std::less<>>& topics() const { return topics_; }
  // By "GROUP TOPIC PARTITION".
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
