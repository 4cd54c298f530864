#include "broker/frontends/native/unsettled.hpp"

#include "broker/frontends/native/rising.hpp"

namespace tidegate::native {
namespace {

constexpr std::size_t holes_kept = 64;

}  // namespace

void unsettled_deliveries::add(std::uint64_t tag, core::consumer_id consumer, offset_t offset) {
  line_.push_back({tag, consumer, offset});
}

std::optional<unsettled_deliveries::delivery> unsettled_deliveries::take(std::uint64_t tag) {
  const auto found = lower_bound_in_rising(line_, &delivery::tag, tag);
  if (found == line_.end() || found->tag != tag || found->is_settled) return std::nullopt;
  const delivery taken = *found;
  settle(*found);
  trim();
  return taken;
}

void unsettled_deliveries::take_through(std::uint64_t tag, const std::function<void(const delivery&)>& taken) {
  for (; !line_.empty() && line_.front().tag <= tag; line_.pop_front()) {
    if (line_.front().is_settled) {
      --holes_;
    } else {
      taken(line_.front());
    }
  }
}

void unsettled_deliveries::forget(core::consumer_id consumer) {
  for (delivery& one : line_) {
    if (one.consumer == consumer && !one.is_settled) settle(one);
  }
  trim();
}

void unsettled_deliveries::settle(delivery& delivery) {
  delivery.is_settled = true;
  ++holes_;
}

void unsettled_deliveries::trim() {
  for (; !line_.empty() && line_.front().is_settled; line_.pop_front()) --holes_;
  if (holes_ <= holes_kept || holes_ <= line_.size() / 2) return;
  std::erase_if(line_, [](const delivery& one) { return one.is_settled; });
  holes_ = 0;
}

}  // namespace tidegate::native
