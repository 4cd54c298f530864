#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <limits>

#include "client/tool/bench/role.hpp"

namespace tidegate::tool::bench {

namespace asio = boost::asio;

pacing::pacing(const setting& setting, member member, double per_second, std::uint64_t weight)
    : setting_(setting), weight_(weight), sends_max_(std::numeric_limits<std::uint64_t>::max()) {
  const double sends_per_second = per_second / static_cast<double>(weight);
  if (per_second > 0) open_.emplace(setting.begin, sends_per_second, member.number, member.of);
  if (!setting.asked.messages) return;
  const std::uint64_t sends = (*setting.asked.messages + weight - 1) / weight;
  sends_max_ = sends / member.of + (member.number < sends % member.of ? 1 : 0);
}

bool pacing::is_over(steady_clock::time_point now) const {
  return setting_.stop.load(std::memory_order_relaxed) || sent_ >= sends_max_ || now >= setting_.end ||
         due(now) >= setting_.end;
}

std::uint64_t pacing::unsent() const {
  if (!open_ || setting_.stop) return 0;
  const std::uint64_t due = std::min(open_->due_before(setting_.end), sends_max_);
  return (due - std::min(due, sent_)) * weight_;
}

awaitable<void> wait_a_while(steady_clock::time_point due) {
  const auto soon = steady_clock::now() + look_interval;
  asio::steady_timer timer(co_await asio::this_coro::executor, std::min(due, soon));
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace tidegate::tool::bench
