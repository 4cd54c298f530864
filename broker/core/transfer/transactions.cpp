#include "broker/core/transfer/transactions.hpp"

#include <fmt/format.h>

namespace tidegate::core::transfer {

using commits::course;

result<void> transactions::plan(std::span<transaction_message> messages, bool settles_on_flash, bool all_routable) {
  plans_.clear();
  tally tally;
  placing_.count_in(&tally);
  result<void> planned;
  for (std::size_t i = 0; i < messages.size() && planned; ++i) {
    if (messages[i].is_reply) continue;
    planned = plan(messages[i], all_routable);
    if (planned) continue;
    error cause = planned.error();
    cause.text = fmt::format("message {} of the transaction: {}", i + 1, cause.text);
    planned = std::move(cause);
  }
  placing_.count_in(nullptr);
  if (!planned) return planned;
  course_ = settles_on_flash ? course::written : course::at_once;
  for (const transfer::plan& one : plans_) {
    if (one.course == course::written) course_ = course::written;
    if (one.course == course::riding && course_ == course::at_once) course_ = course::riding;
  }
  return {};
}

result<void> transactions::plan(transaction_message& one, bool all_routable) {
  if (const auto checked = check(one.message); !checked) return checked;
  const auto traits = traits_of(one.message);
  if (!traits) return traits.error();
  const auto route = catalog_.find_open_route(one.message);
  if (!route) return route.error();
  one.is_unroutable = (*route)->empty() && one.delay.count() == 0;
  if (one.is_unroutable && all_routable) {
    return error{errc::not_found,
                 fmt::format("nothing takes a message with key '{}' of exchange '{}'", one.message.routing_key,
                             one.message.exchange),
                 "routing_key"};
  }
  if (one.is_unroutable) return {};
  one.message.is_time_estimated = !commits_.timeline().is_wall_trusted();
  const auto planned = one.delay.count() == 0 ? placing_.plan(one.message, **route, *traits, false)
                                              : placing_.plan_delayed(one.message, one.delay);
  if (planned) plans_.push_back(placing_.plan());
  return planned;
}

// What is in memory alone must not be seen before the rest is on flash.
course transactions::course_of(const transfer::plan& plan) const {
  if (plan.course == course::written) return course::written;
  return course_ == course::at_once ? course::at_once : course::riding;
}

void transactions::put(std::span<transaction_message> messages) {
  auto plan = plans_.begin();
  for (transaction_message& one : messages) {
    if (one.is_reply) continue;
    if (one.is_unroutable) {
      ++counters_.unroutable;
      continue;
    }
    plan->course = course_of(*plan);
    placing_.put(*plan++, one.message, commits_.timeline().wall().count());
    ++counters_.published;
  }
}

void transactions::answer_later(const receipt& answer) { commits_.answer_later(answer, course_, placing_.linger()); }

}  // namespace tidegate::core::transfer
