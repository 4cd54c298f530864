// Runs fault_load in a process of its own, with the recorder preloaded: to record its writes, to fail one of its calls,
// or to kill it.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

namespace tidegate::faults {

struct load_ending {
  int code = 0;    // exit code; -1 = ended by a signal
  int signal = 0;  // the signal that ended the process; 0 = none
};

class load_process {
 public:
  // Starts fault_load, which is found, like the recorder, in the directory of the running program. `environment`:
  // variables added to those of this process. Throws std::runtime_error if the process cannot be started.
  load_process(std::vector<std::string> arguments, std::map<std::string, std::string> environment);
  load_process(const load_process&) = delete;
  load_process& operator=(const load_process&) = delete;
  ~load_process();

  // Waits for the end of the process.
  load_ending wait();
  // Sends SIGKILL.
  void kill();

 private:
  pid_t process_ = -1;
};

// Runs a workload to its end and returns the file of its recording, in `directory`. Throws std::runtime_error if the
// workload fails.
std::filesystem::path record_workload(const std::filesystem::path& directory, const std::string& workload,
                                      std::uint64_t seed, std::uint64_t rounds);

}  // namespace tidegate::faults
