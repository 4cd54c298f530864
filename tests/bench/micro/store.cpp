// Benchmarks of the store alone: commits, synced on the disk of the working directory, and reading chunks. raw_sync
// writes and syncs the same bytes as one record without a store: no store can be faster. Compare figures of one run
// only.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>

#include "broker/base/error.hpp"
#include "broker/base/log.hpp"
#include "broker/store/store.hpp"

namespace {

using namespace tidegate;
namespace files = std::filesystem;

const std::string body(100, 'b');
constexpr std::size_t batch_records = 1'000;

// A new folder in the working directory, and so on the disk of that directory. The destructor removes it.
class scratch_folder {
 public:
  scratch_folder() {
    std::string name = (files::current_path() / "micro-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
    path_ = name;
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  ~scratch_folder() { files::remove_all(path_); }
  const files::path& path() const { return path_; }

 private:
  files::path path_;
};

std::string batch_at(offset_t base) {
  batch_builder builder;
  for (offset_t i = 0; i < batch_records; ++i) builder.add(record_view{base + i, 1'700'000'000'000, {}, body, {}});
  return builder.finish();
}

class filled_store {
 public:
  explicit filled_store(store::stream_kind kind, store::stream_limits limits = {}) {
    stream_ = store_.new_stream_id();
    store_.open_group().change_stream({store::stream_change::what::create, stream_, kind, limits});
    commit();
  }

  void commit() {
    store_.submit();
    store_.step();
    TIDEGATE_EXPECT(store_.collect()->appends_stored);
  }
  void append_messages(std::int64_t count) {
    message_view message;
    message.body = body;
    for (std::int64_t i = 0; i < count; ++i)
      store_.open_group().append(stream_, next_++, 0, message, record_form::queue);
  }
  void append_batches(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      std::string batch = batch_;
      set_base_offset(batch, next_);
      store_.open_group().append_batch(stream_, std::move(batch));
      next_ += batch_records;
    }
  }
  void ack_all() {
    for (; acked_ < next_; ++acked_) store_.open_group().ack(stream_, acked_, body.size());
  }
  std::size_t read_all() const {
    std::size_t records = 0;
    const auto take = [&](const batch_view& batch) {
      records += batch.count;
      return true;
    };
    TIDEGATE_EXPECT(store_.read().scan(stream_, 0, take));
    return records;
  }

 private:
  static store::store open(const files::path& folder) {
    log::set_level(log::level::error);
    return store::store({folder, 256 << 20, {}, false});
  }

  const std::string batch_ = batch_at(0);
  scratch_folder folder_;
  store::store store_ = open(folder_.path());
  stream_id stream_{};
  offset_t next_ = 0, acked_ = 0;
};

// The argument is the number of messages in a commit, of 100 bytes each, which the next commit acknowledges.
void commit_messages(benchmark::State& state) {
  filled_store store(store::stream_kind::queue);
  for (auto _ : state) {
    store.ack_all();
    store.append_messages(state.range(0));
    store.commit();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(commit_messages)->Arg(1)->Arg(100)->Arg(1'000)->UseRealTime();

// The argument is the number of batches in a commit, of 1,000 records each, into a log at its bound.
void commit_batches(benchmark::State& state) {
  filled_store store(store::stream_kind::log, {64 << 20});
  for (auto _ : state) {
    store.append_batches(state.range(0));
    store.commit();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0) * static_cast<std::int64_t>(batch_records));
}
BENCHMARK(commit_batches)->Arg(1)->Arg(10)->UseRealTime();

void raw_sync(benchmark::State& state) {
  const scratch_folder folder;
  const std::string bytes(static_cast<std::size_t>(state.range(0)), 'r');
  constexpr off_t file_bytes = 64 << 20;
  const int file = ::open((folder.path() / "raw").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  // Fills the file, as the store fills its own, so that a sync has no new blocks to record.
  const std::string zeros(1 << 20, '\0');
  TIDEGATE_EXPECT(file >= 0);
  for (off_t to = 0; to < file_bytes; to += 1 << 20) {
    TIDEGATE_EXPECT(::pwrite(file, zeros.data(), zeros.size(), to) == static_cast<ssize_t>(zeros.size()));
  }
  off_t at = 0;
  for (auto _ : state) {
    TIDEGATE_EXPECT(::pwrite(file, bytes.data(), bytes.size(), at) == static_cast<ssize_t>(bytes.size()));
    TIDEGATE_EXPECT(::fdatasync(file) == 0);
    at = (at + state.range(0)) % (file_bytes - state.range(0));
  }
  ::close(file);
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(raw_sync)->Arg(128)->Arg(110 << 10)->Arg(1'100 << 10)->UseRealTime();

// Reads with the CRC check of every batch, as a reader outside the store does.
void read_chunks(benchmark::State& state) {
  filled_store store(store::stream_kind::log);
  for (std::int64_t i = 0; i < state.range(0); i += batch_records) {
    store.append_batches(1);
    store.commit();
  }
  for (auto _ : state) TIDEGATE_EXPECT(store.read_all() == static_cast<std::size_t>(state.range(0)));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(read_chunks)->Arg(10'000)->Arg(1'000'000);

}  // namespace
