// many_streams: measures what a commit costs when it touches many streams. Appends the same messages to 1 to 256 queues
// or partitions, by the store alone and without its thread. Compares with raw append + fdatasync of the same bytes on
// the same disk in the same run.
//
// Each commit into queues acknowledges the messages of the commit before. Logs are at their bound and drop their oldest
// messages. Under slow_disk.c the rows are those of a slow card; the preparation of each row is not slowed down.
#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "broker/base/log.hpp"
#include "broker/store/store.hpp"
#include "tests/bench/workplace.hpp"

namespace {

namespace store = tidegate::store;
using tidegate::bench::workplace;
using steady = std::chrono::steady_clock;

constexpr std::uint64_t store_bytes = 256 << 20;
constexpr std::uint64_t logs_bytes = 64 << 20;      // bound of all logs together
constexpr std::uint64_t prepared_bytes = 80 << 20;  // enough for the journal and the logs to reach their bounds
constexpr std::size_t prepared_per_commit = 1'000;
constexpr std::size_t raw_every = 4;

struct settings {
  std::filesystem::path directory = ".";
  std::size_t body_bytes = 100;
  double megabytes = 20;  // enough for all streams of a row to reach the 64 KiB of a roll-up
  bool json = false;
};

struct row {
  store::stream_kind kind{};
  std::size_t streams = 0;
  std::size_t messages = 0;
  double commit_us = 0;
  double longest_us = 0;
  double written_ratio = 0;  // bytes handed to the kernel for each payload byte
  double raw_us = 0;
  double of_one_stream = 1;
};

double since(steady::time_point began) { return std::chrono::duration<double>(steady::now() - began).count(); }

// Returns the bytes that this process handed to write calls. This count is exact; the other counts in /proc are of
// whole pages of the cache.
std::uint64_t bytes_written() {
  std::ifstream counts("/proc/self/io");
  std::string name;
  for (std::uint64_t value = 0; counts >> name >> value;)
    if (name == "wchar:") return value;
  throw std::runtime_error("no wchar in /proc/self/io");
}

using throttle = void (*)(int);

// Returns the switch of slow_disk.c; nullptr = slow_disk.c is not preloaded.
throttle slow_disk() {
  void* const found = ::dlsym(RTLD_DEFAULT, "slow_disk_throttle");
  throttle out = nullptr;
  std::memcpy(&out, &found, sizeof(out));
  return out;
}

void slow(bool on) {
  if (const throttle set = slow_disk(); set != nullptr) set(on ? 1 : 0);
}

class load {
 public:
  load(const std::filesystem::path& directory, const row& row, std::size_t body_bytes)
      : kind_(row.kind), body_(body_bytes, 'x'), store_({directory, store_bytes, {}, false}) {
    for (std::size_t i = 0; i < row.streams; ++i) {
      store::stream_limits limits;
      if (kind_ == store::stream_kind::log) limits.bytes_max = logs_bytes / row.streams;
      streams_.push_back({store_.new_stream_id(), 0});
      store_.open_group().change_stream(
          {store::stream_change::what::create, streams_.back().id, kind_, std::move(limits)});
    }
  }

  // Commits these messages, distributed over the streams in turn, and the acknowledgements of the messages before.
  // Returns the seconds from submitting the group to its result. Filling the group does not count: in the broker
  // another thread does this.
  double commit(std::size_t messages) {
    const bool acks = kind_ == store::stream_kind::queue;
    for (const auto& [id, offset] : unacknowledged_) store_.open_group().ack(id, offset);
    unacknowledged_.clear();
    tidegate::message_view message;
    message.body = body_;
    for (std::size_t i = 0; i < messages; ++i) {
      stream& to = streams_[next_++ % streams_.size()];
      if (acks) unacknowledged_.emplace_back(to.id, to.end);
      store_.open_group().append(to.id, to.end++, 0, message);
    }
    const auto began = steady::now();
    store_.submit();
    store_.step();
    const auto result = store_.collect();
    if (!result || !result->appends_stored) throw std::runtime_error("the store is full");
    return since(began);
  }

 private:
  struct stream {
    tidegate::stream_id id{};
    tidegate::offset_t end = 0;
  };
  store::stream_kind kind_;
  std::string body_;
  store::store store_;
  std::vector<stream> streams_;
  std::vector<std::pair<tidegate::stream_id, tidegate::offset_t>> unacknowledged_;
  std::size_t next_ = 0;
};

// A file to which the same number of bytes is appended and synced again and again.
class raw_file {
 public:
  raw_file(const std::filesystem::path& directory, std::size_t bytes) : data_(bytes, 'x') {
    const std::string path = directory / "raw-append";
    file_ = ::open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (file_ < 0) throw std::runtime_error("cannot write " + path);
  }
  raw_file(const raw_file&) = delete;
  raw_file& operator=(const raw_file&) = delete;
  ~raw_file() { ::close(file_); }

