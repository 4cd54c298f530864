// The broker's side of the commits: which publish may wait how long, and what follows from each step.
#include <algorithm>

#include "broker/base/log.hpp"
#include "broker/core/broker.hpp"

namespace tidegate::core {

milliseconds broker::wait_of(durability durability) const {
  return durability.how == durability::mode::interval ? durability.interval : options_.commit.linger;
}

// The strictest of all targets that are written.
milliseconds broker::wait_of(const routing::route& route) const {
  milliseconds wait = milliseconds::max();
  const auto look = [&](const durability& durability) {
    if (!durability.is_memory()) wait = std::min(wait, wait_of(durability));
  };
  for (const queue* const queue : route.queues) look(queue->definition().durability);
  for (const topic* const topic : route.topics) look(topic->definition().durability);
  return wait == milliseconds::max() ? options_.commit.linger : wait;
}

void broker::flush() {
  apply_memory();
  if (commits_.is_due()) hand_over();
}

void broker::flush_now() {
  apply_memory();
  if (!commits_.is_busy()) return hand_over();
  commits_.pace().hurry();  // collect() sees to it
}

void broker::apply_memory() {
  if (!commits_.has_memory_group()) return;
  keep_queue_bounds(store_.memory_group());
  pass_on(commits_.apply_memory());
}

void broker::hand_over() {
  apply_memory();
  keep_queue_bounds(store_.open_group());
  keep_queue_bounds(store_.riding_group());
  pass_on(commits_.hand_over());
}

void broker::collect() {
  // A void group takes back offsets; those of the memory group lie before them.
  apply_memory();
  const auto brought = commits_.collect();
  if (!brought) return;
  pass_on(*brought);
  flush();
}

void broker::pass_on(const commits::progress& progress) {
  if (progress.is_void) void_appends();
  advance(progress.streams);
  producers_.made_durable(progress.producers);
  settle(progress.receipts);
  if (!progress.has_room_again) return;
  for (const auto& [id, session] : sessions_) session.events->resumed();
}

void broker::advance(const std::vector<store::stream_update>& updates) {
  for (const store::stream_update& update : updates) {
    if (const auto queue = queue_streams_.find(update.stream); queue != queue_streams_.end()) {
      queue->second->advance(update.end);
      wake_consumers(*queue->second);
    } else if (const auto partition = partition_streams_.find(update.stream); partition != partition_streams_.end()) {
      wake_watchers(*partition->second);
    }
  }
}

void broker::settle(const std::vector<commits::settlement>& receipts) {
  std::optional<error> refusal;
  for (const auto& [answer, is_refused] : receipts) {
    if (is_refused && !refusal) refusal = full_error();
    counters_.refused_full += is_refused ? 1 : 0;
    session_events* const events = events_of(answer.session);
    if (events != nullptr) events->settled(answer.token, is_refused ? &*refusal : nullptr);
  }
}

// A full map: the group's records and sequences are void, and so are those that were given offsets behind them.
void broker::void_appends() {
  log::warning("{}", full_error().text);
  for (auto& [name, queue] : queues_) {
    queue->void_appends();
    wake_consumers(*queue);
  }
  for (auto& [stream, partition] : partition_streams_) {
    const auto* const durable = store_.read().find(stream);
    partition->next = durable == nullptr ? 0 : durable->end;
  }
  producers_.restore_durable();
}

// What the group brings to a queue may be too much for it; the oldest goes with it. Of what a queue in memory is given,
// the memory group has all, or the riding one what is behind that.
void broker::keep_queue_bounds(store::commit_group& group) {
  for (const store::stream_share& share : group.shares()) {
    const auto queue = queue_streams_.find(share.stream);
    const bool is_whole = &group != &store_.memory_group() || store_.is_free(share.stream, 0);
    if (queue != queue_streams_.end() && is_whole) queue->second->keep_bounds(store_.read(), group);
  }
}

}  // namespace tidegate::core
