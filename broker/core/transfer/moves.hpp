// Moves: messages that the broker itself takes from a queue to another place, each in one commit: dead letters, tries
// that are put off, and delayed messages whose time has come. A message that cannot move, because the store is too
// full, stays where it is and is tried again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/core/transfer/leaving.hpp"
#include "broker/core/transfer/placing.hpp"
#include "broker/model/deaths.hpp"

namespace tidegate::core::transfer {

class moves {
 public:
  moves(store::store& store, catalog::catalog& catalog, commits::pipeline& commits, timers::timers& timers,
        placing& placing, counters& counters)
      : store_(store),
        catalog_(catalog),
        commits_(commits),
        timers_(timers),
        placing_(placing),
        counters_(counters),
        depart_([this](const queues::departure& departure, message_view& message) {
          depart(*taking_from_, departure, message);
        }) {}

  // Settles a message that departs from the queue and is out: moves it, or drops it and records the loss.
  void depart(queues::queue& queue, const queues::departure& departure, message_view& message);
  // The same, when the message has to be read first.
  void depart(queues::queue& queue, const queues::departure& departure);
  // Makes a dead letter of a message that the queue, which rejects, has no room for.
  void bury_refused(const queues::queue& queue, message_view message);
  // Records the loss of messages that a queue dropped. Void if the group's records are.
  static void lose(const queues::dropped_range& gone, store::commit_group& group);
  // Notes a message that was dropped in the group that gathers, and comes back if that is void.
  void add_leaving(queues::queue& queue, const queues::held_message& message) { leaving_.add(queue, message); }

  // What a pull or get of the queue needs. Valid until the next call.
  queues::surroundings around(queues::queue& queue);

  // Moves what is due, and does a slice of other work. Call when next() says so.
  void run();
  // Returns the time until run() has work. None = there is nothing to wait for.
  std::optional<milliseconds> next();
  // Makes dead letters of what exceeds the queue's bounds, if it has a dead-letter exchange.
  void bury_excess(queues::queue& queue);
  // Call every ten seconds or so.
  void tick();

  // Follow the commit groups.
  void handed_over() { leaving_.handed_over(); }
  void stored();
  void void_appends();
  // The queue is deleted.
  void forget(queues::queue& queue);

 private:
  struct waiting {
    queues::queue* queue = nullptr;
    queues::departure departure;
  };
  void bury(queues::queue& queue, const queues::departure& departure, message_view& message);
  void retry(queues::queue& queue, const queues::departure& departure, message_view& message);
  void release(queues::queue& delayed, const queues::departure& departure, message_view& message);
  void drop(queues::queue& queue, const queues::departure& departure, store::loss_reason reason);
  void leave(queues::queue& queue, const queues::held_message& message, message_view& moved);
  // Turns the message into a dead letter. `kept` holds what its views point to.
  struct letter {
    std::string deaths, properties;
    tidegate::deaths died;
    transfer::traits traits;
  };
  void make_letter(const queues::queue& queue, death_reason reason, message_view& message, letter& kept);
  bool has_room() const;
  void work_off();
  store::commit_group& group_of(const queues::queue& queue) const;
  std::uint64_t now_ms() const { return static_cast<std::uint64_t>(commits_.timeline().lifetime().count()); }

  store::store& store_;
  catalog::catalog& catalog_;
  commits::pipeline& commits_;
  timers::timers& timers_;
  placing& placing_;
  counters& counters_;
  leaving leaving_;
  std::vector<waiting> waiting_;      // out, for want of room
  std::vector<queues::queue*> over_;  // queues that may exceed a bound
  queues::queue* taking_from_ = nullptr;
  queues::departing depart_;
  std::uint64_t not_before_ms_ = 0;  // alarms wait until then for room
};

}  // namespace tidegate::core::transfer
