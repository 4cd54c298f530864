// Work on a file that may be damaged, in a process of its own: LMDB believes the page numbers it finds, and a wild one
// ends the process. The work says where it stands, in memory that survives it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace tidegate::store::offline {

// The work's end of the line.
class isolated_end {
 public:
  virtual ~isolated_end() = default;
  virtual void at(std::string_view place, std::uint64_t done, std::uint64_t total) = 0;
  // Text without line breaks, which reaches the other side even if the work crashes afterwards.
  virtual void send(std::string_view line) = 0;
};

// Called in the process that waits; empty for nobody.
struct isolated_listener {
  std::function<void(std::string_view line)> line;
  // A few times a second.
  std::function<void(std::string_view place, double share)> standing;
};

struct isolated_outcome {
  bool crashed = false;
  std::string failure;  // what the work threw, or how it crashed; empty: it went to its end
  std::string place;    // where it stood last
};

// Runs the work in a child of this process and waits for it. The work's process ends without running destructors of
// what was made outside of the work, and with this process at the latest. SIGINT and SIGTERM end the work
// only. Not for processes with threads. Throws storage_failure when there can be no child.
isolated_outcome run_isolated(const std::function<void(isolated_end&)>& work, const isolated_listener& listener);

}  // namespace tidegate::store::offline
