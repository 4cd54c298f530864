// The log's way out of a program that must not wait for whoever reads its standard error.
//
//   any thread ── put ──▶ [ waiting ] ── swap ──▶ [ being written ] ── write(2), which may block ──▶ the descriptor
//                         at most limits::log_bytes_waiting each
//
// A reader that does not read, a closed end or a full disk costs lines, never time: what finds no room or cannot be
// written is dropped and counted, and the count is written as soon as writing works again.
#pragma once

#include <pthread.h>

#include <memory>
#include <string_view>

#include "broker/base/log.hpp"

namespace tidegate::log {

// Owns the thread that writes. Made once by main, before other threads; while it lives, log::write() and log::say() of
// every thread go through it. A forked child has no such thread and must not log.
class writer {
 public:
  // Throws std::system_error where the thread cannot be started.
  explicit writer(int descriptor);
  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;
  // Waits until everything is written, limits::log_flush_time at most: what is not written then is lost, and the thread
  // is left behind in its blocked call.
  ~writer();

  // A line with time and level, or its count where it repeats another one (log_folding.hpp). Never waits.
  void put(level level, std::string_view line);
  // A line as it is.
  void put_plain(std::string_view line);
  // Returns whether all lines were written within limits::log_flush_time.
  bool flush();

  // The one that lives, or null.
  static writer* active();

 private:
  struct shared;
  static void* run(void* own);

  std::shared_ptr<shared> shared_;
  pthread_t thread_{};
};

}  // namespace tidegate::log
