#include <fmt/format.h>

#include "broker/model/record_batch.hpp"
#include "client/tool/bench/body.hpp"
#include "client/tool/bench/role.hpp"

namespace tidegate::tool::bench {
namespace {

// Reads one partition: keeps the position, and counts, times and checks the records.
class partition_reading {
 public:
  partition_reading(setting& setting, link& on, read_partition what)
      : setting_(setting), on_(on), figures_(on.at.figures(what.stream)), what_(std::move(what)) {}

  // Makes one request. Returns false if there were no records after the position.
  awaitable<bool> fetch(std::chrono::milliseconds wait, bool times_records);
  void rewind() { next_ = 0; }
  bench::watch* watch() { return what_.watch; }

 private:
  void skip_to(offset_t log_start);
  std::uint64_t body_bytes(const batch_view& batch) const;
  void take(const batch_view& batch, bool times_records);

  setting& setting_;
  link& on_;
  figures& figures_;
  read_partition what_;
  record_view record_;
  offset_t next_ = 0;
};

// Records that a bound has dropped are not a breach, but the check must not expect them.
void partition_reading::skip_to(offset_t log_start) {
  if (what_.watch != nullptr) what_.watch->dropped += log_start - next_;
  next_ = log_start;
}

// Returns the bytes of the batch's bodies. In a topic that others filled, the sizes of bodies are not known: then the
// bytes of the records as they are stored are returned.
std::uint64_t partition_reading::body_bytes(const batch_view& batch) const {
  return setting_.asked.topic.name.empty() ? setting_.asked.size * batch.count : batch.records.size();
}

// If no records are timed or checked, the batch's header is enough.
void partition_reading::take(const batch_view& batch, bool times_records) {
  if (!crc_matches(batch)) throw error_exception({errc::invalid, "a batch with a wrong CRC-32C was fetched", "batch"});
  if (batch.base_offset > next_) {
    throw error_exception({errc::invalid, fmt::format("offset {} follows {}", batch.base_offset, next_), "offset"});
  }
  const std::uint64_t fresh = batch.last_offset + 1 - next_;
  figures_.add(tally::delivered, fresh);
  figures_.add(tally::delivered_bytes, body_bytes(batch) * fresh / batch.count);
  if ((times_records || what_.watch != nullptr) && !batch.compressed()) {
    record_reader records(batch);
    while (records.next(record_)) {
      if (record_.offset < next_) continue;
      if (what_.watch != nullptr) what_.watch->check.take(record_.body, false, 0);
      const auto from = times_records ? read_stamp(record_.body) : std::nullopt;
      if (!from || from->run != setting_.run) continue;
      setting_.time_since(figures_.latency(timing::publish_to_deliver), from_ns(from->sent_ns));
    }
  }
  next_ = batch.last_offset + 1;
}

awaitable<bool> partition_reading::fetch(std::chrono::milliseconds wait, bool times_records) {
  client::fetch_request request;
  request.topic = what_.topic;
  request.partition = what_.partition;
  request.offset = next_;
  request.max_wait = wait;
  const auto asked = steady_clock::now();
  const client::fetched fetched = co_await on_.connection.fetch(request);
  if (fetched.out_of_range) {
    if (next_ >= fetched.log_start) throw error_exception({errc::out_of_range, "the topic was made anew", "offset"});
    skip_to(fetched.log_start);
    co_return true;
  }
  if (!times_records) setting_.time_since(figures_.latency(timing::fetch), asked);
  const offset_t before = next_;
  for (std::string_view rest = fetched.batches; !rest.empty();) {
    const batch_view batch = read_batch(rest).value();
    if (batch.last_offset >= next_) take(batch, times_records);
    rest.remove_prefix(batch.bytes.size());
  }
  co_return next_ > before;
}

class follower final : public role {
 public:
  follower(setting& setting, link& on, read_partition what)
      : setting_(setting), reading_(setting, on, std::move(what)) {}

  // After the last message was sent, a request that returns no records has reached the end.
  awaitable<void> work() override {
    for (bool ends = false, more = true; !ends || more;) {
      ends = setting_.finish.load();
      more = co_await reading_.fetch(look_interval, true);
    }
  }

 private:
  setting& setting_;
  partition_reading reading_;
};

class fetcher final : public role {
 public:
  fetcher(setting& setting, link& on, read_partition what, std::vector<const promise*> promises)
      : setting_(setting), reading_(setting, on, std::move(what)), promises_(std::move(promises)) {}

  awaitable<void> work() override;

 private:
  void end_pass();

  setting& setting_;
  partition_reading reading_;
  std::vector<const promise*> promises_;
};

awaitable<void> fetcher::work() {
  bool passed = false;
  while (!setting_.stop && (!passed || steady_clock::now() < setting_.end)) {
    if (co_await reading_.fetch(std::chrono::milliseconds(0), false)) continue;
    end_pass();
    passed = true;
  }
}

void fetcher::end_pass() {
  reading_.rewind();
  watch* const watch = reading_.watch();
  if (watch == nullptr) return;
  watch->check.conclude(promises_, std::exchange(watch->dropped, 0));
  watch->check.begin_again();
}

}  // namespace

std::unique_ptr<role> make_follower(setting& setting, link& on, read_partition what) {
  return std::make_unique<follower>(setting, on, std::move(what));
}

std::unique_ptr<role> make_fetcher(setting& setting, link& on, read_partition what,
                                   std::vector<const promise*> promises) {
  return std::make_unique<fetcher>(setting, on, std::move(what), std::move(promises));
}

}  // namespace tidegate::tool::bench
