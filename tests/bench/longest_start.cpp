// longest_start: measures the longest start of a store. The journal is as full as it can get, with commits of one
// message each, over many queues, so that none of them rolls up. The store is left as kill -9 leaves it. It is opened
// cold (the file's pages are dropped from memory before) and warm. Prints how long opening took, and the process's
// private memory afterwards. A broker needs a third of this memory only until it has taken over what it uses.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "broker/base/log.hpp"
#include "broker/store/store.hpp"

namespace {

namespace store = tidegate::store;
using steady = std::chrono::steady_clock;

constexpr std::uint64_t store_bytes = 256 << 20;
constexpr std::size_t queues = 1'000;
constexpr int openings = 5;

store::store_options options_for(const std::filesystem::path& directory) { return {directory, store_bytes, {}, false}; }

// Commits until the journal shrinks for the first time, which shows that it was full one commit earlier. The process
// then ends without closing the store.
void fill(const std::filesystem::path& directory, std::size_t body_bytes) {
  store::store filled(options_for(directory));
  std::vector<tidegate::stream_id> ids;
  for (std::size_t i = 0; i < queues; ++i) {
    ids.push_back(filled.new_stream_id());
    filled.open_group().change_stream({store::stream_change::what::create, ids.back(), store::stream_kind::queue, {}});
  }
  tidegate::message_view message;
  const std::string body(body_bytes, 'x');
  message.body = body;
  std::uint64_t journal = 0, commits = 0;
  while (true) {
    filled.open_group().append(ids[commits % queues], commits / queues, 0, message);
    filled.submit();
    filled.step();
    const auto result = filled.collect();
    if (!result) throw std::runtime_error("a commit without a result");
    if (result->journal_bytes < journal) break;
    journal = result->journal_bytes;
    if (++commits % 10'000 == 0) std::fprintf(stderr, "%zu commits, %zu MiB of journal ...\n", commits, journal >> 20);
  }
  std::printf("%.1f MiB of journal in %zu commits\n\n", static_cast<double>(journal) / (1 << 20), commits);
  std::printf("| start | ms to open | of CPU | own memory then, MiB |\n|---|---:|---:|---:|\n");
}

void forget_pages(const std::filesystem::path& file) {
  const int opened = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (opened < 0 || ::fsync(opened) != 0 || ::posix_fadvise(opened, 0, 0, POSIX_FADV_DONTNEED) != 0) {
    throw std::runtime_error("cannot let go of the file's pages");
  }
  ::close(opened);
}

// Returns the anonymous memory of this process, in KiB.
std::uint64_t own_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::stoull(line.substr(8));
  }
  throw std::runtime_error("/proc/self/status lacks RssAnon");
}

// Returns the CPU time of this process, in ms.
double cpu_time() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto ms = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
  };
  return ms(usage.ru_utime) + ms(usage.ru_stime);
}

void open_once(const std::filesystem::path& directory, const char* how) {
  const auto began = steady::now();
  const double cpu = cpu_time();
  const store::store opened(options_for(directory));
  const double ms = std::chrono::duration<double, std::milli>(steady::now() - began).count();
  std::printf("| %s | %.1f | %.1f | %.1f |\n", how, ms, cpu_time() - cpu, static_cast<double>(own_memory()) / 1024);
  std::fflush(stdout);
  ::_exit(0);  // does not close the store, like a killed process
}

// Runs the work in a process of its own, as a broker is one.
void apart(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) {
    try {
      work();
    } catch (const std::exception& cause) {
      std::fprintf(stderr, "longest_start: %s\n", cause.what());
      ::_exit(1);
    }
    std::fflush(stdout);
    ::_exit(0);
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child || status != 0) throw std::runtime_error("failed in its own process");
}

}  // namespace

int main(int argc, char** argv) {
  std::filesystem::path directory = ".";
  std::size_t body_bytes = 100;
  CLI::App app("What the longest start costs: a full journal of commits of one message each.", "longest_start");
  app.add_option("--directory", directory, "On the disk to be measured: a store of 256 MiB is made in it")
      ->capture_default_str();
  app.add_option("--bytes", body_bytes, "Of a message's body")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  tidegate::log::set_level(tidegate::log::level::warning);
  const std::filesystem::path made = directory / fmt::format("longest_start.{}", ::getpid());
  int code = 0;
  try {
    apart([&] { fill(made, body_bytes); });
    for (int i = 0; i < openings; ++i) {
      forget_pages(made / "data.mdb");
      apart([&] { open_once(made, "cold"); });
      apart([&] { open_once(made, "warm"); });
    }
  } catch (const std::exception& cause) {
    std::fprintf(stderr, "longest_start: %s\n", cause.what());
    code = 1;
  }
  std::filesystem::remove_all(made);
  return code;
}
