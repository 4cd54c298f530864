// When the next group may go to the writer. Every piece of work says how long it may wait at most; the group is due
// when the first of them may wait no longer, and then waits on for two reasons only: commits_per_second_max, and the
// flash budget, which may stretch a wait up to linger_max.
//
//   work comes      due: its linger is over      allowed: a commit a second ... and the budget affords it
//   |--------------------|------------------------------|----> to the writer, if that one is free
//                         '---- the budget's part ends at linger_max after the work came ----'
#pragma once

#include <optional>
#include <string>

#include "broker/base/clock.hpp"
#include "broker/base/limits.hpp"
#include "broker/core/commits/flash_account.hpp"
#include "broker/core/commits/flash_budget.hpp"
#include "broker/core/commits/recent_commits.hpp"

namespace tidegate::core::commits {

// An acknowledgement waits so long for a commit to ride on; losing it costs a redelivery.
constexpr milliseconds acknowledgement_delay_max{50};

struct pace_options {
  std::string profile = "default";         // what the rest was derived from, for people
  milliseconds linger{0};                  // what somebody waits for may wait so long for company
  milliseconds linger_max{1'000};          // what the budget may stretch it to
  std::uint32_t per_second_max = 0;        // 0 = any number
  std::uint64_t budget_bytes_per_day = 0;  // 0 = none
};

class pace {
 public:
  pace(pace_options options, const clock& clock, std::uint64_t flash_bytes_before);

  const pace_options& options() const { return options_; }

  // Work came. True: the group is due earlier than before.
  bool note(milliseconds wait_max);
  // Somebody gets an answer from this group.
  void awaited();
  // The group is due, whatever the pace.
  void hurry() { is_hurried_ = true; }
  bool has_work() const { return is_hurried_ || due_.has_value(); }
  // How long from now until the group may go. There is work.
  milliseconds wait() const;

  // The group went to the writer.
  void handed_over();
  // There was nothing to write.
  void dismissed() { forget_group(); }
  // The writer is free again; it may have found nothing to write.
  void committed(bool is_written);

  flash_account& flash() { return flash_; }
  const flash_account& flash() const { return flash_; }
  recent_commits::figures lately() const { return recent_.at(clock_.monotonic()); }
  // What a publish waits at most by linger and budget, as of the last commit.
  milliseconds linger_in_force() const { return stretched_; }
  // "off", "kept", "stretching", "exceeded", or "unknown" where bytes cannot be measured.
  std::string_view budget_state() const;

 private:
  milliseconds affordable_at() const;
  bool is_budgeted() const { return budget_.is_set() && flash_.is_known(); }
  void forget_group();

  pace_options options_;
  const clock& clock_;
  flash_budget budget_;
  flash_account flash_;
  recent_commits recent_;

  // The open group.
  milliseconds wait_shortest_ = milliseconds::max();
  std::optional<milliseconds> due_;
  milliseconds stretched_until_{0};  // the budget holds it back no longer
  std::optional<milliseconds> awaited_since_;
  bool is_hurried_ = false;

  // The group with the writer, or the last one.
  milliseconds handed_over_at_{0};
  std::optional<milliseconds> waited_;
  milliseconds free_since_{0};

  std::chrono::microseconds next_at_{0};  // by per_second_max
  milliseconds stretched_;
  bool is_exceeded_ = false;
};

}  // namespace tidegate::core::commits
