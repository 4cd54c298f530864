// Every change's way to flash. Gathers changes in the store's groups, hands a group to the writer when the pace allows
// it, and returns the results. While one group is with the writer, the next one gathers.
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

// When a publish takes effect.
enum class course {
  written,  // with the gathering group's commit, for targets in memory as well
  riding,   // in memory only, and not before something that waits for a commit
  at_once,  // in memory only, when this turn of the loop is over
};

struct settlement {
  receipt answer;
  bool is_refused = false;  // the store had no room for records
};

// Results of a step, to be passed on in this order.
struct progress {
  // The group's records are void, and so are records with later offsets: every stream continues at its durable end.
  bool is_void = false;
  std::vector<store::stream_update> streams;  // new ends of streams
  producer_changes producers;                 // producers whose sequences are on flash now
  std::vector<settlement> receipts;
  bool has_room_again = false;  // requests are accepted again
};

struct figures {
  std::uint64_t commits = 0, bytes_written = 0, journal_bytes = 0;
};

class pipeline {
 public:
  // `group_bytes_max`: a group of so many bytes does not linger, and publishers wait until it goes.
  pipeline(store::store& store, const clock& clock, pace_options options, std::size_t group_bytes_max);

  // Requests are accepted: the groups have room. Otherwise progress::has_room_again reports when they are.
  bool accepts() const;
  // Returns the group for changes that a commit writes.
  store::commit_group& gathering() { return store_.open_group(); }
  // Returns the group for records of a target.
  store::commit_group& group_of(const durability& durability, course course);
  // Records that the gathering group has work which may wait so long at most.
  void note(milliseconds wait_max);
  // The same for acknowledgements and other marks of a stream.
  void note_settled(bool is_in_memory);
  // Settles the receipt with the gathering group's commit. `appends`: refuses it if the group's records are void.
  void answer_later(const receipt& answer, bool appends);
  // The same for a publish, by its course.
  void answer_later(const receipt& answer, course course, milliseconds wait_max);

  // The steps. Call intake::keep_bounds() on the groups before.
  bool has_memory_group() const { return !store_.memory_group().empty(); }
  progress apply_memory();
  // Call when on_work()'s time is over. Returns whether the gathering group may go now; otherwise asks for another
  // call.
  bool is_due();
  // Hands the gathering group over. If there is nothing to write, applies the riding group and settles everything. The
  // writer is free.
  progress hand_over();
  // Returns the writer's result, if there is one. Throws what made the writer fail.
  std::optional<progress> collect();
  // Notes what was written to flash. Call about every ten seconds.
  void tick();

  // `wake(wait)` asks the owner for is_due() in so much time; 0 = when this turn of the loop is over. A new wait
  // replaces a later one.
  void on_work(std::function<void(milliseconds)> wake) { wake_ = std::move(wake); }
  bool is_busy() const { return store_.is_busy(); }
  bool is_idle() const;

  commits::pace& pace() { return pace_; }
  const commits::pace& pace() const { return pace_; }
  commits::timeline& timeline() { return timeline_; }
  const commits::figures& figures() const { return figures_; }
  // Rise with each group that is handed over, and with each group that is applied to memory.
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
  milliseconds call_at_ = milliseconds::max();  // the last time given to wake_; max = none since the last call

  receipts receipts_;
  producer_changes flying_producers_;
  bool work_left_ = false;
  std::uint64_t group_number_ = 0;
  std::uint64_t memory_turn_ = 0;
  std::uint64_t flash_bytes_kept_;  // in the store, or on their way there
  commits::figures figures_;
};

}  // namespace tidegate::core::commits