  double append() {
    const auto began = steady::now();
    if (::write(file_, data_.data(), data_.size()) < 0 || ::fdatasync(file_) != 0)
      throw std::runtime_error("cannot sync the raw file");
    return since(began);
  }

 private:
  std::string data_;
  int file_ = -1;
};

void measure(const settings& settings, row& row) {
  const workplace place(settings.directory, "many-streams");
  const std::size_t payload = row.messages * settings.body_bytes;
  const std::size_t commits = std::max<std::size_t>(20, static_cast<std::size_t>(settings.megabytes * 1e6) / payload);
  slow(false);
  load load(place.path(), row, settings.body_bytes);
  for (std::size_t done = 0; done < prepared_bytes; done += prepared_per_commit * settings.body_bytes)
    load.commit(prepared_per_commit);
  raw_file raw(place.path(), payload);
  slow(true);
  double seconds = 0, raw_seconds = 0;
  std::size_t raw_appends = 0;
  const std::uint64_t before = bytes_written();
  for (std::size_t i = 0; i < commits; ++i) {
    // Raw appends are spread over the commits, so that fast and slow moments of the disk affect both.
    if (i % raw_every == 0) raw_seconds += raw.append(), ++raw_appends;
    const double one = load.commit(row.messages);
    seconds += one;
    row.longest_us = std::max(row.longest_us, one * 1e6);
  }
  const auto count = static_cast<double>(commits);
  row.commit_us = seconds / count * 1e6;
  row.raw_us = raw_seconds / static_cast<double>(raw_appends) * 1e6;
  row.written_ratio =
      static_cast<double>(bytes_written() - before - raw_appends * payload) / (count * static_cast<double>(payload));
  slow(false);
}

const char* name_of(store::stream_kind kind) { return kind == store::stream_kind::queue ? "queues" : "partitions"; }

void print_head(const settings& settings) {
  std::printf("%zu-byte messages%s; raw = append + fdatasync of a commit's bodies\n\n", settings.body_bytes,
              slow_disk() != nullptr ? " on an emulated card (slow_disk.c)" : "");
  std::printf(
      "| streams        | messages a commit | us a commit | longest us | of 1 stream | raw us | x raw | "
      "written per byte |\n|---|---:|---:|---:|---:|---:|---:|---:|\n");
}

void print(const settings& settings, const row& row) {
  const double of_raw = row.commit_us / row.raw_us;
  if (settings.json) {
    std::printf(
        "{\"kind\":\"%s\",\"streams\":%zu,\"messages\":%zu,\"commit_us\":%.1f,\"longest_us\":%.1f,"
        "\"of_one_stream\":%.3f,\"raw_us\":%.1f,\"of_raw\":%.3f,\"written_ratio\":%.3f,\"slow_disk\":%s}\n",
        name_of(row.kind), row.streams, row.messages, row.commit_us, row.longest_us, row.of_one_stream, row.raw_us,
        of_raw, row.written_ratio, slow_disk() != nullptr ? "true" : "false");
  } else {
    std::printf("| %3zu %-10s | %17zu | %11.0f | %10.0f | %11.2f | %6.0f | %5.1f | %16.2f |\n", row.streams,
                name_of(row.kind), row.messages, row.commit_us, row.longest_us, row.of_one_stream, row.raw_us, of_raw,
                row.written_ratio);
  }
  std::fflush(stdout);
}

void run(const settings& settings) {
  if (!settings.json) print_head(settings);
  for (const auto kind : {store::stream_kind::queue, store::stream_kind::log}) {
    for (const std::size_t messages : {100, 1'000}) {
      double one_stream = 0;
      for (const std::size_t streams : {1, 16, 64, 256}) {
        std::fprintf(stderr, "%zu %s, %zu a commit ...\n", streams, name_of(kind), messages);
        row row{.kind = kind, .streams = streams, .messages = messages};
        measure(settings, row);
        if (streams == 1) one_stream = row.commit_us;
        row.of_one_stream = row.commit_us / one_stream;
        print(settings, row);
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  settings settings;
  CLI::App app("What a commit costs when it touches many streams, next to raw append + fdatasync in the same run.",
               "many_streams");
  app.add_option("--directory", settings.directory, "On the disk to be measured: a store of 256 MiB is made in it")
      ->capture_default_str();
  app.add_option("--bytes", settings.body_bytes, "Of a message's body")->capture_default_str();
  app.add_option("--megabytes", settings.megabytes, "Of bodies for each row")->capture_default_str();
  app.add_flag("--json", settings.json, "One JSON object a row");
  CLI11_PARSE(app, argc, argv);
  tidegate::log::set_level(tidegate::log::level::warning);  // hides the log lines about filling each row's store
  try {
    run(settings);
    return 0;
  } catch (const std::exception& cause) {
    std::fprintf(stderr, "many_streams: %s\n", cause.what());
    return 1;
  }
}
