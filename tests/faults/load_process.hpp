// fault_load as a process of its own: with the recorder preloaded, with a failing call, or to be killed.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

namespace tidegate::faults {

struct load_ending {
  int code = 0;    // of its exit, or -1
  int signal = 0;  // that ended it, or 0
};

class load_process {
 public:
  // Starts it. The program and the recorder lie beside the one that runs.
  load_process(std::vector<std::string> arguments, std::map<std::string, std::string> environment);
  load_process(const load_process&) = delete;
  load_process& operator=(const load_process&) = delete;
  ~load_process();

  load_ending wait();
  void kill();

 private:
  pid_t process_ = -1;
};

// Runs a workload to its end with the recorder preloaded.
std::filesystem::path record_workload(const std::filesystem::path& directory, const std::string& workload,
                                      std::uint64_t seed, std::uint64_t rounds);

}  // namespace tidegate::faults
