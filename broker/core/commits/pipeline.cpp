#include "broker/core/commits/pipeline.hpp"

#include <algorithm>

#include "broker/base/limits.hpp"

namespace tidegate::core::commits {
namespace {

// The count of bytes written to flash is stored each time it has grown by so much. It is stored with a commit that is
// made anyway, and a killed process leaves no more than this step uncounted.
constexpr std::uint64_t flash_bytes_kept_step = 16 * limits::mib;

}  // namespace

pipeline::pipeline(store::store& store, const clock& clock, pace_options options, std::size_t group_bytes_max)
    : store_(store),
      clock_(clock),
      group_bytes_max_(group_bytes_max),
      timeline_(store.found_books().time, clock),
      pace_(std::move(options), clock, store.start().flash_bytes_before),
      flash_bytes_kept_(store.start().flash_bytes_before) {}

bool pipeline::has_room() const {
  return store_.open_group().bytes() + store_.riding_group().bytes() < group_bytes_max_ &&
         receipts_.gathering.size() < limits::receipts_gathering;
}

bool pipeline::accepts() const {
  return has_room() && store_.memory_group().bytes() < group_bytes_max_ &&
         receipts_.at_once.size() < limits::receipts_gathering;
}

store::commit_group& pipeline::group_of(const durability& durability, course course) {
  if (!durability.is_memory()) return store_.open_group();
  return course == course::at_once ? store_.memory_group() : store_.riding_group();
}

// A full group is due at once: it has no room for more work to wait for.
void pipeline::note(milliseconds wait_max) {
  if (pace_.note(has_room() ? wait_max : milliseconds(0))) ask_for_call();
}

void pipeline::note_settled(bool is_in_memory) {
  if (is_in_memory) return wake(milliseconds(0));
  note(acknowledgement_delay_max);
}

void pipeline::answer_later(const receipt& answer, bool appends) {
  receipts_.gathering.push_back({answer, appends});
  pace_.awaited();
}

void pipeline::answer_later(const receipt& answer, course course, milliseconds wait_max) {
  if (course == course::at_once) {
    receipts_.at_once.push_back({answer, true});
    return wake(milliseconds(0));
  }
  answer_later(answer, true);
  // Riding records need no commit of their own: they wait for the one that is coming, or ask for a step if none is.
  if (course == course::written || !pace_.has_work()) note(wait_max);
}

void pipeline::ask_for_call() {
  if (!store_.is_busy()) wake(pace_.wait());  // if busy, is_due() is called after collect() anyway
}

void pipeline::wake(milliseconds wait) {
  const milliseconds at = clock_.monotonic() + wait;
  if (at >= call_at_) return;
  call_at_ = at;
  wake_(wait);
}

progress pipeline::apply_memory() {
  progress done;
  store::commit_group& group = store_.memory_group();
  ++memory_turn_;
  group.contents().time = timeline_.now();
  const bool was_held_back = !accepts(), had_work = !store_.open_group().empty();
  done.streams = store_.apply_memory();
  settle(done, std::exchange(receipts_.at_once, {}), true);
  // Applying the group may have put reservations of offsets into the open group.
  if (!had_work && !store_.open_group().empty()) note(acknowledgement_delay_max);
  done.has_room_again = was_held_back && accepts();
  return done;
}

bool pipeline::is_due() {
  if (store_.is_busy() || !pace_.has_work()) return false;  // if busy, is_due() is called after collect() anyway
  const bool writes = store_.has_work_for_writer() || work_left_;
  if (!writes || pace_.wait().count() <= 0) return true;
  ask_for_call();
  return false;
}

progress pipeline::hand_over() {
  progress done;
  const bool was_held_back = !accepts();
  if (store_.has_work_for_writer() || work_left_) {
    submit();
  } else {
    // Nothing is to be written and nothing is with the writer, so every change that a receipt waits for is on flash
    // already, or in memory now.
    pace_.dismissed();
    store_.riding_group().contents().time = timeline_.now();
    done.streams = store_.apply_riding();
    settle(done, std::exchange(receipts_.gathering, {}), true);
  }
  done.has_room_again = was_held_back && accepts();
  return done;
}

void pipeline::submit() {
  work_left_ = false;
  receipts_.flying = std::exchange(receipts_.gathering, {});
  flying_producers_ = store_.open_group().contents().producers;
  store_.open_group().contents().time = timeline_.now();
  ++group_number_;
  store_.submit();
  pace_.handed_over();
}

std::optional<progress> pipeline::collect() {
  auto result = store_.collect();
  if (!result) return std::nullopt;
  figures_.commits += result->bytes_written > 0 ? 1 : 0;
  figures_.bytes_written += result->bytes_written;
  figures_.journal_bytes = result->journal_bytes;
  work_left_ = result->work_left;
  progress done;
  done.streams = std::move(result->streams);
  pace_.committed(result->bytes_written > 0);
  if (work_left_) pace_.note(milliseconds(0));
  if (result->appends_stored) {
    done.producers = std::exchange(flying_producers_, {});
    settle(done, std::exchange(receipts_.flying, {}), true);
  } else {
    refuse(done);
  }
  return done;
}

void pipeline::settle(progress& into, std::vector<waiting> receipts, bool are_stored) {
  for (const waiting& item : receipts) into.receipts.push_back({item.answer, item.appends && !are_stored});
}

// The map is full and the records of both groups are void. Everything else in the written group is stored, and
// everything else in the gathering group still waits for its commit.
void pipeline::refuse(progress& into) {
  into.is_void = true;
  store_.open_group().drop_appends();
  store_.riding_group().drop_appends();
  settle(into, std::exchange(receipts_.flying, {}), false);
  const auto kept = std::stable_partition(receipts_.gathering.begin(), receipts_.gathering.end(),
                                          [](const waiting& item) { return item.appends; });
  settle(into, {receipts_.gathering.begin(), kept}, false);
  receipts_.gathering.erase(receipts_.gathering.begin(), kept);
}

void pipeline::tick() {
  timeline_.read();  // notices when the clock can say how long the machine was off
  pace_.flash().measure();
  const auto written = pace_.flash().since_made();
  if (!written || *written < flash_bytes_kept_ + flash_bytes_kept_step) return;
  flash_bytes_kept_ = *written;
  store_.open_group().contents().flash_bytes = *written;
}

bool pipeline::is_idle() const {
  return !store_.is_busy() && store_.open_group().empty() && store_.riding_group().empty() &&
         store_.memory_group().empty();
}

}  // namespace tidegate::core::commits
