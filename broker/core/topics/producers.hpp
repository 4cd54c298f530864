// The last sequence of each producer, to detect messages that are sent again. One number is enough for a producer: a
// publish is one commit into all of its targets, so it is in all of them or in none.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "broker/base/clock.hpp"
#include "broker/base/error.hpp"
#include "broker/store/commit_group.hpp"
#include "broker/store/format.hpp"

namespace tidegate::core::topics {

struct producer_ref {
  std::string_view id;
  std::uint32_t epoch = 0;
  // Applications count epochs up: a lower one is an older instance and is fenced. Devices choose random epochs when
  // their store is formatted, so any other epoch is a new start.
  bool epochs_rise = true;
};

using producer_changes = std::unordered_map<std::string, std::optional<store::producer_state>>;

enum class sequence_check { fresh, duplicate };

class producers {
 public:
  producers(const std::unordered_map<std::string, store::producer_state>& found, const clock& clock);

  // Error: FENCED if the epoch is older than the known one. An unknown producer may start at any sequence.
  result<sequence_check> check(const producer_ref& producer, std::uint64_t sequence) const;
  // Puts the sequence into the group of the message. Forgets the longest silent producer if there are too many. If the
  // message is not written, the sequence is not either: a restart forgets both.
  void advance(const producer_ref& producer, std::uint64_t sequence, store::commit_group& group,
               bool is_written = true);
  // Whether a publish of the producer waits for a commit.
  bool is_on_its_way(const producer_ref& producer) const;
  // Call when a group's sequences are on flash.
  void made_durable(const producer_changes& changes);
  // Returns to the durable sequences: the others are void.
  void restore_durable();
  // Returns the last sequence in this epoch whose message is on flash, or in memory only; 0 = none.
  std::uint64_t durable_sequence(const producer_ref& producer) const;
  // Forgets producers that were silent for limits::producer_idle of this process's time: the wall clock may jump by
  // years.
  void expire(store::commit_group& group);
  std::size_t size() const { return entries_.size(); }

 private:
  struct entry {
    store::producer_state current;  // including publishes that wait for a commit
    std::optional<store::producer_state> durable;
    milliseconds heard{0};  // last publish, monotonic clock
  };
  const clock& clock_;
  std::unordered_map<std::string, entry> entries_;
};

}  // namespace tidegate::core::topics
