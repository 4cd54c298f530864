// Core as a whole: makes each room once and takes the steps between requests. Messages do not pass through it;
// front-ends use services().
#pragma once

#include <functional>

#include "broker/base/clock.hpp"
#include "broker/core/api/services.hpp"
#include "broker/core/catalog/catalog.hpp"
#include "broker/core/commits/pipeline.hpp"
#include "broker/core/groups/offsets.hpp"
#include "broker/core/transfer/intake.hpp"
#include "broker/store/store.hpp"

namespace tidegate::core {

struct broker_options {
  std::uint64_t retention_bytes_default = 64ull << 20;  // of a partition whose topic names none
  // A group this big goes without lingering. If the writer is not free, publishers wait until the group goes.
  std::size_t group_bytes_max = limits::group_bytes_max;
  commits::pace_options commit = {};
};

class broker {
 public:
  // Loads what the store found. Throws storage_failure if the store holds what this version does not know.
  broker(store::store& store, const clock& clock, broker_options options);

  const api::services& services() const { return services_; }
  const commits::pipeline& commits() const { return commits_; }
  commits::flash_account& flash() { return commits_.pace().flash(); }

  // Called by main. `wake(wait)` asks for flush() in so much time; 0 = when this turn of the loop is over. A new wait
  // replaces a later one.
  void on_work(std::function<void(milliseconds)> wake) { commits_.on_work(std::move(wake)); }
  // The same for tell(), when this turn of the loop is over.
  void on_notice(std::function<void()> wake) { notices_.on_notice(std::move(wake)); }

  // The steps. Sessions get their events within them, or in tell().
  void flush();      // hands the groups over if the pace allows it; otherwise asks to be called again
  void flush_now();  // hands the groups over whatever the pace
  void collect();    // takes the writer's result, if it is there
  void tell();       // passes events to sessions that requests caused
  // Retention by age, lowered bounds, forgotten producers. Call about every ten seconds.
  void tick();
  // Nothing waits for a commit.
  bool is_idle() const { return commits_.is_idle(); }

 private:
  void apply_memory();
  void hand_over();
  // Passes receipts and stream changes of a step to their rooms.
  void pass_on(const commits::progress& progress);
  void advance(const std::vector<store::stream_update>& updates);
  void void_appends();
  void settle(const std::vector<commits::settlement>& receipts);

  store::store& store_;
  commits::pipeline commits_;
  groups::offsets offsets_;
  catalog::catalog catalog_;
  transfer::intake intake_;
  api::notices notices_;
  api::consuming consuming_;
  api::reading reading_;
  api::sessions sessions_;
  api::publishing publishing_;
  api::defining defining_;
  api::grouping grouping_;
  api::inspecting inspecting_;
  api::services services_;
};

}  // namespace tidegate::core
