#include "bridge/route.hpp"

#include <algorithm>

#include "broker/base/log.hpp"

namespace tidegate::bridge {

route::route(route_settings settings, source_factory sources, const clock& clock)
    : settings_(std::move(settings)), sources_(std::move(sources)), clock_(clock), link_(settings_) {}

void route::use(std::unique_ptr<sink> sink) { sink_ = std::move(sink); }

// ----------------------------------------------------------------------------------------------------- the source

void route::source_up(const identity& log, std::uint32_t partitions) {
  const bool is_another = log != log_;
  // A late report of the old log would be taken for one of the new log, whose offsets start again.
  if (is_another && link_.at != stage::waiting) {
    close_sink();
    link_.at = stage::waiting;
  }
  log_ = log;
  source_up_ = true;
  partitions_ = is_another ? partitions : std::max(partitions_, partitions);
  while (lanes_.size() < partitions_) add_lane();
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    i < partitions_ ? lanes_[i].forward->source_up(log) : lanes_[i].forward->source_gone();
  }
  if (link_.at == stage::waiting) open_sink();
  pump();
}

void route::add_lane() {
  const auto partition = static_cast<std::uint32_t>(lanes_.size());
  lane made{sources_(*this, partition), nullptr};
  forwarder_settings settings{settings_.name, settings_.topic, partition};
  settings.times = settings_.times;
  made.forward = std::make_unique<forwarder>(std::move(settings), *made.from, *sink_, clock_);
  if (link_.at == stage::open) made.forward->sink_up(link_.at_pace);
  lanes_.push_back(std::move(made));
}

void route::source_lost() {
  source_up_ = false;
  for (std::size_t i = 0; i < partitions_; ++i) lanes_[i].forward->source_lost();
}

void route::source_missing(const std::string& reason) {
  if (link_.last_error != reason) log::warning("route {}: {}", settings_.name, reason);
  link_.last_error = reason;
  // If another bridge does this work, nothing of this one may still arrive.
  if (link_.at == stage::waiting) return;
  close_sink();
  link_.at = stage::waiting;
}

// The sink has one queue for all forwarders, so they take turns to be the first.
void route::pump() {
  const std::size_t count = lanes_.size();
  for (std::size_t i = 0; i < count; ++i) lanes_[(first_ + i) % count].forward->pump();
  if (count > 0) first_ = (first_ + 1) % count;
  const auto needs_fresh_sink = [](const lane& each) { return each.forward->needs_fresh_sink(); };
  if (link_.at != stage::open || std::none_of(lanes_.begin(), lanes_.end(), needs_fresh_sink)) return;
  close_sink();
  open_sink();
}

// -------------------------------------------------------------------------------------------------------- the sink

void route::open_sink() {
  link_.at = stage::opening;
  link_.progress_at = clock_.monotonic();
  sink_->open(link_.at_pace);
}

void route::close_sink() {
  sink_->close();
  link_.unreachable = false;
  for (lane& each : lanes_) each.forward->sink_lost();
}

void route::opened() {
  link_.at = stage::open;
  for (lane& each : lanes_) each.forward->sink_up(link_.at_pace);
  pump();
}

void route::recovered(std::uint32_t partition, std::uint64_t ticket, recovery found) {
  healthy();
  at(partition).recovered(ticket, std::move(found));
  pump();
}

void route::confirmed(std::uint32_t partition, offset_t offset, destination where) {
  healthy();
  link_.retries.reset();
  at(partition).confirmed(offset, where);
}

void route::refused(std::uint32_t partition, offset_t offset, refusal_cause cause, std::string reason) {
  link_.progress_at = clock_.monotonic();
  at(partition).refused(offset, cause, reason);
}

void route::healthy() {
  link_.progress_at = clock_.monotonic();
  if (link_.unreachable || !link_.last_error.empty())
    log::info("route {}: {} answers again", settings_.name, settings_.destination);
  link_.unreachable = false;
  link_.last_error.clear();
}

