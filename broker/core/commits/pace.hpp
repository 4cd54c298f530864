// Decides when the next group may go to the writer. Every piece of work says how long it may wait at most. The group is
// due when the first of these times is over. It then waits longer for two reasons only: per_second_max, and the flash
// budget, which may extend a wait up to linger_max.
//
//   work arrives    due: its linger is over      allowed by per_second_max and by the budget
//   |--------------------|------------------------------|----> to the writer, if the writer is free
//                         '---- the budget delays it until linger_max after the work arrived ----'
#pragma once

#include <optional>
#include <string>

#include "broker/base/clock.hpp"
#include "broker/base/limits.hpp"
#include "broker/core/commits/flash_account.hpp"
#include "broker/core/commits/flash_budget.hpp"
#include "broker/core/commits/recent_commits.hpp"

namespace tidegate::core::commits {

// How long an acknowledgement waits for a commit that other work needs. A lost one costs a redelivery.
constexpr milliseconds acknowledgement_delay_max{50};

struct pace_options {
  std::string profile = "default";         // the profile that the other options came from, for status
  milliseconds linger{0};                  // how long a publish waits for others to share its commit
  milliseconds linger_max{1'000};          // how far the budget may extend that
  std::uint32_t per_second_max = 0;        // 0 = any number
  std::uint64_t budget_bytes_per_day = 0;  // 0 = none
};

class pace {
 public:
  pace(pace_options options, const clock& clock, std::uint64_t flash_bytes_before);

  const pace_options& options() const { return options_; }

  // Records that work arrived which may wait so long. Returns whether the group is due earlier than before.
  bool note(milliseconds wait_max);
  // Records that a client waits for an answer from this group.
  void awaited();
  // Makes the group due now, whatever the pace.
  void hurry() { open_.is_hurried = true; }
  bool has_work() const { return open_.is_hurried || open_.due.has_value(); }
  // Returns how long from now until the group may go. Requires has_work().
  milliseconds wait() const;

  // Call when the group went to the writer,
  void handed_over();
  // when the group had nothing to write,
  void dismissed() { open_ = {}; }
  // and when the writer is free again. `is_written`: the writer found something to write.
  void committed(bool is_written);

  flash_account& flash() { return flash_; }
  const flash_account& flash() const { return flash_; }
  recent_commits::figures lately() const { return recent_.at(clock_.monotonic()); }
  // Returns how long a publish waits at most, by linger and budget, as of the last commit.
  milliseconds linger_in_force() const { return stretched_; }
  // Returns "off", "kept", "stretching", "exceeded", or "unknown" if written bytes cannot be measured.
  std::string_view budget_state() const;

 private:
  struct open_group {
    milliseconds wait_shortest = milliseconds::max();
    std::optional<milliseconds> due;
    milliseconds stretched_until{0};  // the budget does not hold the group back longer
    std::optional<milliseconds> awaited_since;
    bool is_hurried = false;
  };
  // The group that is with the writer, or was last.
  struct departed_group {
    milliseconds at{0};
    std::optional<milliseconds> waited;
  };
  milliseconds affordable_at() const;
  bool is_budgeted() const { return budget_.is_set() && flash_.is_known(); }

  pace_options options_;
  const clock& clock_;
  flash_budget budget_;
  flash_account flash_;
  recent_commits recent_;
  open_group open_;
  departed_group departed_;
  milliseconds writer_free_since_{0};
  std::chrono::microseconds next_at_{0};  // earliest next commit by per_second_max
  milliseconds stretched_;
  bool is_exceeded_ = false;
};

}  // namespace tidegate::core::commits
