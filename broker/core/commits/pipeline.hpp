// The pipeline: every change reaches flash through it. It gathers changes in the store's commit groups, hands a group
// to the writer when the pace allows it, and reports the result. While one group is with the writer, the next one
// gathers.
//
//   change, receipt ----> gathering ----> with the writer ----> progress: new ends, settled receipts
//                           '--- riding: records in memory only, applied with that commit
//   change, receipt ----> at once: records in memory only, applied when this turn of the loop is over
//
// The pipeline knows neither queues nor topics and calls neither: each step returns its results, and the broker passes
// them on.
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

// By producer id; none = the producer is forgotten.
using producer_changes = std::unordered_map<std::string, std::optional<store::producer_state>>;

// How the records of a publish reach their targets.
enum class course {
  written,  // some targets are on flash: with the gathering group's commit, to targets in memory as well
  riding,   // all targets are in memory; applied with the commit that an earlier message or reserved offsets wait for
  at_once,  // all targets are in memory: applied when this turn of the loop is over
};

struct settlement {
  receipt answer;
  bool is_refused = false;  // the store had no room for records
};

// The results of one step. The caller passes them on in the order of the members.
struct progress {
  // The group's records are void, and so are all appends after them: every stream continues at its durable end.
  bool is_void = false;
  std::vector<store::stream_update> streams;  // new ends of streams
  producer_changes producers;                 // sequences that are on flash now
  std::vector<settlement> receipts;
  bool has_room_again = false;  // requests are accepted again
};

struct figures {
  std::uint64_t commits = 0, bytes_written = 0, journal_bytes = 0;
};

class pipeline {
 public:
  // `group_bytes_max`: a group of that size is due at once, and publishers wait until it goes to the writer.
  pipeline(store::store& store, const clock& clock, pace_options options, std::size_t group_bytes_max);

  // Returns whether requests are accepted: the groups have room. If not, a later step reports progress::has_room_again.
  bool accepts() const;
  // Returns the group for changes that a commit writes.
  store::commit_group& gathering() { return store_.open_group(); }
  // Returns the group for the records of a target.
  store::commit_group& group_of(const durability& durability, course course);
  // Notes that the gathering group has work, which may wait for `wait_max` at most.
  void note(milliseconds wait_max);
  // Notes acknowledgements and other marks, of a stream in memory or on flash.
  void note_settled(bool is_in_memory);
  // Settles the receipt with the gathering group's commit; the caller also calls note(). `appends`: the receipt is
  // refused if the group's records are.
  void answer_later(const receipt& answer, bool appends);
  // Settles the receipt of a publish when its course is done, and notes the work. `wait_max` as in note(); not used for
  // at_once.
  void answer_later(const receipt& answer, course course, milliseconds wait_max);

  // The steps. Before a step, the caller adds the drops that keep queues within their bounds to the groups.

  // Returns whether the memory group has changes, or receipts that wait for its application.
  bool has_memory_group() const { return !store_.memory_group().empty() || !receipts_.at_once.empty(); }
  // Applies the memory group.
  progress apply_memory();
  // Call first when the owner comes after the time that on_work() asked for: what follows may ask for another call.
  void called() { call_at_ = milliseconds::max(); }
  // Asks for a call after `wait`, unless one is asked for that comes earlier.
  void call_within(milliseconds wait) { wake(wait); }
  // Returns whether the gathering group may go to the writer now; if it may go later, asks for another call.
  bool is_due();
  // Hands the gathering group to the writer. If there is nothing to write, applies the riding group and settles all
  // receipts instead. The writer must be free.
  progress hand_over();
  // Returns the writer's result, if there is one. Throws the exception that made the writer fail.
  std::optional<progress> collect();
  // Notes the bytes written to flash. Call every ten seconds or so.
  void tick();

  // Sets the function `wake(wait)`, which asks the owner to call is_due() after `wait`; 0 = when this turn of the loop
  // is over. A call of `wake` replaces the call before, which was for a later time.
  void on_work(std::function<void(milliseconds)> wake) {
    wake_ = std::move(wake);
    called();  // what was asked for before, nobody heard
  }
  // Returns whether a group is with the writer.
  bool is_busy() const { return store_.is_busy(); }
  // Returns whether no group is with the writer and all groups are empty.
  bool is_idle() const;

  commits::pace& pace() { return pace_; }
  const commits::pace& pace() const { return pace_; }
  commits::timeline& timeline() { return timeline_; }
  const commits::figures& figures() const { return figures_; }
  // Numbers that rise with each group handed to the writer, and with each memory group applied.
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
  milliseconds call_at_ = milliseconds::max();  // time last asked for with wake_; max = none since the last call

  receipts receipts_;
  producer_changes flying_producers_;
  bool work_left_ = false;  // the writer has more room to free and wants another commit, even an empty one
  std::uint64_t group_number_ = 0;
  std::uint64_t memory_turn_ = 0;
  std::uint64_t flash_bytes_kept_;  // count of bytes written, as stored or on its way to the store
  commits::figures figures_;
};

}  // namespace tidegate::core::commits
