#include "broker/store/offline/isolation.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "broker/base/error.hpp"

namespace tidegate::store::offline {
namespace {

constexpr int poll_ms = 250;

// Text in memory that two processes share. Read during a write it may be a mixture, which only a progress line would
// show; after the writer's end it is whole.
template <std::size_t size>
class shared_text {
 public:
  void set(std::string_view text) {
    const std::size_t length = std::min(text.size(), size);
    std::memcpy(bytes_, text.data(), length);
    length_.store(length, std::memory_order_release);
  }
  std::string get() const { return std::string(bytes_, length_.load(std::memory_order_acquire)); }

 private:
  std::atomic<std::size_t> length_ = 0;
  char bytes_[size];
};

struct shared_board {
  std::atomic<std::uint64_t> done = 0, total = 0;
  shared_text<512> place;
  shared_text<4096> failure;
  double share() const { return static_cast<double>(done) / static_cast<double>(std::max<std::uint64_t>(1, total)); }
};

storage_failure no_child(const char* call) {
  return storage_failure(
      fmt::format("cannot start a process to read the store in: {}: {}", call, std::strerror(errno)));
}

class board_memory {
 public:
  board_memory() {
    void* const memory =
        ::mmap(nullptr, sizeof(shared_board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw no_child("mmap");
    board_ = new (memory) shared_board;
  }
  board_memory(const board_memory&) = delete;
  board_memory& operator=(const board_memory&) = delete;
  ~board_memory() { ::munmap(board_, sizeof(shared_board)); }
  shared_board& operator*() { return *board_; }
  shared_board* operator->() { return board_; }

 private:
  shared_board* board_;
};

class pipe_end final : public isolated_end {
 public:
  pipe_end(shared_board& board, int pipe) : board_(board), pipe_(pipe) {}

  void at(std::string_view place, std::uint64_t done, std::uint64_t total) override {
    board_.place.set(place);
    board_.done = done;
    board_.total = total;
  }
  void send(std::string_view line) override {
    std::string bytes(line);
    bytes += '\n';
    for (std::size_t at = 0; at < bytes.size();) {
      const ssize_t written = ::write(pipe_, bytes.data() + at, bytes.size() - at);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return;  // the reader is gone
      at += static_cast<std::size_t>(written);
    }
  }

 private:
  shared_board& board_;
  int pipe_;
};

[[noreturn]] void run_child(const std::function<void(isolated_end&)>& work, shared_board& board, int pipe) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  int code = 0;
  try {
    pipe_end end(board, pipe);
    work(end);
  } catch (const std::exception& failure) {
    board.failure.set(failure.what());
    code = 1;
  }
  std::fflush(nullptr);
  ::_exit(code);
}

// Reads lines until the pipe's other end is closed, which happens when the child ends.
void listen(int pipe, const shared_board& board, const isolated_listener& listener) {
  std::string gathered;
  char buffer[16 * 1024];
  while (true) {
    pollfd waiting{pipe, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, poll_ms);
    if (listener.standing) listener.standing(board.place.get(), std::min(1.0, board.share()));
    if (ready <= 0) continue;
    const ssize_t got = ::read(pipe, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    gathered.append(buffer, static_cast<std::size_t>(got));
    for (std::size_t end; (end = gathered.find('\n')) != std::string::npos; gathered.erase(0, end + 1)) {
      if (listener.line) listener.line(std::string_view(gathered).substr(0, end));
    }
  }
}

// The pid for the signal handler, which can use nothing else.
volatile std::sig_atomic_t child_to_end = 0;

extern "C" void end_child(int) { ::kill(static_cast<pid_t>(child_to_end), SIGTERM); }

// Passes signals that should end this process to the child. The parent has to continue, to tidy up.
class signals_to_child {
 public:
  explicit signals_to_child(pid_t child) {
    child_to_end = child;
    for (std::size_t i = 0; i < signals.size(); ++i) {
      before_[i] = std::signal(signals[i], end_child);
      if (before_[i] == SIG_IGN) std::signal(signals[i], SIG_IGN);  // as under nohup
    }
  }
  signals_to_child(const signals_to_child&) = delete;
  signals_to_child& operator=(const signals_to_child&) = delete;
  ~signals_to_child() {
    for (std::size_t i = 0; i < signals.size(); ++i) std::signal(signals[i], before_[i]);
  }

 private:
  static constexpr std::array signals{SIGINT, SIGTERM, SIGHUP};
  std::array<void (*)(int), signals.size()> before_{};
};

// Returns whether the work itself caused the signal. Others come from outside: no memory left, a pipe without reader.
bool is_crash(int signal) {
  return signal == SIGSEGV || signal == SIGBUS || signal == SIGABRT || signal == SIGFPE || signal == SIGILL;
}

bool is_request_to_end(int signal) { return signal == SIGINT || signal == SIGTERM || signal == SIGHUP; }

isolated_outcome outcome_of(pid_t child, const shared_board& board) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  isolated_outcome outcome{false, board.failure.get(), board.place.get()};
  if (WIFSIGNALED(status) && is_request_to_end(WTERMSIG(status))) {
    outcome.failure = "interrupted";
  } else if (WIFSIGNALED(status)) {
    outcome.crashed = is_crash(WTERMSIG(status));
    outcome.failure = fmt::format("ended by signal {}, {}", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  } else if (WEXITSTATUS(status) != 0 && outcome.failure.empty()) {
    outcome.crashed = true;
    outcome.failure = fmt::format("ended with code {}", WEXITSTATUS(status));
  }
  return outcome;
}

}  // namespace

isolated_outcome run_isolated(const std::function<void(isolated_end&)>& work, const isolated_listener& listener) {
  board_memory board;
  int pipe[2];
  if (::pipe(pipe) != 0) throw no_child("pipe");
  std::fflush(nullptr);  // otherwise the child would print it again
  const pid_t child = ::fork();
  if (child < 0) {
    ::close(pipe[0]);
    ::close(pipe[1]);
    throw no_child("fork");
  }
  if (child == 0) {
    ::close(pipe[0]);
    run_child(work, *board, pipe[1]);
  }
  const signals_to_child signals(child);
  ::close(pipe[1]);
  listen(pipe[0], *board, listener);
  ::close(pipe[0]);
  return outcome_of(child, *board);
}

}  // namespace tidegate::store::offline
