#include "tests/faults/invariants.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <unordered_set>

namespace tidegate::faults {
namespace {

// A log whose start moved in the last instant must still hold 1/retained_part of its retention bytes: retention drops
// at most one chunk or batch too many, and a share as long as the coming commit.
constexpr std::uint64_t retained_part = 4;

class checking {
 public:
  checking(const history& told, const holdings& found) : told_(told), found_(found) {}

  std::vector<violation> run() {
    for (const std::string& text : found_.unreadable) add(promise::readable, text);
    check_definitions();
    for (const auto& [name, queue] : found_.queues) check_queue(name, queue);
    for (const auto& [name, partitions] : found_.topics) check_topic(name, partitions);
    check_committed();
    check_producers();
    check_whole_publishes();
    return std::move(violations_);
  }

 private:
  template <class... Args>
  void add(promise broken, fmt::format_string<Args...> text, Args&&... args) {
    violations_.push_back({broken, fmt::format(text, std::forward<Args>(args)...)});
  }
  void add(promise broken, const std::string& text) { violations_.push_back({broken, text}); }

  void check_definitions() {
    for (const auto& [name, definition] : told_.definitions()) {
      const bool there = found_.definitions.contains(name);
      if (definition.may_be(there)) continue;
      add(promise::definitions, "{} is {}", name, there ? "there again" : "gone");
    }
    for (const std::string& name : found_.definitions) {
      if (told_.definition(name) == nullptr) add(promise::definitions, "{} was never declared", name);
    }
  }

  // Returns whether no declaration or removal of the thing was on its way at the cut. Only then is its state certain.
  bool is_certain(const std::string& name) const {
    const definition_history* const definition = told_.definition(name);
    return definition != nullptr && definition->is_certain();
  }

  // Returns false if the message's own account of its number and publisher cannot be trusted.
  bool check_body(const std::string& where, const held_message& message) {
    if (message.state == body_state::wrong_body) {
      add(promise::whole_body, "{} offset {}", where, message.offset);
      return false;
    }
    if (message.state == body_state::wrong_metadata) {
      add(promise::right_metadata, "{} offset {}: message {}", where, message.offset, message.who.number);
    }
    const attempt* const tried = told_.find(message.who.number);
    if (tried != nullptr && tried->publisher == message.who.publisher && tried->sequence == message.who.sequence) {
      return true;
    }
    add(promise::attempted, "{} offset {}: message {}", where, message.offset, message.who.number);
    return false;
  }

  struct run_of_messages {
    std::unordered_set<std::uint64_t> numbers;
    std::map<std::uint32_t, std::uint64_t> last;  // by publisher: its sequence
  };

  bool check_once_in_order(const std::string& where, const held_message& message, run_of_messages& run) {
    if (!run.numbers.insert(message.who.number).second) {
      add(promise::once, "{} offset {}: message {} again", where, message.offset, message.who.number);
      return false;
    }
    std::uint64_t& last = run.last[message.who.publisher];
    if (message.who.sequence <= last) {
      add(promise::order, "{}: message {} of publisher {} after sequence {}", where, message.who.number,
          message.who.publisher, last);
    }
    last = std::max(last, message.who.sequence);
    return true;
  }

  void check_queue(const std::string& name, const held_queue& queue) {
    const std::string where = "queue " + name;
    const auto told = told_.queues().find(name);
    if (told == told_.queues().end()) return;  // reported by check_definitions
    const bool certain = is_certain("q/" + name);
    run_of_messages run;
    for (const held_message& message : queue.messages) {
      if (!check_body(where, message) || !check_once_in_order(where, message, run)) continue;
      check_held(where, told->second, message, certain);
    }
    if (queue.ready != queue.messages.size() && found_.unreadable.empty()) {
      add(promise::counters, "{} counts {} and delivers {}", where, queue.ready, queue.messages.size());
    }
    if (certain) check_kept(where, told->second, run);
    seen_["q/" + name] = std::move(run.numbers);
  }

