#include "broker/core/transfer/moves.hpp"

#include <algorithm>

#include "broker/base/log.hpp"
#include "broker/model/properties.hpp"

namespace tidegate::core::transfer {
namespace {

using commits::course;

// Alarms that one turn of the loop handles, and the pause after which they are tried again in a full store.
constexpr std::size_t alarms_per_turn = 1'024;
constexpr std::uint64_t full_pause_ms = 1'000;
// How long a message whose time has come waits for a commit: it is expected now, and others may be due a moment later.
constexpr milliseconds release_delay_max{10};

store::loss_reason loss_of(death_reason reason) {
  switch (reason) {
    case death_reason::expired: return store::loss_reason::expired;
    case death_reason::delivery_limit: return store::loss_reason::delivery_limit;
    case death_reason::maxlen: return store::loss_reason::messages_max;
    case death_reason::rejected: break;
  }
  return store::loss_reason::dead_letter_refused;
}

}  // namespace

store::commit_group& moves::group_of(const queues::queue& queue) const {
  return commits_.group_of(queue.definition().durability, course::at_once);
}

queues::surroundings moves::around(queues::queue& queue) {
  taking_from_ = &queue;
  return {store_.read(), group_of(queue), now_ms(), depart_};
}

void moves::depart(queues::queue& queue, const queues::departure& departure, message_view& message) {
  const bool moves =
      departure.returns || catalog::queue_registry::is_delayed(queue) || queue.definition().dead_letter_exchange;
  // One acknowledgement may settle so many messages that their moves are more than one commit takes.
  if (moves && (!waiting_.empty() || !has_room())) {
    waiting_.push_back({&queue, departure});
    return;
  }
  if (departure.returns) return retry(queue, departure, message);
  if (catalog::queue_registry::is_delayed(queue)) return release(queue, departure, message);
  bury(queue, departure, message);
}

void moves::depart(queues::queue& queue, const queues::departure& departure) {
  const queues::held_message& held = departure.message;
  const stream_id stream = queue.lanes().of(held).stream();
  bool is_there = false;
  const auto read = store_.read().read_one(stream, held.offset, [&](const record_view& record) {
    is_there = true;
    message_view message;
    read_message(record, record_form::queue, message);
    depart(queue, departure, message);
  });
  if (is_there) return;
  if (!read) log::error("queue {}: {}", queue.name(), read.error().text);
  drop(queue, departure, store::loss_reason::damaged);
}

// The message is gone. Unless a consumer wanted that, its loss is recorded.
void moves::drop(queues::queue& queue, const queues::departure& departure, store::loss_reason reason) {
  const queues::held_message& held = departure.message;
  store::commit_group& group = group_of(queue);
  store::loss_record lost{reason, queue.lanes().of(held).stream(), {}, held.offset, held.offset + 1, 1, 1};
  lost.bytes = held.bytes;
  group.lose(std::move(lost));
  queue.lanes().of(held).acknowledge(held, group);
  commits_.note_settled(queue.definition().durability.is_memory());
}

void moves::make_letter(const queues::queue& queue, death_reason reason, message_view& message, letter& kept) {
  if (auto known = decode_deaths(message.deaths)) kept.died = std::move(*known);
  death died{queue.name(),
             reason,
             1,
             commits_.timeline().wall().count(),
             std::string(message.exchange),
             {std::string(message.routing_key)}};
  if (const auto properties = read_properties(message.properties)) {
    kept.traits.priority = properties->priority.value_or(0);
    if (properties->expiration) {
      const auto live = time_to_live_of(*properties);
      if (live && *live) died.original_expiration = static_cast<std::uint64_t>((*live)->count());
      tidegate::properties without = *properties;
      without.expiration.reset();
      kept.properties = encode(without);
      message.properties = kept.properties;
    }
  }
  kept.died.add(std::move(died));
  kept.deaths = encode(kept.died);
  while (kept.deaths.size() > limits::deaths_bytes && kept.died.list.size() > 1) {
    kept.died.list.pop_back();
    kept.deaths = encode(kept.died);
  }
  message.deaths = kept.deaths;
  message.due_ms = 0;
  message.attempts = 0;
  message.exchange = *queue.definition().dead_letter_exchange;
  if (queue.definition().dead_letter_key) message.routing_key = *queue.definition().dead_letter_key;
}

void moves::bury(queues::queue& queue, const queues::departure& departure, message_view& message) {
  if (!queue.definition().dead_letter_exchange) return drop(queue, departure, loss_of(departure.reason));
  letter kept;
  make_letter(queue, departure.reason, message, kept);
  if (const routing::route* const route = catalog_.find_route(message)) {
    const auto takes = [&](const queues::queue& to) { return !kept.died.is_cycle(to.name()); };
    placing_.plan_move(message, *route, kept.traits, &queue, takes);
    if (!placing_.plan().placements.empty()) {
      ++counters_.dead_lettered;
      return leave(queue, departure.message, message);
    }
  }
  drop(queue, departure, store::loss_reason::dead_letter_refused);
}

void moves::bury_refused(const queues::queue& queue, message_view message) {
  if (queue.definition().overflow != overflow::reject_dead_letter || !queue.definition().dead_letter_exchange) return;
  if (!placing_.can_move()) return;
  letter kept;
  make_letter(queue, death_reason::maxlen, message, kept);
  const routing::route* const route = catalog_.find_route(message);
  if (route == nullptr) return;
  placing_.plan_move(message, *route, kept.traits, nullptr,
                     [&](const queues::queue& to) { return !kept.died.is_cycle(to.name()); });
  if (placing_.plan().placements.empty()) return;
  ++counters_.dead_lettered;
  placing_.put(message, commits_.timeline().wall().count());
  commits_.note_settled(placing_.plan().course == course::at_once);
}

// Carries out the plan, and settles the message at its old place in the same commit.
void moves::leave(queues::queue& queue, const queues::held_message& held, message_view& moved) {
  const course course = placing_.plan().course;
  placing_.put(moved, commits_.timeline().wall().count());
  queue.lanes().of(held).leave(held, commits_.group_of(queue.definition().durability, course));
  if (course != course::at_once) leaving_.add(queue, held);
  commits_.note_settled(course == course::at_once);
}

// The message waits with the delayed ones and then comes back to its queue. Its own time to live goes on meanwhile. If
// there is no room to wait, it is ready again at once: a return must not lose it.
void moves::retry(queues::queue& queue, const queues::departure& departure, message_view& message) {
  const auto put_back = [&] { queue.lanes().of(departure.message).put_back(departure.message, group_of(queue)); };
  queues::queue* const delayed = catalog_.open_delayed(queue.definition().durability.is_memory());
  if (delayed == nullptr) return put_back();
  const queue_definition& rule = queue.definition();
  const std::uint32_t tries = departure.message.deliveries + 1u;
  milliseconds wait = std::min(rule.retry_delay * tries, limits::time_to_live_max);
  if (rule.retry_delay_max.count() != 0) wait = std::min(wait, rule.retry_delay_max);
  message.attempts = tries;
  message.return_to = queue.name();
  message.expires_ms = message.due_ms;
  message.due_ms = now_ms() + static_cast<std::uint64_t>(wait.count());
  placing_.plan_move(message, *delayed, {}, queue);
  if (placing_.plan().placements.empty()) return put_back();
  leave(queue, departure.message, message);
}

void moves::release(queues::queue& delayed, const queues::departure& departure, message_view& message) {
  message.due_ms = 0;
  const auto read = traits_of(message);
  const traits traits = read ? *read : transfer::traits{};
  if (message.return_to.empty()) {
    const routing::route* const route = catalog_.find_route(message);
    if (route == nullptr) return drop(delayed, departure, store::loss_reason::dead_letter_refused);
    placing_.plan_move(message, *route, traits, &delayed, [](const queues::queue&) { return true; });
  } else {
    queues::queue* const home = catalog_.queues().find(message.return_to);
    if (home == nullptr) return drop(delayed, departure, store::loss_reason::dead_letter_refused);
    message.due_ms = std::exchange(message.expires_ms, 0);
    message.return_to = {};
    placing_.plan_move(message, *home, traits, delayed);
  }
  if (placing_.plan().placements.empty()) return drop(delayed, departure, store::loss_reason::dead_letter_refused);
  leave(delayed, departure.message, message);
  if (placing_.plan().course != course::at_once) commits_.note(release_delay_max);
}

void moves::lose(const queues::dropped_range& gone, store::commit_group& group) {
  store::loss_record lost{gone.reason, gone.stream, {}, gone.first, gone.end, gone.records};
  lost.bytes = gone.bytes;
  lost.unread = gone.records;
  group.lose(std::move(lost), true);
}

bool moves::has_room() const { return placing_.can_move() && commits_.accepts(); }

void moves::bury_excess(queues::queue& queue) {
  if (!queue.bounds().has_excess()) return;
  if (!has_room()) {
    if (std::find(over_.begin(), over_.end(), &queue) == over_.end()) over_.push_back(&queue);
    return;
  }
  const auto buried = queue.bounds().bury_excess(around(queue), [this] { return has_room(); });
  if (!buried) return log::error("queue {}: {}", queue.name(), buried.error().text);
  if (queue.bounds().has_excess()) over_.push_back(&queue);
}

void moves::run() {
  work_off();
  const std::uint64_t now = now_ms();
  if (now < not_before_ms_ || !commits_.accepts()) return;
  if (!placing_.can_move()) {
    not_before_ms_ = now + full_pause_ms;
    return;
  }
  const auto due = timers_.take_due(now, alarms_per_turn);
  std::vector<offset_t> offsets;
  for (auto first = due.begin(); first != due.end();) {
    const auto end = std::find_if(first, due.end(), [&](const auto& one) { return one.stream != first->stream; });
    offsets.clear();
    for (auto one = first; one != end; ++one) offsets.push_back(one->offset);
    if (queues::queue* const queue = catalog_.queues().find(first->stream)) {
      const auto expired = queue->expire(first->stream, offsets, around(*queue));
      if (!expired) log::error("queue {}: {}", queue->name(), expired.error().text);
    }
    first = end;
  }
  timers_.work(now);
}

std::optional<milliseconds> moves::next() {
  if ((!waiting_.empty() || !over_.empty()) && has_room()) return milliseconds(0);
  if (timers_.is_idle()) return std::nullopt;
  const std::uint64_t now = now_ms();
  const auto at = timers_.next(now);
  if (!at || !commits_.accepts()) return std::nullopt;  // the end of the next commit calls run() again
  const std::uint64_t wait = std::max(*at, not_before_ms_) - std::min(now, std::max(*at, not_before_ms_));
  return milliseconds(static_cast<std::int64_t>(wait));
}

// Tries again what had no room.
void moves::work_off() {
  if (!has_room()) return;
  auto left = std::exchange(waiting_, {});
  std::size_t done = 0;
  for (; done < left.size() && has_room(); ++done) depart(*left[done].queue, left[done].departure);
  waiting_.insert(waiting_.end(), left.begin() + static_cast<std::ptrdiff_t>(done), left.end());
  for (queues::queue* const queue : std::exchange(over_, {})) bury_excess(*queue);
}

void moves::tick() {
  timers_.tick();
  work_off();
  for (const auto& [name, queue] : catalog_.queues().all()) bury_excess(*queue);
}

void moves::stored() { leaving_.stored(); }

void moves::void_appends() {
  timers_.void_appends();
  leaving_.come_back([this](queues::queue& queue, const queues::held_message& message) {
    queue.lanes().of(message).come_back(message);
    if (message.due_ms == 0) return;
    timers_.add(queue.lanes().of(message).stream(), message.offset, message.due_ms,
                queue.definition().durability.is_memory());
  });
}

void moves::forget(queues::queue& queue) {
  leaving_.forget(queue);
  std::erase_if(waiting_, [&](const waiting& one) { return one.queue == &queue; });
  std::erase(over_, &queue);
  for (const queues::lane* const lane : queue.lanes().all()) timers_.forget(lane->stream());
}

}  // namespace tidegate::core::transfer
