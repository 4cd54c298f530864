// Runs work on a file that may be damaged in a process of its own, because LMDB trusts the page numbers that it finds,
// and a wrong one ends the process. The work reports its place in memory that survives the process.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace tidegate::store::offline {

// The working process's end of the channel.
class isolated_end {
 public:
  virtual ~isolated_end() = default;
  // Reports the place of the work. `done` of `total`, in the caller's units.
  virtual void at(std::string_view place, std::uint64_t done, std::uint64_t total) = 0;
  // Sends text without line breaks. It reaches the other side even if the work crashes afterwards.
  virtual void send(std::string_view line) = 0;
};

// Called in the process that waits. A function may be empty.
struct isolated_listener {
  std::function<void(std::string_view line)> line;
  // Called a few times a second.
  std::function<void(std::string_view place, double share)> standing;
};

struct isolated_outcome {
  bool crashed = false;
  std::string failure;  // what the work threw, or how it crashed; empty = it finished
  std::string place;    // its last reported place
};

// Runs the work in a child process and waits for it. The child ends without running destructors of objects made outside
// the work, and at the latest with this process. SIGINT, SIGTERM and SIGHUP end the child only. Not for processes with
// threads. Throws storage_failure if no child can be started.
isolated_outcome run_isolated(const std::function<void(isolated_end&)>& work, const isolated_listener& listener);

}  // namespace tidegate::store::offline
