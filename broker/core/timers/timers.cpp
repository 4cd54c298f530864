#include "broker/core/timers/timers.hpp"

#include <algorithm>

#include "broker/base/bytes.hpp"
#include "broker/base/log.hpp"
#include "broker/model/record_batch.hpp"

namespace tidegate::core::timers {
namespace {

constexpr int zones_per_slice = 4;
// A pass begins when there are so few alarms left, or so early before the horizon.
constexpr std::size_t alarms_few = timers::alarms_max / 16;
constexpr std::uint64_t lead_ms = 1'000;
// Pause before zones are read again of which a part was not durable.
constexpr std::uint64_t again_ms = 1'000;
// Pause before an alarm comes again whose message is not durable yet.
constexpr std::uint64_t not_durable_ms = 50;

std::string encode_due(std::uint64_t due_ms) {
  std::string value;
  append_be(value, due_ms);
  return value;
}

}  // namespace

std::string zone_name(stream_id stream, std::uint64_t number) {
  std::string name(1, static_cast<char>(store::fact_space::due_zone));
  append_be(name, static_cast<std::uint32_t>(stream));
  append_be(name, number);
  return name;
}

timers::timers(store::store& store, std::uint64_t now_ms) : store_(store), base_ms_(now_ms) {
  store.found().each(store::fact_space::due_zone, [&](std::string_view key, std::string_view value) {
    byte_reader name(key), due(value);
    const auto stream = static_cast<stream_id>(name.be<std::uint32_t>());
    const auto number = name.be<std::uint64_t>();
    const auto due_ms = due.be<std::uint64_t>();
    if (name.failed() || !name.at_end() || due.failed() || !due.at_end()) {
      throw store_damaged("the store is damaged: the time at which messages are due");
    }
    zone& zone = zones_[zone_of(stream, number)];
    zone.floor = zone.far = due_ms;
    zone.is_stored = true;
  });
  if (!zones_.empty()) horizon_ms_ = 0;
}

std::uint32_t timers::zone_of(stream_id stream, std::uint64_t number) {
  if (last_ < zones_.size() && zones_[last_].is_used && zones_[last_].stream == stream &&
      zones_[last_].number == number) {
    return last_;
  }
  auto& by_number = streams_[stream];
  const auto [found, is_new] = by_number.try_emplace(number, 0);
  if (!is_new) return last_ = found->second;
  std::uint32_t index = static_cast<std::uint32_t>(zones_.size());
  if (free_.empty()) {
    zones_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  zones_[index] = zone{stream, number};
  zones_[index].is_used = true;
  found->second = index;
  return last_ = index;
}

void timers::release(std::uint32_t index) {
  zones_[index] = {};
  free_.push_back(index);
}

void timers::put_fact(const zone& zone, bool is_tied) {
  std::optional<std::string> value;
  if (zone.floor != never) value = encode_due(zone.floor);
  store_.open_group().change_fact({zone_name(zone.stream, zone.number), std::move(value), is_tied});
}

void timers::add(stream_id stream, offset_t offset, std::uint64_t due_ms, bool in_memory) {
  const std::uint32_t index = zone_of(stream, offset >> zone_bits);
  zone& zone = zones_[index];
  zone.in_memory = in_memory;
  zone.newest = std::max(zone.newest, offset);
  if (!in_memory && (due_ms < zone.floor || !zone.is_stored)) {
    zone.floor = std::min(zone.floor, due_ms);
    zone.is_stored = true;
    put_fact(zone, true);
  }
  if (due_ms < horizon_ms_) {
    push(index, offset, due_ms);
  } else {
    zone.far = std::min(zone.far, due_ms);
  }
}

// An entry reaches 49 days beyond the base: what is later stays in its zone.
void timers::push(std::uint32_t index, offset_t offset, std::uint64_t due_ms) {
  if (heap_.size() >= alarms_max) send_half_back();
  const std::uint64_t reach = base_ms_ + std::numeric_limits<std::uint32_t>::max();
  if (due_ms >= reach) horizon_ms_ = std::min(horizon_ms_, reach);
  if (due_ms >= horizon_ms_) {
    zones_[index].far = std::min(zones_[index].far, due_ms);
    return;
  }
  const auto place = static_cast<std::uint32_t>(index << zone_bits | (offset & (zone_offsets - 1)));
  heap_.push_back({static_cast<std::uint32_t>(due_ms - std::min(due_ms, base_ms_)), place});
  std::push_heap(heap_.begin(), heap_.end(), is_later);
}

void timers::send_half_back() {
  const auto middle = heap_.begin() + static_cast<std::ptrdiff_t>(heap_.size() / 2);
  std::nth_element(heap_.begin(), middle, heap_.end(), [](const entry& a, const entry& b) { return a.due < b.due; });
  horizon_ms_ = due_of(*middle);
  for (auto one = heap_.begin(); one != heap_.end(); ++one) {
    if (due_of(*one) < horizon_ms_) continue;
    zone& zone = zones_[one->place >> zone_bits];
    if (zone.is_used) zone.far = std::min(zone.far, due_of(*one));
  }
  std::erase_if(heap_, [&](const entry& one) { return due_of(one) >= horizon_ms_; });
  std::make_heap(heap_.begin(), heap_.end(), is_later);
}

void timers::forget(stream_id stream) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  for (const auto& [number, index] : found->second) release(index);
  streams_.erase(found);
}

void timers::void_appends() {
  for (zone& zone : zones_) zone.is_stored = false;
  std::erase_if(
      heap_, [this](const entry& one) { return zones_[one.place >> zone_bits].is_used && !is_durable(alarm_of(one)); });
  std::make_heap(heap_.begin(), heap_.end(), is_later);
}

alarm timers::alarm_of(const entry& entry) const {
  const zone& zone = zones_[entry.place >> zone_bits];
  return {zone.stream, zone.number << zone_bits | (entry.place & (zone_offsets - 1))};
}

bool timers::is_durable(const alarm& alarm) const {
  const auto* const view = store_.read().find(alarm.stream);
  return view != nullptr && alarm.offset < view->end;
}

void timers::rebase(std::uint64_t now_ms) {
  const std::uint64_t step = now_ms - std::min(now_ms, base_ms_);
  for (entry& one : heap_) one.due -= static_cast<std::uint32_t>(std::min<std::uint64_t>(one.due, step));
  base_ms_ += step;
}

std::vector<alarm> timers::take_due(std::uint64_t now_ms, std::size_t most) {
  constexpr std::uint64_t half_reach = std::uint64_t{1} << 31;
  if (now_ms > base_ms_ + half_reach) rebase(now_ms);
  std::vector<alarm> due, coming;
  while (!heap_.empty() && due_of(heap_.front()) <= now_ms && due.size() + coming.size() < most) {
    std::pop_heap(heap_.begin(), heap_.end(), is_later);
    const entry one = heap_.back();
    heap_.pop_back();
    if (!zones_[one.place >> zone_bits].is_used) continue;
    const alarm found = alarm_of(one);
    (is_durable(found) ? due : coming).push_back(found);
  }
  for (const alarm& one : coming)
    push(zone_of(one.stream, one.offset >> zone_bits), one.offset, now_ms + not_durable_ms);
  if (heap_.empty()) heap_ = {};
  std::sort(due.begin(), due.end());
  due.erase(std::unique(due.begin(), due.end()), due.end());
  return due;
}

bool timers::wants_pass(std::uint64_t now_ms) const {
  if (is_passing_) return true;
  if (now_ms < not_before_) return false;
  if (has_left_) return true;
  return horizon_ms_ != never && (heap_.size() < alarms_few || now_ms + lead_ms >= horizon_ms_);
}

void timers::begin_pass(std::uint64_t now_ms) {
  is_passing_ = true;
  at_ = 0;
  not_before_ = now_ms + again_ms;
  rebase(now_ms);
  if (std::exchange(has_left_, false)) {
    known_before_ = 0;  // reads those zones only: what became durable in them may be due before the horizon
  } else {
    known_before_ = std::exchange(horizon_ms_, never);
  }
}

void timers::work(std::uint64_t now_ms) {
  if (!wants_pass(now_ms)) return;
  if (!is_passing_) begin_pass(now_ms);
  for (int left = zones_per_slice; left > 0 && at_ < zones_.size(); ++at_) {
    if (!zones_[at_].is_used || zones_[at_].far >= horizon_ms_) continue;
    read(at_);
    --left;
  }
  is_passing_ = at_ < zones_.size();
}

// Reads the zone's records: makes alarms of those that are due before the horizon, and notes the earliest of the rest.
void timers::read(std::uint32_t index) {
  const auto* const view = store_.read().find(zones_[index].stream);
  const std::uint64_t far_before = std::exchange(zones_[index].far, never);
  const std::uint64_t floor = read_dues(index);
  zone& zone = zones_[index];
  if (view == nullptr || view->end <= zone.newest) {
    // Messages on their way to flash were not read.
    zone.far = std::min(zone.far, far_before);
    has_left_ = true;
    return;
  }
  if (zone.in_memory || floor == zone.floor) return;
  zone.floor = floor;
  put_fact(zone, false);
}

// Returns the earliest due of all messages that are there; some may be settled.
std::uint64_t timers::read_dues(std::uint32_t index) {
  const offset_t first = zones_[index].number << zone_bits, end = first + zone_offsets;
  std::uint64_t floor = never;
  record_view record;
  message_view message;
  const auto take = [&](const batch_view& batch) {
    record_reader records(batch);
    while (records.next(record)) {
      if (record.offset < first || record.offset >= end) continue;
      ++records_read_;
      read_message(record, record_form::queue, message);
      if (message.due_ms == 0) continue;
      floor = std::min(floor, message.due_ms);
      if (message.due_ms >= known_before_) push(index, record.offset, message.due_ms);
    }
    return batch.last_offset + 1 < end;
  };
  const auto scanned = store_.read().scan(zones_[index].stream, first, take, [](offset_range) {});
  if (!scanned) log::error("timers: {}", scanned.error().text);
  return floor;
}

std::optional<std::uint64_t> timers::next(std::uint64_t now_ms) const {
  if (is_passing_ || wants_pass(now_ms)) return now_ms;
  std::uint64_t at = heap_.empty() ? never : due_of(heap_.front());
  if (horizon_ms_ != never) at = std::min(at, std::max(horizon_ms_ - lead_ms, not_before_));
  if (has_left_) at = std::min(at, not_before_);
  return at == never ? std::nullopt : std::optional(at);
}

void timers::tick() {
  for (auto stream = streams_.begin(); stream != streams_.end();) {
    const auto* const view = store_.read().find(stream->first);
    auto& by_number = stream->second;
    while (view != nullptr && !by_number.empty()) {
      const auto first = by_number.begin();
      if (((first->first + 1) << zone_bits) > view->log_start) break;
      zone& zone = zones_[first->second];
      zone.floor = never;
      if (!zone.in_memory) put_fact(zone, false);
      release(first->second);
      by_number.erase(first);
    }
    stream = by_number.empty() ? streams_.erase(stream) : std::next(stream);
  }
}

}  // namespace tidegate::core::timers
