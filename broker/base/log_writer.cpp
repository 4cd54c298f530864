#include "broker/base/log_writer.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <utility>

#include "broker/base/clock.hpp"
#include "broker/base/limits.hpp"
#include "broker/base/log_folding.hpp"

namespace tidegate::log {
namespace {

std::atomic<writer*> active_writer = nullptr;

// Room for time, level, colours and the line's end.
constexpr std::size_t frame_bytes = 64;
constexpr std::size_t stack_bytes = 256 * limits::kib;  // reserved, and hardly used

}  // namespace

// Outlives the writer if its thread hangs in write(2).
struct writer::shared {
  explicit shared(int its_descriptor) : descriptor(its_descriptor), coloured(is_coloured(its_descriptor)) {
    waiting.reserve(limits::log_bytes_waiting);
    out.lines.reserve(limits::log_bytes_waiting);
    out.notice.reserve(limits::log_line_bytes);
  }

  void put(level level, std::string_view line);
  void put_plain(std::string_view line);
  bool has_room_for(std::size_t bytes);
  void append(level level, std::string_view line);
  void append_count(const repeats& found);
  void append_counts();
  void write_until_end();
  void write_leaving(std::uint64_t dropped_after_it);
  void report_dropped();
  bool is_through() const { return waiting.empty() && !is_writing; }

  const system_clock time;
  const int descriptor;
  const bool coloured;

  std::mutex mutex;
  std::condition_variable work;     // wakes the writing thread
  std::condition_variable through;  // wakes those that wait until everything is written
  folding repeated;
  std::string waiting;
  std::uint64_t dropped = 0;  // lines for which `waiting` has no room
  bool is_writing = false;
  bool is_ending = false;
  bool has_ended = false;

  // Used by the writing thread only.
  struct outgoing {
    std::string lines;
    std::string notice;
    std::uint64_t unreported = 0;  // dropped lines
    bool is_torn = false;          // the last line was written in part
  } out;
};

void writer::shared::put(level level, std::string_view line) {
  const std::lock_guard guard(mutex);
  line = line.substr(0, limits::log_line_bytes);
  if (repeated.admit(level, line, time.monotonic())) append(level, line);
}

void writer::shared::put_plain(std::string_view line) {
  const std::lock_guard guard(mutex);
  line = line.substr(0, limits::log_line_bytes);
  if (has_room_for(line.size())) waiting.append(line).append("\n");
}

bool writer::shared::has_room_for(std::size_t bytes) {
  if (waiting.size() + bytes + frame_bytes <= limits::log_bytes_waiting) return true;
  ++dropped;
  return false;
}

void writer::shared::append(level level, std::string_view line) {
  if (has_room_for(line.size())) append_line(waiting, time.wall(), level, line, coloured);
}

void writer::shared::append_count(const repeats& found) {
  std::array<char, frame_bytes> room;
  const auto seconds = std::chrono::round<std::chrono::seconds>(found.within).count();
  const auto size = fmt::format_to_n(room.data(), room.size(), " (repeated {} time{} in {} s)", found.times,
                                     found.times == 1 ? "" : "s", seconds)
                        .size;
  if (!has_room_for(found.text.size() + size)) return;
  append_line(waiting, time.wall(), found.level, found.text, coloured);
  waiting.insert(waiting.size() - 1, room.data(), size);
}

void writer::shared::append_counts() {
  while (const auto found = repeated.take_due(time.monotonic())) append_count(*found);
  if (!is_ending) return;
  while (const auto found = repeated.take_rest(time.monotonic())) append_count(*found);
}

// Neither allocates nor frees: malloc would give this thread one of the two arenas, which are for the threads that do
// the broker's work.
void writer::shared::write_until_end() {
  std::unique_lock lock(mutex);
  while (true) {
    work.wait_for(lock, limits::log_fold_time, [this] { return !waiting.empty() || is_ending; });
    append_counts();
    if (waiting.empty() && is_ending) break;
    std::swap(waiting, out.lines);
    const std::uint64_t dropped_after_it = std::exchange(dropped, 0);
    is_writing = true;
    lock.unlock();
    write_leaving(dropped_after_it);
    lock.lock();
    is_writing = false;
    through.notify_all();
  }
  has_ended = true;
  through.notify_all();
}

// Lines that could not be written were dropped before those that are written now; lines that found no room, after them.
void writer::shared::write_leaving(std::uint64_t dropped_after_it) {
  report_dropped();
  const std::size_t size = write_all(descriptor, out.lines);
  const auto lost = std::count(out.lines.begin() + static_cast<std::ptrdiff_t>(size), out.lines.end(), '\n');
  if (lost > 0) out.is_torn = size > 0 && out.lines[size - 1] != '\n';
  out.lines.clear();
  out.unreported += static_cast<std::uint64_t>(lost) + dropped_after_it;
  if (lost == 0) report_dropped();
}

void writer::shared::report_dropped() {
  if (out.unreported == 0) return;
  std::array<char, 2 * frame_bytes> room;
  const auto text =
      fmt::format_to_n(room.data(), room.size(),
                       "{} lines were dropped here: standard error was blocked, full or closed", out.unreported);
  out.notice = out.is_torn ? "\n" : "";
  append_line(out.notice, time.wall(), level::warning, {room.data(), text.size}, coloured);
  const std::size_t size = write_all(descriptor, out.notice);
  if (size > 0) out.is_torn = size < out.notice.size();
  if (size == out.notice.size()) out.unreported = 0;
}

namespace {

// Uses pthreads directly: std::thread would free its state in the thread.
pthread_t start_thread(void* (*run)(void*), void* own) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stack_bytes);
  pthread_t thread{};
  const int failure = pthread_create(&thread, &attributes, run, own);
  pthread_attr_destroy(&attributes);
  if (failure != 0) throw std::system_error(failure, std::generic_category(), "cannot start the log's thread");
  return thread;
}

}  // namespace

writer::writer(int descriptor) : shared_(std::make_shared<shared>(descriptor)) {
  auto own = std::make_unique<std::shared_ptr<shared>>(shared_);
  thread_ = start_thread(run, own.get());
  own.release();
  active_writer = this;
}

writer::~writer() {
  active_writer = nullptr;
  std::unique_lock lock(shared_->mutex);
  shared_->is_ending = true;
  shared_->work.notify_one();
  const bool has_ended = shared_->through.wait_for(lock, limits::log_flush_time, [this] { return shared_->has_ended; });
  lock.unlock();
  if (has_ended) {
    pthread_join(thread_, nullptr);
  } else {
    pthread_detach(thread_);
  }
}

void* writer::run(void* own) {
  const std::unique_ptr<std::shared_ptr<shared>> state(static_cast<std::shared_ptr<shared>*>(own));
  (*state)->write_until_end();
  return nullptr;
}

void writer::put(level level, std::string_view line) {
  shared_->put(level, line);
  shared_->work.notify_one();
}

void writer::put_plain(std::string_view line) {
  shared_->put_plain(line);
  shared_->work.notify_one();
}

bool writer::flush() {
  std::unique_lock lock(shared_->mutex);
  return shared_->through.wait_for(lock, limits::log_flush_time, [this] { return shared_->is_through(); });
}

writer* writer::active() { return active_writer; }

}  // namespace tidegate::log
