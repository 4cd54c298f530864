// lone_commit: measures what a durable commit of one small message costs, in time and in bytes that reach the device.
// Commits by the store alone and without its thread, on a new store and on one that was used before. Compares them, in
// turns in one run, with the least that a disk can do: one aligned write into a preallocated file, and one sync.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "broker/base/log.hpp"
#include "broker/store/store.hpp"
#include "tests/bench/workplace.hpp"

namespace {

namespace store = tidegate::store;
using tidegate::bench::workplace;
using steady = std::chrono::steady_clock;

constexpr std::uint64_t store_bytes = 256 << 20;
constexpr std::uint64_t raw_bytes = 32 << 20;
constexpr std::size_t block_bytes = 4'096;
constexpr std::size_t body_bytes = 100;
constexpr std::size_t turn = 20;                          // commits of one way before the next one's turn
constexpr std::chrono::milliseconds write_back_time{50};  // until the kernel has counted what a sync has written

// Counts the bytes written to the disk of a directory. The disk counts the writes of all processes, so measure on a
// quiet machine. The kernel's count of one process is no alternative: it counts whole folios, which are far larger than
// the bytes written.
class disk {
 public:
  explicit disk(const std::filesystem::path& directory) {
    struct stat about {};
    if (::stat(directory.c_str(), &about) != 0) throw std::runtime_error("cannot look at " + directory.string());
    path_ = fmt::format("/sys/dev/block/{}:{}/stat", major(about.st_dev), minor(about.st_dev));
  }
  std::uint64_t bytes_written() const {
    constexpr int sectors_written = 7;  // Documentation/block/stat.rst
    constexpr std::uint64_t sector_bytes = 512;
    std::ifstream counts(path_);
    std::uint64_t value = 0;
    for (int i = 0; i < sectors_written; ++i) counts >> value;
    if (!counts) throw std::runtime_error(path_ + " says nothing: name a --directory on a disk");
    return value * sector_bytes;
  }

 private:
  std::string path_;
};

// One way to make a message durable.
class way {
 public:
  virtual ~way() = default;
  virtual void commit() = 0;
};

class in_store final : public way {
 public:
  // `lives`: first fills queues in turns and empties every second one, so that the free pages are scattered.
  in_store(const std::filesystem::path& directory, bool lives) : store_({directory, store_bytes, {}, false}) {
    log_ = make(store::stream_kind::log);
    if (lives) scatter();
    commit();
  }
  void commit() override {
    append(log_);
    finish();
  }

 private:
  struct stream {
    tidegate::stream_id id{};
    tidegate::offset_t end = 0;
  };
  stream make(store::stream_kind kind) {
    store::stream_limits limits;
    if (kind == store::stream_kind::log) limits.bytes_max = 16 << 20;
    const stream made{store_.new_stream_id()};
    store_.open_group().change_stream({store::stream_change::what::create, made.id, kind, std::move(limits)});
    return made;
  }
  void append(stream& to, std::size_t bytes = body_bytes) {
    const std::string body(bytes, 'x');
    tidegate::message_view message;
    message.body = body;
    store_.open_group().append(to.id, to.end++, 0, message);
  }
  void finish() {
    store_.submit();
    store_.step();
    const auto result = store_.collect();
    if (!result || !result->appends_stored) throw std::runtime_error("the store is full");
  }
  void scatter() {
    constexpr std::size_t queues = 64, rounds = 400, messages = 8, message_bytes = 300;
    std::vector<stream> all;
    for (std::size_t i = 0; i < queues; ++i) all.push_back(make(store::stream_kind::queue));
    for (std::size_t round = 0; round < rounds; ++round) {
      for (stream& queue : all)
        for (std::size_t i = 0; i < messages; ++i) append(queue, message_bytes);
      finish();
    }
    for (std::size_t i = 0; i < all.size(); i += 2) {
      for (tidegate::offset_t offset = 0; offset < all[i].end; ++offset) store_.open_group().ack(all[i].id, offset);
      finish();
    }
    for (int i = 0; i < 2'000; ++i) commit();
  }

  store::store store_;
  stream log_;
};

class raw_write final : public way {
 public:
  raw_write(const std::filesystem::path& file, int flags, std::size_t blocks)
      : syncs_itself_((flags & O_DSYNC) == 0), block_(blocks * block_bytes, 'x') {
    file_ = ::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | flags, 0600);
    const std::string zeros(1 << 20, '\0');
    for (std::uint64_t at = 0; at < raw_bytes; at += zeros.size())
      if (file_ < 0 || ::pwrite(file_, zeros.data(), zeros.size(), static_cast<off_t>(at)) < 0)
        throw std::runtime_error("cannot fill " + file.string());
    ::fsync(file_);
  }
  raw_write(const raw_write&) = delete;
  raw_write& operator=(const raw_write&) = delete;
  ~raw_write() override { ::close(file_); }
  void commit() override {
    if (::pwrite(file_, block_.data(), block_.size(), static_cast<off_t>(at_)) < 0) throw std::runtime_error("write");
    if (syncs_itself_ && ::fdatasync(file_) != 0) throw std::runtime_error("sync");
    at_ = (at_ + block_.size()) % raw_bytes;
  }

