// Core as a whole: makes each room once and runs the steps between requests. No message passes through this class;
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
  std::uint64_t retention_bytes_default = 64ull << 20;  // of a partition whose topic sets none
  // A commit group of this size does not linger, and publishers wait until it goes to the writer.
  std::size_t group_bytes_max = limits::group_bytes_max;
  commits::pace_options commit = {};
};

class broker {
 public:
  // Loads the facts and definitions that the store found. Throws storage_failure if the store is damaged or holds
  // something that this version does not know. `store` and `clock` must outlive the broker.
  broker(store::store& store, const clock& clock, broker_options options);

  const api::services& services() const { return services_; }
  const commits::pipeline& commits() const { return commits_; }
  commits::flash_account& flash() { return commits_.pace().flash(); }

  // Sets the function `wake(wait)`, which asks main's loop to call flush() after `wait`; 0 = when this turn of the loop
  // is over. A call of `wake` replaces the call before, which was for a later time. Calls it at once if messages are
  // due some time.
  void on_work(std::function<void(milliseconds)> wake);
  // Sets the function that asks for a call of tell() when this turn of the loop is over.
  void on_notice(std::function<void()> wake) { notices_.on_notice(std::move(wake)); }

  // The steps, called between requests. Each of them sends events to sessions.
  void flush();      // applies memory; hands the group to the writer if the pace allows it, or asks for a later call
  void flush_now();  // as flush(), whatever the pace; if the writer is busy, collect() hands the group over
  void collect();    // passes on the writer's result; call when the store reports one
  void tell();       // sends the events that requests caused
  // Expires records by age, applies lowered bounds, and forgets silent producers. Call every ten seconds or so.
  void tick();
  // Returns whether no change is gathered or with the writer.
  bool is_idle() const { return commits_.is_idle(); }

 private:
  void apply_memory();
  void hand_over();
  void run_timers();
  void ask_for_timers();
  // Passes on the results of a step to queues, topics, producers and sessions.
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
  api::transacting transacting_;
  api::defining defining_;
  api::grouping grouping_;
  api::inspecting inspecting_;
  api::services services_;
};

}  // namespace tidegate::core
