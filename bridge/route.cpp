#include "bridge/route.hpp"

#include <algorithm>

#include "broker/base/log.hpp"

namespace tidegate::bridge {

route::route(route_settings settings, source_factory sources, const clock& clock)
    : settings_(std::move(settings)),
      sources_(std::move(sources)),
      clock_(clock),
      backoff_(settings_.backoff_min, settings_.backoff_max) {}

void route::use(std::unique_ptr<sink> sink) { sink_ = std::move(sink); }

// ----------------------------------------------------------------------------------------------------- the source

void route::source_up(const identity& log, std::uint32_t partitions) {
  const bool is_another = log != log_;
  // Reports of records of the old log would be taken for the new one's, whose offsets start again.
  if (is_another && stage_ != stage::waiting) {
    close_sink();
    stage_ = stage::waiting;
  }
  log_ = log;
  source_up_ = true;
  partitions_ = is_another ? partitions : std::max(partitions_, partitions);
  while (lanes_.size() < partitions_) add_lane();
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    i < partitions_ ? lanes_[i].forward->source_up(log) : lanes_[i].forward->source_gone();
  }
  if (stage_ == stage::waiting) open_sink();
  pump();
}

void route::add_lane() {
  const auto partition = static_cast<std::uint32_t>(lanes_.size());
  lane made{sources_(*this, partition), nullptr};
  forwarder_settings settings{settings_.name, settings_.topic, partition};
  settings.times = settings_.times;
  made.forward = std::make_unique<forwarder>(std::move(settings), *made.from, *sink_, clock_);
  if (stage_ == stage::open) made.forward->sink_up(pace_);
  lanes_.push_back(std::move(made));
}

void route::source_lost() {
  source_up_ = false;
  for (std::size_t i = 0; i < partitions_; ++i) lanes_[i].forward->source_lost();
}

void route::source_missing(const std::string& reason) {
  if (last_error_ != reason) log::warning("route {}: {}", settings_.name, reason);
  last_error_ = reason;
  // Where another bridge does this work, nothing of ours may still arrive.
  if (stage_ == stage::waiting) return;
  close_sink();
  stage_ = stage::waiting;
}

// The sink has one queue for all: the first to be asked takes turns.
void route::pump() {
  const std::size_t count = lanes_.size();
  for (std::size_t i = 0; i < count; ++i) lanes_[(first_ + i) % count].forward->pump();
  if (count > 0) first_ = (first_ + 1) % count;
  const auto needs_fresh_sink = [](const lane& each) { return each.forward->needs_fresh_sink(); };
  if (stage_ != stage::open || std::none_of(lanes_.begin(), lanes_.end(), needs_fresh_sink)) return;
  close_sink();
  open_sink();
}

// -------------------------------------------------------------------------------------------------------- the sink

void route::open_sink() {
  stage_ = stage::opening;
  progress_at_ = clock_.monotonic();
  sink_->open(pace_);
}

void route::close_sink() {
  sink_->close();
  unreachable_ = false;
  for (lane& each : lanes_) each.forward->sink_lost();
}

void route::opened() {
  stage_ = stage::open;
  for (lane& each : lanes_) each.forward->sink_up(pace_);
  pump();
}

void route::recovered(std::uint32_t partition, std::uint64_t ticket, recovery found) {
  healthy();
  at(partition).recovered(ticket, std::move(found));
  pump();
}

void route::confirmed(std::uint32_t partition, offset_t offset, destination where) {
  healthy();
  backoff_.reset();
  at(partition).confirmed(offset, where);
}

void route::refused(std::uint32_t partition, offset_t offset, refusal_cause cause, std::string reason) {
  progress_at_ = clock_.monotonic();
  at(partition).refused(offset, cause, reason);
}

void route::healthy() {
  progress_at_ = clock_.monotonic();
  if (unreachable_ || !last_error_.empty())
    log::info("route {}: {} answers again", settings_.name, settings_.destination);
  unreachable_ = false;
  last_error_.clear();
}

void route::unreachable(std::string reason) {
  // With nothing under way nobody would notice that it is back: opening the sink anew asks.
  if (!in_flight()) return broken(std::move(reason), false);
  if (!unreachable_) log::warning("route {}: {} is not reachable: {}", settings_.name, settings_.destination, reason);
  unreachable_ = true;
  last_error_ = std::move(reason);
}

void route::broken(std::string reason, bool record_refused) {
  close_sink();
  ++restarts_;
  if (record_refused) {
    log::warning("route {}: {}; records go one by one to find which", settings_.name, reason);
    pace_ = pace::one_by_one;
    last_error_ = std::move(reason);
    return open_sink();
  }
  const milliseconds wait = backoff_.next();
  if (last_error_ != reason) {
    log::warning("route {}: {}: {}; again in {} ms", settings_.name, settings_.destination, reason, wait.count());
  }
  last_error_ = std::move(reason);
  stage_ = stage::backing_off;
  retry_at_ = clock_.monotonic() + wait;
}

void route::tick() {
  if (stage_ == stage::backing_off && clock_.monotonic() >= retry_at_) open_sink();
  if (stage_ == stage::open) check_health();
  pump();
}

// "Connected" is not "healthy": what counts is what was confirmed.
void route::check_health() {
  const milliseconds now = clock_.monotonic();
  if (!in_flight()) {
    progress_at_ = now;
  } else if (now - progress_at_ >= settings_.progress_deadline) {
    return broken("nothing was confirmed for " + std::to_string((now - progress_at_).count()) + " ms", false);
  }
  if (pace_ == pace::one_by_one && past_suspects()) {
    pace_ = pace::normal;
    close_sink();
    open_sink();
  }
}

void route::kick() {
  backoff_.reset();
  if (stage_ == stage::backing_off) retry_at_ = clock_.monotonic();
  if (stage_ == stage::open && unreachable_) {
    close_sink();
    open_sink();
  }
}

void route::stop() {
  stopping_ = true;
  for (lane& each : lanes_) each.forward->stop();
  if (stage_ == stage::open) sink_->flush();
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
  if (unreachable_) return "destination unreachable";
  switch (stage_) {
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
  route_status status{
      settings_.name, settings_.topic, settings_.sink, settings_.destination, state(), last_error_, {}, restarts_, {}};
  if (stage_ == stage::backing_off) {
    status.retry_in = std::max(milliseconds{0}, retry_at_ - clock_.monotonic());
  }
  for (std::uint32_t partition = 0; partition < lanes_.size(); ++partition) {
    status.partitions.push_back(partition_of(partition));
  }
  return status;
}

}  // namespace tidegate::bridge
