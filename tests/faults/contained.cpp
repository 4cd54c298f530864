#include "tests/faults/contained.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <stdexcept>

namespace tidegate::faults {

// A damaged page can name any length. The store's map of some MiB and its readers need much less than this.
constexpr rlim_t memory_bytes_max = 1 << 30;

void contain_this_process() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit limit{memory_bytes_max, memory_bytes_max};
  ::setrlimit(RLIMIT_AS, &limit);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
}

void bound_processor_time(unsigned seconds) {
  const itimerval timer{{0, 0}, {static_cast<time_t>(seconds), 0}};
  ::setitimer(ITIMER_PROF, &timer, nullptr);
}

namespace {

[[noreturn]] void work_in_child(const std::function<std::string()>& work, int out, unsigned processor_seconds_max) {
  contain_this_process();
  ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
  bound_processor_time(processor_seconds_max);
  std::string text;
  int code = 0;
  try {
    text = work();
  } catch (const std::exception& cause) {
    text = cause.what();
    code = 1;
  }
  const bool is_told = ::write(out, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::_exit(is_told ? code : 1);
}

std::string read_all(int from) {
  std::string text;
  char buffer[4096];
  for (ssize_t size; (size = ::read(from, buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(size));
  return text;
}

}  // namespace

contained_result run_contained(const std::function<std::string()>& work, unsigned processor_seconds_max) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  const pid_t process = ::fork();
  if (process < 0) throw std::runtime_error("cannot fork");
  if (process == 0) work_in_child(work, ends[1], processor_seconds_max);
  ::close(ends[1]);
  contained_result result;
  result.text = read_all(ends[0]);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(process, &status, 0);
  result.is_over = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (WIFSIGNALED(status)) result.text = ::strsignal(WTERMSIG(status));
  return result;
}

}  // namespace tidegate::faults