 private:
  bool syncs_itself_;
  std::string block_;
  int file_ = -1;
  std::uint64_t at_ = 0;
};

struct row {
  std::string name;
  std::unique_ptr<way> how;
  std::vector<double> took_us = {};
  std::uint64_t bytes = 0;
};

void measure(std::vector<row>& rows, std::size_t commits, const disk& disk) {
  for (std::size_t done = 0; done < commits; done += turn) {
    for (row& row : rows) {
      const std::uint64_t before = disk.bytes_written();
      for (std::size_t i = 0; i < turn; ++i) {
        const auto began = steady::now();
        row.how->commit();
        row.took_us.push_back(std::chrono::duration<double, std::micro>(steady::now() - began).count());
      }
      std::this_thread::sleep_for(write_back_time);
      row.bytes += disk.bytes_written() - before;
    }
    if (done % 200 == 0) std::fprintf(stderr, "%zu of %zu commits each\n", done, commits);
  }
}

void print(std::vector<row>& rows, bool json) {
  const auto at = [](const std::vector<double>& sorted, double share) {
    return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(share * static_cast<double>(sorted.size())))];
  };
  if (!json) std::printf("| way | bytes a commit | p50 us | p99 us |\n|---|---:|---:|---:|\n");
  for (row& row : rows) {
    std::sort(row.took_us.begin(), row.took_us.end());
    const double bytes = static_cast<double>(row.bytes) / static_cast<double>(row.took_us.size());
    const double p50 = at(row.took_us, 0.5), p99 = at(row.took_us, 0.99);
    if (json) {
      std::printf("{\"way\":\"%s\",\"bytes\":%.0f,\"p50_us\":%.1f,\"p99_us\":%.1f}\n", row.name.c_str(), bytes, p50,
                  p99);
    } else {
      std::printf("| %s | %.0f | %.0f | %.0f |\n", row.name.c_str(), bytes, p50, p99);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::filesystem::path directory = ".";
  std::size_t commits = 2'000;
  bool json = false;
  CLI::App app("What a durable commit of one 100-byte message costs, beside one write and one sync.", "lone_commit");
  app.add_option("--directory", directory, "On the disk to be measured: two stores of 256 MiB are made in it")
      ->capture_default_str();
  app.add_option("--commits", commits, "Of each way")->capture_default_str();
  app.add_flag("--json", json, "One JSON object a row");
  CLI11_PARSE(app, argc, argv);
  tidegate::log::set_level(tidegate::log::level::error);
  try {
    const workplace place(directory, "lone-commit");
    std::vector<row> rows;
    rows.push_back({"store, new", std::make_unique<in_store>(place.path() / "new", false)});
    rows.push_back({"store, has lived", std::make_unique<in_store>(place.path() / "lived", true)});
    rows.push_back({"one write of 4 KiB, fdatasync", std::make_unique<raw_write>(place.path() / "raw", 0, 1)});
    rows.push_back(
        {"one write of 4 KiB, O_DSYNC", std::make_unique<raw_write>(place.path() / "raw-dsync", O_DSYNC, 1)});
    rows.push_back({"one write of 16 KiB, fdatasync", std::make_unique<raw_write>(place.path() / "raw-16", 0, 4)});
    measure(rows, commits, disk(directory));
    print(rows, json);
    return 0;
  } catch (const std::exception& cause) {
    std::fprintf(stderr, "lone_commit: %s\n", cause.what());
    return 1;
  }
}
