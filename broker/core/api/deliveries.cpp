#include "broker/core/api/deliveries.hpp"

#include <algorithm>

#include "broker/base/rising.hpp"

namespace tidegate::core::api {
namespace {

constexpr std::size_t holes_kept = 64;      // up to so many holes, the line is never compacted
constexpr std::size_t places_kept = 4'096;  // capacity of an empty line above which its memory is released

}  // namespace

std::uint64_t deliveries::add(queues::queue& from, queues::consumer* consumer, const queues::held_message& message) {
  line_.push_back({++last_, &from, consumer, message});
  return last_;
}

std::optional<delivery> deliveries::take(std::uint64_t number) {
  const auto found = lower_bound_in_rising(line_, &delivery::number, number);
  if (found == line_.end() || found->number != number || found->from == nullptr) return std::nullopt;
  const delivery taken = *found;
  settle(*found);
  trim();
  return taken;
}

void deliveries::take_through(std::uint64_t number, const taker& taken) {
  for (; !line_.empty() && line_.front().number <= number; line_.pop_front()) {
    if (line_.front().from == nullptr) {
      --holes_;
    } else {
      taken(line_.front());
    }
  }
  give_back_memory();
}

void deliveries::take_if(const std::function<bool(const delivery&)>& chosen, const taker& taken) {
  for (delivery& one : line_) {
    if (one.from == nullptr || !chosen(one)) continue;
    taken(one);
    settle(one);
  }
  trim();
}

void deliveries::each_from(std::uint64_t first, std::uint64_t last, const taker& each) const {
  for (auto one = lower_bound_in_rising(line_, &delivery::number, first); one != line_.end(); ++one) {
    if (one->number > last) return;
    if (one->from != nullptr) each(*one);
  }
}

void deliveries::forget(const queues::consumer& consumer) {
  for (delivery& one : line_) {
    if (one.consumer == &consumer) one.consumer = nullptr;
  }
}

void deliveries::settle(delivery& delivery) {
  delivery.from = nullptr;
  ++holes_;
}

void deliveries::give_back_memory() {
  if (line_.empty() && line_.capacity() > places_kept) line_ = {};
}

void deliveries::trim() {
  for (; !line_.empty() && line_.front().from == nullptr; line_.pop_front()) --holes_;
  give_back_memory();
  if (holes_ <= holes_kept || holes_ <= line_.size() / 2) return;
  line_.erase(std::remove_if(line_.begin(), line_.end(), [](const delivery& one) { return one.from == nullptr; }),
              line_.end());
  holes_ = 0;
}

}  // namespace tidegate::core::api
