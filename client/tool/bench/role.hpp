// The work of one connection (or a part of it) in a run. Roles are made on the home thread and run on their link's
// thread.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "client/tool/arguments.hpp"
#include "client/tool/bench/checker.hpp"
#include "client/tool/bench/crew.hpp"
#include "client/tool/bench/schedule.hpp"

namespace tidegate::tool::bench {

using client::awaitable;
using std::chrono::steady_clock;

// State that all roles of a run share. The times are set before any role runs.
struct setting {
  explicit setting(const bench_arguments& arguments) : asked(arguments) {}

  const bench_arguments& asked;
  std::uint32_t run = 0;
  steady_clock::time_point begin = {};
  steady_clock::time_point measured = {};  // start of the measurement
  steady_clock::time_point end = {};
  std::atomic<bool> stop{false};    // send no more
  std::atomic<bool> finish{false};  // nothing more will come

  // Counts everything that ends during the measurement, however early it was due.
  void time_since(histogram& latency, steady_clock::time_point sent) const {
    const auto now = steady_clock::now();
    if (now >= measured) latency.add(static_cast<std::uint64_t>((now - sent).count()));
  }
};

class role {
 public:
  virtual ~role() = default;
  // Runs before the run's time starts.
  virtual awaitable<void> prepare() { co_return; }
  virtual awaitable<void> work() = 0;
  // By target. Read when the role has ended.
  virtual std::span<const promise> promises() { return {}; }
};

// A publisher's number among all of the run.
struct member {
  std::uint32_t number = 0;
  std::uint32_t of = 1;
};

// When a publisher sends, and until when.
class pacing {
 public:
  // `per_second`: of all members together; 0 = as fast as possible. Each send has `weight` messages.
  pacing(const setting& setting, member member, double per_second, std::uint64_t weight = 1);

  bool is_over(steady_clock::time_point now) const;
  // Returns when the next send is due; `now` in a closed loop.
  steady_clock::time_point due(steady_clock::time_point now) const { return open_ ? open_->at(sent_) : now; }
  void sent() { ++sent_; }
  // Counts messages that were due in the run and were not sent.
  std::uint64_t unsent() const;

 private:
  const setting& setting_;
  std::optional<schedule> open_;
  std::uint64_t weight_;
  std::uint64_t sends_max_;
  std::uint64_t sent_ = 0;
};

// Waits until `due`, or a short while: the caller checks then whether the run was stopped.
awaitable<void> wait_a_while(steady_clock::time_point due);

// How long a consumer waits before it checks whether the run is over.
constexpr std::chrono::milliseconds look_interval{50};

inline std::uint64_t to_ns(steady_clock::time_point time) {
  return static_cast<std::uint64_t>(time.time_since_epoch() / std::chrono::nanoseconds(1));
}
inline steady_clock::time_point from_ns(std::uint64_t ns) {
  return steady_clock::time_point(std::chrono::nanoseconds(static_cast<std::int64_t>(ns)));
}

// A target that is checked. Used on one thread until its readers have ended.
struct watch {
  explicit watch(checker::expectation expected) : check(std::move(expected)) {}

  checker check;
  std::uint64_t dropped = 0;  // records that a bound dropped before they were read
  // The publishers whose promises are verified at the end, by number.
  std::vector<role*> senders = {};
  std::size_t target = 0;
};

// The way of messages into a target. The target's number in the bodies is the route's index at its publisher.
struct route {
  std::string exchange;
  std::string routing_key;
};

struct consumed_queue {
  std::string name;
  bench::watch* watch = nullptr;  // null = not verified
  std::size_t reader = 0;         // number of this reader at the watch
};

// Publishes to its routes in turn.
std::unique_ptr<role> make_publisher(setting& setting, link& on, member who, std::vector<route> routes);
// Consumes and acknowledges.
std::unique_ptr<role> make_consumer(setting& setting, link& on, std::vector<consumed_queue> queues);

struct produced_topic {
  std::string name;
  std::size_t stream = 0;  // the stream that it counts for
  double per_second = 0;   // records of all producers together; 0 = closed loop
};
// Produces batches into the partitions in turn, one at a time; partition p is target p.
std::unique_ptr<role> make_producer(setting& setting, link& on, member who, produced_topic topic);

struct read_partition {
  std::string topic;
  std::uint32_t partition = 0;
  std::size_t stream = 0;
  bench::watch* watch = nullptr;
};
// Reads from the start to the end that the partition has when the run finishes.
std::unique_ptr<role> make_follower(setting& setting, link& on, read_partition what);
// Reads the whole partition again and again until the run's end. Each whole pass is verified against the promises.
std::unique_ptr<role> make_fetcher(setting& setting, link& on, read_partition what,
                                   std::vector<const promise*> promises);

// Sends requests through the routes in turn and takes the replies from its own queue; in the bodies it is the target
// and publisher 0. Stream 0 counts requests, stream 1 replies.
std::unique_ptr<role> make_asker(setting& setting, link& on, member who, std::vector<route> routes,
                                 consumed_queue replies);
// Replies to requests in the queues, and acknowledges them afterwards.
std::unique_ptr<role> make_answerer(setting& setting, link& on, std::vector<consumed_queue> queues);

}  // namespace tidegate::tool::bench
