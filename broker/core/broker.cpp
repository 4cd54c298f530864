#include "broker/core/broker.hpp"

#include <optional>

#include "broker/base/log.hpp"
#include "broker/core/commits/refusals.hpp"

namespace tidegate::core {
namespace {

// A fact that this version does not know would be lost, so the start fails instead.
const store::contents& known_facts(const store::contents& found) {
  for (const auto& [name, value] : found.facts) {
    switch (store::space_of(name)) {
      case store::fact_space::committed_offset:
      case store::fact_space::producer:
      case store::fact_space::definition:
      case store::fact_space::due_zone:
      case store::fact_space::store: continue;
    }
    throw storage_failure("the store holds something that this version does not know: use the version that wrote it");
  }
  return found;
}

}  // namespace

broker::broker(store::store& store, const clock& clock, broker_options options)
    : store_(store),
      commits_(store, clock, options.commit, options.group_bytes_max),
      offsets_(known_facts(store.found())),
      catalog_(store, commits_, offsets_, options.retention_bytes_default),
      intake_(store, clock, catalog_, commits_, options.commit.linger),
      consuming_(catalog_, commits_, intake_.moves(), notices_),
      reading_(store, catalog_, commits_, notices_),
      sessions_(notices_, consuming_, reading_),
      publishing_(intake_, commits_, notices_, consuming_.replies()),
      transacting_(intake_.transactions(), consuming_),
      defining_(catalog_, consuming_, reading_),
      grouping_(store, catalog_, commits_, offsets_, options.commit.linger),
      inspecting_(store, clock, catalog_, commits_, offsets_, intake_, consuming_),
      services_{sessions_, publishing_, consuming_, transacting_, defining_, reading_, grouping_, inspecting_} {
  store_.forget_found();
}

void broker::on_work(std::function<void(milliseconds)> wake) {
  commits_.on_work(std::move(wake));
  ask_for_timers();
}

void broker::flush() {
  commits_.called();
  run_timers();
  apply_memory();
  if (commits_.is_due()) hand_over();
  notices_.tell();
  ask_for_timers();
}

void broker::flush_now() {
  apply_memory();
  if (commits_.is_busy()) {
    commits_.pace().hurry();  // the flush() at the end of collect() hands the group over
  } else {
    hand_over();
  }
  notices_.tell();
  ask_for_timers();
}

void broker::apply_memory() {
  if (!commits_.has_memory_group()) return;
  intake_.keep_bounds(store_.memory_group());
  pass_on(commits_.apply_memory());
}

void broker::hand_over() {
  apply_memory();
  intake_.keep_bounds(store_.open_group());
  intake_.keep_bounds(store_.riding_group());
  const commits::progress done = commits_.hand_over();
  intake_.moves().handed_over();
  if (!commits_.is_busy()) intake_.moves().stored();
  pass_on(done);
}

void broker::run_timers() {
  const auto wait = intake_.moves().next();
  if (wait && wait->count() == 0) intake_.moves().run();
  while (queues::queue* const unused = catalog_.queues().find_expired()) consuming_.remove(*unused);
}

void broker::ask_for_timers() {
  if (const auto wait = intake_.moves().next()) commits_.call_within(*wait);
  if (const auto wait = catalog_.queues().next_expiry()) commits_.call_within(*wait);
}

void broker::collect() {
  // If the writer's group is void, streams continue at their durable ends. The memory group's offsets come before the
  // void ones, so the memory group is applied first.
  apply_memory();
  const auto brought = commits_.collect();
  if (brought) {
    if (!brought->is_void) intake_.moves().stored();
    pass_on(*brought);
  }
  flush();
}

void broker::tell() { notices_.tell(); }

void broker::pass_on(const commits::progress& progress) {
  if (progress.is_void) void_appends();
  advance(progress.streams);
  intake_.producers().made_durable(progress.producers);
  settle(progress.receipts);
  if (progress.has_room_again) notices_.resumed();
}

void broker::advance(const std::vector<store::stream_update>& updates) {
  for (const store::stream_update& update : updates) {
    if (queues::queue* const queue = catalog_.queues().find(update.stream)) {
      queue->advance(update.stream, update.end);
      intake_.moves().bury_excess(*queue);
      consuming_.wake(*queue);
    } else {
      reading_.wake(update.stream);
    }
  }
}

// The map was full: the group's records and sequences are void, and so are all appends after them.
void broker::void_appends() {
  log::warning("{}", commits::store_full_error(store_).text);
  intake_.void_appends();
  for (const auto& [name, queue] : catalog_.queues().all()) consuming_.wake(*queue);
}

void broker::settle(const std::vector<commits::settlement>& receipts) {
  std::optional<error> refusal;
  for (const auto& [answer, is_refused] : receipts) {
    if (is_refused && !refusal) refusal = commits::store_full_error(store_);
    if (is_refused) intake_.count_refused();
    consuming_.replies().settled(answer, is_refused);
    notices_.settle(answer, is_refused ? &*refusal : nullptr);
  }
}

void broker::tick() {
  store_.watch();
  intake_.tick();
  for (const auto& [name, topic] : catalog_.topics().all()) {
    if (topic->definition().retention_age.count() == 0) continue;
    (topic->is_in_memory() ? store_.memory_group() : commits_.gathering()).expire();
  }
  commits_.tick();
  if (!commits_.gathering().empty()) commits_.note_settled(false);
  if (commits_.has_memory_group()) commits_.note_settled(true);
  notices_.tell();
  ask_for_timers();
}

}  // namespace tidegate::core