  void check_held(const std::string& where, const queue_history& told, const held_message& message, bool certain) {
    const std::uint64_t number = message.who.number;
    if (told.acknowledged.contains(number)) {
      if (certain) add(promise::settled, "{}: message {} was acknowledged", where, number);
      return;
    }
    const auto known = told.alive.find(number);
    if (known == told.alive.end()) return add(promise::attempted, "{}: message {} was not for it", where, number);
    const queue_message& promised = known->second;
    if (promised.offset && certain && *promised.offset != message.offset) {
      add(promise::offsets, "{}: message {} was at offset {}, is at {}", where, number, *promised.offset,
          message.offset);
    }
    const bool must_say = found_.stopped_cleanly ? promised.requeues > 0 : promised.deliveries > 0;
    if (certain && must_say && !message.redelivered) {
      add(promise::redelivered, "{}: message {} was delivered {} times", where, number, promised.deliveries);
    }
    if (certain && (message.deliveries < promised.requeues || message.deliveries > promised.deliveries)) {
      add(promise::redelivered, "{}: message {} came back {} times, was delivered {} times, and counts {}", where,
          number, promised.requeues, promised.deliveries, message.deliveries);
    }
  }

  void check_kept(const std::string& where, const queue_history& told, const run_of_messages& run) {
    for (const auto& [number, message] : told.alive) {
      if (!message.confirmed || message.ack_tried || run.numbers.contains(number)) continue;
      add(promise::kept, "{}: message {} was confirmed and is gone", where, number);
    }
  }

  void check_topic(const std::string& name, const std::vector<held_partition>& partitions) {
    const auto told = told_.topics().find(name);
    if (told == told_.topics().end()) return;
    const bool certain = is_certain("t/" + name);
    run_of_messages all;
    std::uint32_t number = 0;
    for (const held_partition& partition : partitions) {
      const std::string where = fmt::format("topic {}/{}", name, number);
      all.last.clear();
      for (const held_message& record : partition.records) {
        if (check_body(where, record)) check_once_in_order(where, record, all);
      }
      check_dense(where, partition);
      if (certain) check_against(where, told->second, number, partition);
      ++number;
    }
    if (certain) check_unplaced(name, told->second, all.numbers);
    if (certain) check_partitions(name, told->second, partitions.size());
    seen_["t/" + name] = std::move(all.numbers);
  }

  void check_partitions(const std::string& name, const topic_history& told, std::size_t found) {
    if (told.partitions.empty() || told.partitions.rbegin()->first < found) return;
    add(promise::kept, "topic {} has {} partitions, had {}", name, found, told.partitions.rbegin()->first + 1);
  }

  void check_dense(const std::string& where, const held_partition& partition) {
    offset_t expected = partition.log_start;
    for (const held_message& record : partition.records) {
      if (record.offset != expected) return add(promise::dense, "{}: {} follows {}", where, record.offset, expected);
      ++expected;
    }
    if (expected != partition.end && found_.unreadable.empty()) {
      add(promise::counters, "{} counts up to {} and holds up to {}", where, partition.end, expected);
    }
  }

  void check_against(const std::string& where, const topic_history& told, std::uint32_t number,
                     const held_partition& partition) {
    const auto known = told.partitions.find(number);
    const partition_history promised = known == told.partitions.end() ? partition_history{} : known->second;
    if (partition.end < promised.end) {
      add(promise::end, "{} ends at {}, was confirmed up to {}", where, partition.end, promised.end);
    }
    if (partition.log_start < promised.log_start) {
      add(promise::log_start, "{} went back from {} to {}", where, promised.log_start, partition.log_start);
    }
    if (partition.log_start > promised.log_start && partition.bytes < told.retention_bytes / retained_part) {
      add(promise::log_start, "{} went from {} to {} and holds {} bytes", where, promised.log_start,
          partition.log_start, partition.bytes);
    }
    for (const held_message& record : partition.records) check_place(where, told, promised, record);
  }

