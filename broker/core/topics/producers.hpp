// Producers: the last sequence of each producer, by which a resent message is recognised. One number for each producer
// is enough, because a publish is one commit into all of its targets: the message is in every target or in none.
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
  // True for applications, which count epochs: a lower epoch belongs to an older instance and is fenced. False for
  // devices, which draw an epoch at random when their store is formatted: any other epoch is a new start.
  bool epochs_rise = true;
};

// By producer id; none = the producer is forgotten.
using producer_changes = std::unordered_map<std::string, std::optional<store::producer_state>>;

enum class sequence_check { fresh, duplicate };

class producers {
 public:
  producers(const std::unordered_map<std::string, store::producer_state>& found, const clock& clock);

  // Returns whether the sequence is new or was seen before. Error: fenced if the epoch is older than the known one. An
  // unknown producer may start at any sequence.
  result<sequence_check> check(const producer_ref& producer, std::uint64_t sequence) const;
  // Notes the sequence and adds it to the group of the message. Forgets the producer that was silent longest if there
  // are too many. `is_written` is false for a message that is applied to memory alone: its sequence is not written
  // either, and a restart forgets both.
  void advance(const producer_ref& producer, std::uint64_t sequence, store::commit_group& group,
               bool is_written = true);
  // Returns whether a message of the producer waits for a commit.
  bool is_on_its_way(const producer_ref& producer) const;
  // Notes that a group's sequences are on flash.
  void made_durable(const producer_changes& changes);
  // Puts every producer back to its durable sequence, because everything after it is void.
  void restore_durable();
  // Returns the last sequence in this epoch whose message is on flash, or in memory to stay there; 0 = none.
  std::uint64_t durable_sequence(const producer_ref& producer) const;
  // Forgets producers that were silent for limits::producer_idle. That time is counted by this process's clock, because
  // the wall clock may jump by years.
  void expire(store::commit_group& group);
  std::size_t size() const { return entries_.size(); }

 private:
  struct entry {
    store::producer_state current;                 // includes messages on their way
    std::optional<store::producer_state> durable;  // none = nothing of the producer is durable yet
    milliseconds heard{0};                         // monotonic time of its last publish, or of the start
  };
  const clock& clock_;
  std::unordered_map<std::string, entry> entries_;
};

}  // namespace tidegate::core::topics
