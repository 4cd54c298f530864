// The way of every change to flash: gathers changes in the store's groups, hands a group to the writer when the pace
// lets it go, and says what became of it. While one group is with the writer, the next one gathers.
//
//   change, receipt ----> gathering ----> with the writer ----> progress: new ends, settled receipts
//                           '--- riding: of memory alone, applied with that commit
//   change, receipt ----> at once: of memory alone, applied when this turn of the loop is over
//
// It knows neither queues nor topics and calls nobody: the steps return what happened, for the broker to pass on.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/core/commits/pace.hpp"
#include "broker/core/commits/timeline.hpp"
#include "broker/core/events/events.hpp"
#include "broker/model/durability.hpp"
#include "broker/store/store.hpp"

namespace tidegate::core::commits {

using producer_changes = std::unordered_map<std::string, std::optional<store::producer_state>>;

// How a publish gets to where it is to be.
enum class course {
  written,  // with the gathering group's commit, in memory as well
  riding,   // in memory alone, and not before something that waits for a commit
  at_once,  // in memory alone, when this turn of the loop is over
};

struct settlement {
  receipt answer;
  bool is_refused = false;  // the store had no room for records
};

// What a step brought. To be passed on in this order.
struct progress {
  // The group's records are void, and so are those that were given offsets behind them: every stream goes on at its
  // durable end.
  bool is_void = false;
  std::vector<store::stream_update> streams;  // new ends of streams
  producer_changes producers;                 // whose sequences are on flash now
  std::vector<settlement> receipts;
  bool has_room_again = false;  // requests are taken again
};

struct figures {
  std::uint64_t commits = 0, bytes_written = 0, journal_bytes = 0;
};

class pipeline {
 public:
  // `group_bytes_max`: a group of so many bytes waits for no more company, and publishers wait until it goes.
  pipeline(store::store& store, const clock& clock, pace_options options, std::size_t group_bytes_max);

  // Requests are taken: the groups have room. Otherwise progress::has_room_again says when.
  bool accepts() const;
  // Where changes go that a commit writes.
  store::commit_group& gathering() { return store_.open_group(); }
  // Where the records of a target go.
  store::commit_group& group_of(const durability& durability, course course);
  // Says that the gathering group has work which may wait so long at most.
  void note(milliseconds wait_max);
  // The same of acknowledgements and other marks of a stream that was settled.
  void note_settled(bool is_in_memory);
  // Settles the receipt with the gathering group's commit; `appends`: it is refused if the records are.
  void answer_later(const receipt& answer, bool appends);
  // The same for a publish on its course.
  void answer_later(const receipt& answer, course course, milliseconds wait_max);

  // Steps. What queues drop for their bounds is put into the groups before.
  bool has_memory_group() const { return !store_.memory_group().empty(); }
  progress apply_memory();
  // After on_work()'s time: whether the gathering group may go now; if not yet, asks for another call.
  bool is_due();
  // Hands over what there is; where there is nothing to write, what rides is applied and everything settled. The writer
  // is free.
  progress hand_over();
  // The writer's result, if there is one. Throws what made the writer fail.
  std::optional<progress> collect();
  // Every ten seconds or so: notes what was written to flash.
  void tick();

  // `wake(wait)`: the owner is to come to is_due() in so much time; 0 = when this turn of the loop is over. The newest
  // word replaces one for later.
  void on_work(std::function<void(milliseconds)> wake) { wake_ = std::move(wake); }
  bool is_busy() const { return store_.is_busy(); }
  bool is_idle() const;

  commits::pace& pace() { return pace_; }
  const commits::pace& pace() const { return pace_; }
  commits::timeline& timeline() { return timeline_; }
  const commits::figures& figures() const { return figures_; }
  // Rises with each group that is handed over, and with each turn of memory.
  std::uint64_t group_number() const { return group_number_; }
  std::uint64_t memory_turn() const { return memory_turn_; }

 private:
  struct waiting {
    receipt answer;
    bool appends = false;
  };
  // By the group that they wait for.
  struct receipts {
    std::vector<waiting> gathering;  // the open group
    std::vector<waiting> flying;     // the group with the writer
    std::vector<waiting> at_once;    // the memory group
  };
  bool has_room() const;
  void wake(milliseconds wait);
  void ask_for_call();
  void submit();
  static void settle(progress& into, std::vector<waiting> receipts, bool are_stored);
  void refuse(progress& into);

  store::store& store_;
  const clock& clock_;
  std::size_t group_bytes_max_;
  commits::timeline timeline_;
  commits::pace pace_;
  std::function<void(milliseconds)> wake_ = [](milliseconds) {};
  milliseconds call_at_ = milliseconds::max();  // what wake_ was told last; max = nothing since the last call

  receipts receipts_;
  producer_changes flying_producers_;
  bool work_left_ = false;
  std::uint64_t group_number_ = 0;
  std::uint64_t memory_turn_ = 0;
  std::uint64_t flash_bytes_kept_;  // in the store, or on their way there
  commits::figures figures_;
};

}  // namespace tidegate::core::commits
