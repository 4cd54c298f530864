// Work in a child process, for what may not survive it: a store whose pages are damaged can end in a crash.
#pragma once

#include <functional>
#include <string>

namespace tidegate::faults {

// This process is a child that opens what may be damaged: it dies with its parent, and may not take the machine's
// memory.
void contain_this_process();
// From now on it may take so much of a processor's time, and is ended by SIGPROF after that; a loaded machine is no
// reason to end it. 0: no bound.
void bound_processor_time(unsigned seconds);

struct contained_result {
  bool is_over = false;  // the work came to its end
  std::string text;      // what it returned, or what ended it
};

contained_result run_contained(const std::function<std::string()>& work, unsigned processor_seconds_max);

}  // namespace tidegate::faults
