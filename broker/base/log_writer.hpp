// Writes the log of a program that must not wait for the reader of its standard error.
//
//   any thread ── put ──▶ [ waiting ] ── swap ──▶ [ being written ] ── write(2), which may block ──▶ the descriptor
//                         at most limits::log_bytes_waiting each
//
// A reader that does not read, a closed end or a full disk cost lines, never time. Lines that find no room or cannot be
// written are dropped and counted; the count is written as soon as writing works again.
#pragma once

#include <pthread.h>

#include <memory>
#include <string_view>

#include "broker/base/log.hpp"

namespace tidegate::log {

// Owns the thread that writes. Main makes one before other threads start. During its lifetime, log::write() and
// log::say() of every thread use it. A forked child has no such thread and must not log.
class writer {
 public:
  // Throws std::system_error if the thread cannot be started. Does not own the descriptor.
  explicit writer(int descriptor);
  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;
  // Waits until everything is written, at most limits::log_flush_time. What is not written then is lost, and the thread
  // stays in its blocked call.
  ~writer();

  // Puts a line with time and level into the buffer, or counts it if it repeats another one (log_folding.hpp). Cuts it
  // to limits::log_line_bytes. Any thread. Never waits for the descriptor.
  void put(level level, std::string_view line);
  // Puts a line without time and level into the buffer, cut in the same way. Any thread. Never waits for the
  // descriptor.
  void put_plain(std::string_view line);
  // Waits until all lines are written or dropped. Returns false if that took longer than limits::log_flush_time.
  bool flush();

  // Returns the writer that exists, or null.
  static writer* active();

 private:
  struct shared;
  static void* run(void* own);

  std::shared_ptr<shared> shared_;
  pthread_t thread_{};
};

}  // namespace tidegate::log
