#include "broker/core/api/notices.hpp"

namespace tidegate::core::api {

void notices::batch::clear() {
  deliverable.clear();
  cancelled.clear();
  changed.clear();
  leases_lost.clear();
  resumed.clear();
}

session_id notices::attach(session_events& events) {
  const session_id id{next_session_++};
  sessions_.emplace(id, entry{&events});
  last_ = id;
  last_events_ = &events;
  return id;
}

void notices::detach(session_id session) {
  if (session == last_) last_events_ = nullptr;
  sessions_.erase(session);
  std::erase(paused_, session);
}

notices::batch& notices::gather() {
  if (!std::exchange(is_asked_, true)) wake_();
  return gathered_;
}

void notices::deliverable(session_id session, consumer_id consumer) {
  gather().deliverable.emplace_back(session, consumer);
}

void notices::cancelled(session_id session, consumer_id consumer) {
  gather().cancelled.emplace_back(session, consumer);
}

void notices::changed(session_id session, stream_id stream) { gather().changed.emplace_back(session, stream); }

void notices::lease_lost(session_id session, std::string_view name) {
  gather().leases_lost.emplace_back(session, name);
}

void notices::pause(session_id session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end() || std::exchange(found->second.is_paused, true)) return;
  paused_.push_back(session);
}

void notices::resumed() {
  if (paused_.empty()) return;
  for (const session_id session : paused_) sessions_.at(session).is_paused = false;
  batch& batch = gather();
  batch.resumed.insert(batch.resumed.end(), paused_.begin(), paused_.end());
  paused_.clear();
}

session_events* notices::events_of(session_id session) {
  if (session == last_) return last_events_;
  const auto found = sessions_.find(session);
  last_ = session;
  last_events_ = found == sessions_.end() ? nullptr : found->second.events;
  return last_events_;
}

void notices::settle(const receipt& answer, const error* refusal) {
  if (session_events* const events = events_of(answer.session)) events->settled(answer.token, refusal);
}

void notices::tell() {
  is_asked_ = true;  // events gathered from here on are sent by this loop and need no wake-up
  while (!gathered_.empty()) {
    std::swap(gathered_, telling_);
    tell(telling_);
    telling_.clear();
  }
  is_asked_ = false;
}

void notices::tell(const batch& batch) {
  for (const auto& [session, consumer] : batch.deliverable) {
    if (auto* const events = events_of(session)) events->deliverable(consumer);
  }
  for (const auto& [session, consumer] : batch.cancelled) {
    if (auto* const events = events_of(session)) events->cancelled(consumer);
  }
  for (const auto& [session, stream] : batch.changed) {
    if (auto* const events = events_of(session)) events->changed(stream);
  }
  for (const auto& [session, name] : batch.leases_lost) {
    if (auto* const events = events_of(session)) events->lease_lost(name);
  }
  for (const session_id session : batch.resumed) {
    if (auto* const events = events_of(session)) events->resumed();
  }
}

}  // namespace tidegate::core::api
