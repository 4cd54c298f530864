// Who published what last: how a resent message is known. One number a producer is enough, because a publish is one
// commit into all of its targets: it is in every one of them or in none.
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
  // Applications count epochs: a lower one is an older self and is fenced. Devices draw them by chance when their
  // store is formatted, so any other one is a new beginning.
  bool epochs_rise = true;
};

using producer_changes = std::unordered_map<std::string, std::optional<store::producer_state>>;

enum class sequence_check { fresh, duplicate };

class producers {
 public:
  producers(const std::unordered_map<std::string, store::producer_state>& found, const clock& clock);

  // Fenced if the epoch is older than what is known. An unknown producer may start at any sequence.
  result<sequence_check> check(const producer_ref& producer, std::uint64_t sequence) const;
  // Puts the sequence into the group with the message; forgets the longest silent producer when there are too many. If
  // the message is not written, neither is the sequence: a restart forgets both.
  void advance(const producer_ref& producer, std::uint64_t sequence, store::commit_group& group,
               bool is_written = true);
  // Something that it published waits for a commit.
  bool is_on_its_way(const producer_ref& producer) const;
  // A group's sequences are on flash.
  void made_durable(const producer_changes& changes);
  // What was not made durable is void: back to what is.
  void restore_durable();
  // The last sequence in this epoch whose message is on flash, or in memory to stay there; 0 = none.
  std::uint64_t durable_sequence(const producer_ref& producer) const;
  // Forgets who was silent for limits::producer_idle of this process's time: the wall clock may jump by years.
  void expire(store::commit_group& group);
  std::size_t size() const { return entries_.size(); }

 private:
  struct entry {
    store::producer_state current;  // with what is on its way
    std::optional<store::producer_state> durable;
    milliseconds heard{0};  // monotonic
  };
  const clock& clock_;
  std::unordered_map<std::string, entry> entries_;
};

}  // namespace tidegate::core::topics