  void check_place(const std::string& where, const topic_history& told, const partition_history& promised,
                   const held_message& record) {
    if (record.state == body_state::wrong_body || record.offset < promised.log_start) return;
    const std::uint64_t number = record.who.number;
    const offset_t place = record.offset - promised.log_start;
    if (place < promised.numbers.size()) {
      if (promised.numbers[place] == number) return;
      return add(promise::offsets, "{} offset {} is message {}, was {}", where, record.offset, number,
                 promised.numbers[place]);
    }
    if (!told.unplaced.contains(number)) {
      add(promise::attempted, "{} offset {}: message {} was stored before, or not for it", where, record.offset,
          number);
    }
  }

  // A confirmed message without a known offset was confirmed in the last instant. It is therefore at the log's end,
  // which retention does not reach.
  void check_unplaced(const std::string& name, const topic_history& told,
                      const std::unordered_set<std::uint64_t>& numbers) {
    for (const auto& [number, waiting] : told.unplaced) {
      if (waiting.confirmed && !numbers.contains(number)) {
        add(promise::kept, "topic {}: message {} was confirmed and is gone", name, number);
      }
    }
  }

  void check_committed() {
    for (const auto& [name, told] : told_.committed()) {
      const auto topic = name.substr(name.find(' ') + 1);
      if (!is_certain("t/" + topic.substr(0, topic.find(' ')))) continue;
      const auto found = found_.committed.find(name);
      if (found == found_.committed.end()) {
        if (told.settled) add(promise::committed, "{} is gone, was {}", name, *told.settled);
        continue;
      }
      const bool is_known =
          found->second == told.settled || std::ranges::find(told.pending, found->second) != told.pending.end();
      if (!is_known) add(promise::committed, "{} is {}, was {}", name, found->second, told.settled.value_or(0));
    }
    for (const auto& [name, offset] : found_.committed) {
      if (!told_.committed().contains(name)) add(promise::committed, "{} was never committed, is {}", name, offset);
    }
  }

  void check_producers() {
    for (const auto& [publisher, told] : told_.producers()) {
      const auto found = found_.producers.find(publisher);
      const std::uint64_t sequence = found == found_.producers.end() ? 0 : found->second;
      if (sequence >= told.confirmed && sequence <= told.tried) continue;
      add(promise::producers, "publisher {} is at {}, confirmed were {} of {}", publisher, sequence, told.confirmed,
          told.tried);
    }
  }

  void check_whole_publishes() {
    for (const std::uint64_t number : told_.unconfirmed()) {
      const attempt& tried = *told_.find(number);
      std::size_t there = 0, certain = 0;
      for (const std::string& target : tried.targets) {
        if (!is_certain(target)) continue;
        ++certain;
        const auto seen = seen_.find(target);
        if (seen != seen_.end() && seen->second.contains(number)) ++there;
      }
      if (there != 0 && there != certain) {
        add(promise::whole_publish, "message {} is in {} of {} targets", number, there, certain);
      }
      check_sequence_of(number, tried, there > 0, certain > 0);
    }
  }

  // A producer's sequence is stored in the same commit as the message that it counts.
  void check_sequence_of(std::uint64_t number, const attempt& tried, bool is_there, bool is_certain) {
    if (!tried.as_producer || !is_certain || !found_.unreadable.empty()) return;
    const auto found = found_.producers.find(tried.publisher);
    const bool is_counted = found != found_.producers.end() && found->second >= tried.sequence;
    if (is_counted == is_there) return;
    add(promise::producers, "publisher {}: sequence {} is {}counted, and message {} is {}there", tried.publisher,
        tried.sequence, is_counted ? "" : "not ", number, is_there ? "" : "not ");
  }

  const history& told_;
  const holdings& found_;
  std::map<std::string, std::unordered_set<std::uint64_t>> seen_;  // by target
  std::vector<violation> violations_;
};

}  // namespace

std::string_view name(promise promise) {
  constexpr std::array names{"readable",    "kept",           "attempted",    "once",        "order",
                             "whole_body",  "right_metadata", "settled",      "redelivered", "dense",
                             "offsets",     "log_start",      "end",          "committed",   "producers",
                             "definitions", "counters",       "whole_publish"};
  return names.at(static_cast<std::size_t>(promise));
}

std::vector<violation> check(const history& told, const holdings& found) { return checking(told, found).run(); }

}  // namespace tidegate::faults
