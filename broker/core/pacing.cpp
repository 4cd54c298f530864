// The broker's side of the pace: which work may wait how long, and when the open group goes to the writer.
#include <algorithm>

#include "broker/core/broker.hpp"

namespace tidegate::core {
namespace {

// The count of bytes written is kept in the store when it grew by so much: it rides on a commit, and a kill loses no
// more of it.
constexpr std::uint64_t flash_bytes_kept_step = 16 * limits::mib;

}  // namespace

milliseconds broker::wait_of(durability durability) const {
  return durability.how == durability::mode::interval ? durability.interval : options_.commit.linger;
}

// The strictest of all targets that are written.
milliseconds broker::wait_of(const route& route) const {
  milliseconds wait = milliseconds::max();
  const auto look = [&](const durability& durability) {
    if (!durability.is_memory()) wait = std::min(wait, wait_of(durability));
  };
  for (const queue* const queue : route.queues) look(queue->definition().durability);
  for (const topic* const topic : route.topics) look(topic->definition().durability);
  return wait == milliseconds::max() ? options_.commit.linger : wait;
}

// A full group waits for no more company: there is room for none.
void broker::note(milliseconds wait_max) {
  if (pace_.note(group_has_room() ? wait_max : milliseconds(0))) ask_for_flush();
}

void broker::ask_for_flush() {
  if (!store_.is_busy()) wake(pace_.wait());  // otherwise collect() looks
}

void broker::wake(milliseconds wait) {
  const milliseconds at = clock_.monotonic() + wait;
  if (at >= flush_at_) return;
  flush_at_ = at;
  wake_(wait);
}

void broker::flush() {
  flush_at_ = milliseconds::max();
  apply_memory();
  if (store_.is_busy()) return;  // collect() looks
  if (!pace_.has_work()) return;
  const bool writes = store_.has_work_for_writer() || work_left_;
  if (writes && pace_.wait().count() > 0) return ask_for_flush();
  hand_over();
}

void broker::flush_now() {
  apply_memory();
  if (!store_.is_busy()) return hand_over();
  pace_.hurry();  // collect() sees to it
}

void broker::hand_over() {
  const bool was_held_back = !accepts();
  apply_memory();
  if (store_.has_work_for_writer() || work_left_) {
    submit();
  } else {
    // Nothing to write, and nothing on its way: what the receipts wait for is on flash already, or in memory now.
    pace_.dismissed();
    keep_queue_bounds(store_.riding_group());
    store_.riding_group().set_time(timeline_.now());
    advance(store_.apply_riding());
    settle_all(std::exchange(gathering_, {}), nullptr);
  }
  resume(was_held_back);
}

void broker::resume(bool was_held_back) {
  if (!was_held_back || !accepts()) return;
  for (const auto& [id, session] : sessions_) session.events->resumed();
}

void broker::keep_flash_account() {
  pace_.flash().measure();
  const auto written = pace_.flash().since_made();
  if (!written || *written < flash_bytes_kept_ + flash_bytes_kept_step) return;
  flash_bytes_kept_ = *written;
  store_.open_group().keep_flash_bytes(*written);
}

}  // namespace tidegate::core
