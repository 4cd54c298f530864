// Runs work in a child process, because opening a store with damaged pages can crash the process.
#pragma once

#include <functional>
#include <string>

namespace tidegate::faults {

// Restricts the calling child process before it opens files that may be damaged: the process is killed when its parent
// ends, its address space is limited, so that it cannot use up the machine's memory, and it writes no core file.
void contain_this_process();
// Ends the calling process by SIGPROF after `seconds` more of processor time; 0 = no limit. Elapsed time does not
// count, because a loaded machine is no reason to end the process.
void bound_processor_time(unsigned seconds);

struct contained_result {
  bool is_over = false;  // true = the work returned
  std::string text;      // the work's result, or the exception or signal that ended it
};

// Runs `work` in a forked child, with its standard error discarded, and waits for the end of the child. Throws
// std::runtime_error if the child cannot be started.
contained_result run_contained(const std::function<std::string()>& work, unsigned processor_seconds_max);

}  // namespace tidegate::faults