void route::unreachable(std::string reason) {
  // With nothing in flight nobody would notice that the destination is back: opening the sink again asks it.
  if (!in_flight()) return broken(std::move(reason), false);
  if (!link_.unreachable)
    log::warning("route {}: {} is not reachable: {}", settings_.name, settings_.destination, reason);
  link_.unreachable = true;
  link_.last_error = std::move(reason);
}

void route::broken(std::string reason, bool record_refused) {
  close_sink();
  ++link_.restarts;
  if (record_refused) {
    log::warning("route {}: {}; records go one by one to find which", settings_.name, reason);
    link_.at_pace = pace::one_by_one;
    link_.last_error = std::move(reason);
    return open_sink();
  }
  const milliseconds wait = link_.retries.next();
  if (link_.last_error != reason) {
    log::warning("route {}: {}: {}; again in {} ms", settings_.name, settings_.destination, reason, wait.count());
  }
  link_.last_error = std::move(reason);
  link_.at = stage::backing_off;
  link_.retry_at = clock_.monotonic() + wait;
}

void route::tick() {
  if (link_.at == stage::backing_off && clock_.monotonic() >= link_.retry_at) open_sink();
  if (link_.at == stage::open) check_health();
  pump();
}

// A connected sink may still be stuck: only confirmations count as health.
void route::check_health() {
  const milliseconds now = clock_.monotonic();
  if (!in_flight()) {
    link_.progress_at = now;
  } else if (now - link_.progress_at >= settings_.progress_deadline) {
    return broken("nothing was confirmed for " + std::to_string((now - link_.progress_at).count()) + " ms", false);
  }
  if (link_.at_pace == pace::one_by_one && past_suspects()) {
    link_.at_pace = pace::normal;
    close_sink();
    open_sink();
  }
}

void route::kick() {
  link_.retries.reset();
  if (link_.at == stage::backing_off) link_.retry_at = clock_.monotonic();
  if (link_.at == stage::open && link_.unreachable) {
    close_sink();
    open_sink();
  }
}

void route::stop() {
  stopping_ = true;
  for (lane& each : lanes_) each.forward->stop();
  if (link_.at == stage::open) sink_->flush();
  pump();
}

bool route::finished() const {
  return std::all_of(lanes_.begin(), lanes_.end(), [](const lane& each) { return each.forward->finished(); });
}

bool route::past_suspects() const {
  return std::all_of(lanes_.begin(), lanes_.end(), [](const lane& each) { return each.forward->past_suspects(); });
}

bool route::in_flight() const {
  return std::any_of(lanes_.begin(), lanes_.end(), [](const lane& each) { return each.forward->in_flight(); });
}

// ---------------------------------------------------------------------------------------------------------- status

std::string route::state() const {
  if (stopping_) return finished() ? "stopped" : "stopping";
  if (link_.unreachable) return "destination unreachable";
  switch (link_.at) {
    case stage::waiting: return "waiting for the broker";
    case stage::opening: return "connecting to the destination";
    case stage::open: return "open";
    case stage::backing_off: return "backing off";
  }
  return {};
}

partition_status route::partition_of(std::uint32_t partition) {
  forwarder& forward = at(partition);
  partition_status status{
      partition, std::string(forward.state()), forward.position(), forward.lag_records(), {}, forward.counters()};
  if (const auto oldest = forward.oldest_timestamp_ms()) {
    const auto age_ms = std::max<std::int64_t>(0, clock_.wall().count() - *oldest);
    status.lag_minutes = static_cast<double>(age_ms) / 60'000.0;
  } else if (forward.lag_records() == 0) {
    status.lag_minutes = 0.0;
  }
  return status;
}

route_status route::status() {
  route_status status{settings_.name,
                      settings_.topic,
                      settings_.sink,
                      settings_.destination,
                      state(),
                      link_.last_error,
                      {},
                      link_.restarts,
                      {}};
  if (link_.at == stage::backing_off) {
    status.retry_in = std::max(milliseconds{0}, link_.retry_at - clock_.monotonic());
  }
  for (std::uint32_t partition = 0; partition < lanes_.size(); ++partition) {
    status.partitions.push_back(partition_of(partition));
  }
  return status;
}

}  // namespace tidegate::bridge
