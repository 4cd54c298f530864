// Placing: plans a message against the bounds of all its targets, then puts it into all of them with one commit.
#pragma once

#include <functional>
#include <string_view>

#include "broker/core/catalog/catalog.hpp"
#include "broker/core/timers/timers.hpp"
#include "broker/core/transfer/counters.hpp"
#include "broker/core/transfer/plan.hpp"

namespace tidegate::core::transfer {

class placing {
 public:
  // `linger`: how long a commit may wait for more work if the target's durability sets no interval.
  placing(store::store& store, catalog::catalog& catalog, commits::pipeline& commits, timers::timers& timers,
          counters& counters, milliseconds linger)
      : store_(store), catalog_(catalog), commits_(commits), timers_(timers), counters_(counters), linger_(linger) {}

  // Plans a new message for all targets of the route. `waits`: an earlier message of its producer waits for a commit.
  // Errors: the store, the memory or a target that rejects is full; too many bytes for all targets together.
  result<void> plan(const message_view& message, const routing::route& route, const traits& traits, bool waits);
  // Plans a message for the queue of delayed messages, and sets its due. Errors: the delay is out of its range; the
  // store is full.
  result<void> plan_delayed(message_view& message, milliseconds delay);
  // Counts what is planned from here on in the tally, and checks the next messages with it. Null = no more.
  void count_in(tally* tally) { tally_ = tally; }
  // Plans a message that leaves `from` with the same commit. Targets that refuse it, or for which `takes` returns
  // false, are left out; the plan may be empty. `from` may be null.
  void plan_move(const message_view& message, const routing::route& route, const traits& traits,
                 const queues::queue* from, const std::function<bool(const queues::queue&)>& takes);
  void plan_move(const message_view& message, queues::queue& to, const traits& traits, const queues::queue& from);
  // Carries the plan out. The message's due is that of each queue, unless it is set.
  void put(message_view& message, std::int64_t now_ms) { put(plan_, message, now_ms); }
  void put(const transfer::plan& plan, message_view& message, std::int64_t now_ms);

  milliseconds linger() const { return linger_; }
  const transfer::plan& plan() const { return plan_; }
  // Returns whether messages may move from one place of the store to another.
  bool can_move() const { return !store_.is_full(store::store_use::moves); }

  // Errors: the topic rejects and is at its bound; the memory is full.
  result<void> check_overflow(const topics::partition& partition, std::uint64_t bytes, std::uint64_t records) const;
  result<void> promise_memory(commits::course course, std::uint64_t bytes, std::uint64_t batches);
  milliseconds wait_of(const durability& durability) const;
  void count_coming(topics::partition& partition, std::uint64_t bytes);

 private:
  void add_targets(const message_view& message, const routing::route& route);
  void find_course(bool waits);
  result<void> check_bounds(const message_view& message);
  result<void> check(const placement& placement, const message_view& message) const;
  void leave_out_refusing(const message_view& message, const std::function<bool(const queues::queue&)>& takes);
  void note_in_tally(const message_view& message);
  void put(const transfer::plan& plan, const placement& placement, message_view& message, std::int64_t now_ms);
  void put(const transfer::plan& plan, message_view& message, topics::partition& partition, std::int64_t now_ms);
  std::uint64_t due_in(const queues::queue& queue, const traits& traits) const;
  // The timestamp of a partition's next record. Timestamps go back only if the clock was ahead and has been corrected.
  struct stamp {
    std::int64_t timestamp_ms = 0;
    std::optional<std::int64_t> corrected_ms = {};  // set after a correction: newest timestamp that was given in error
  };
  stamp next_stamp(topics::partition& partition, std::int64_t now_ms);
  // Chooses the partition by the key; without a key, by the number of the group that the message goes into.
  topics::partition& choose(topics::topic& topic, std::string_view key);

  store::store& store_;
  catalog::catalog& catalog_;
  commits::pipeline& commits_;
  timers::timers& timers_;
  counters& counters_;
  milliseconds linger_;
  tally* tally_ = nullptr;
  transfer::plan plan_;  // of the present message; a member, so that its memory is used again
};

}  // namespace tidegate::core::transfer
