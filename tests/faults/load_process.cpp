#include "tests/faults/load_process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <stdexcept>

namespace tidegate::faults {
namespace {

std::filesystem::path here() { return std::filesystem::read_symlink("/proc/self/exe").parent_path(); }

[[noreturn]] void become(const std::vector<std::string>& arguments,
                         const std::map<std::string, std::string>& environment) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
  ::setenv("LD_PRELOAD", (here() / "libtidegate_recorder.so").c_str(), 1);
  const int nowhere = ::open("/dev/null", O_WRONLY);
  ::dup2(nowhere, STDOUT_FILENO);
  ::dup2(nowhere, STDERR_FILENO);
  std::string program = (here() / "fault_load").string();
  std::vector<char*> words{program.data()};
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  ::execv(program.c_str(), words.data());
  ::_exit(127);
}

}  // namespace

load_process::load_process(std::vector<std::string> arguments, std::map<std::string, std::string> environment) {
  process_ = ::fork();
  if (process_ < 0) throw std::runtime_error("cannot fork");
  if (process_ == 0) become(arguments, environment);
}

load_process::~load_process() {
  if (process_ < 0) return;
  kill();
  wait();
}

load_ending load_process::wait() {
  int status = 0;
  if (process_ < 0 || ::waitpid(process_, &status, 0) != process_) return {-1, 0};
  process_ = -1;
  if (WIFSIGNALED(status)) return {-1, WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

void load_process::kill() { ::kill(process_, SIGKILL); }

std::filesystem::path record_workload(const std::filesystem::path& directory, const std::string& workload,
                                      std::uint64_t seed, std::uint64_t rounds) {
  const auto file = directory / (workload + ".recording");
  const auto store = directory / (workload + ".store");
  std::filesystem::create_directories(store);
  load_process load({"--store", store.string(), "--workload", workload, "--seed", std::to_string(seed), "--rounds",
                     std::to_string(rounds)},
                    {{"TIDEGATE_RECORDING", file.string()}});
  if (const load_ending ending = load.wait(); ending.code != 0) {
    throw std::runtime_error("the workload " + workload + " did not run to its end");
  }
  std::filesystem::remove_all(store);
  return file;
}

}  // namespace tidegate::faults
