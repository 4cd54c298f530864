// A role: the work of one connection, or of a part of it, in a run. Roles are made on the home thread and run on the
// thread of their link.
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

// The state that all roles of a run share. The times are set before any role works.
struct setting {
  explicit setting(const bench_arguments& arguments) : asked(arguments) {}

  const bench_arguments& asked;
  std::uint32_t run = 0;
  steady_clock::time_point begin = {};
  steady_clock::time_point measured = {};  // start of measuring, after the warm-up
  steady_clock::time_point end = {};
  std::atomic<bool> stop{false};    // sources end now
  std::atomic<bool> finish{false};  // no more messages will come

  // Adds the time since `sent` if measuring has started. `sent` may be before that start.
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
  // Returns the promises by target. Called after the role has ended.
  virtual std::span<const promise> promises() { return {}; }
};

// The number of a publisher, and how many publishers the run has.
struct member {
  std::uint32_t number = 0;
  std::uint32_t of = 1;
};

// Decides when a publisher sends, and when it has sent enough.
class pacing {
 public:
  // `per_second`: messages of all members together; 0 = closed loop, as fast as possible. Each send has `weight`
  // messages.
  pacing(const setting& setting, member member, double per_second, std::uint64_t weight = 1);

  bool is_over(steady_clock::time_point now) const;
  // Returns the time of the next send; `now` in a closed loop.
  steady_clock::time_point due(steady_clock::time_point now) const { return open_ ? open_->at(sent_) : now; }
  void sent() { ++sent_; }
  // Returns how many messages were due in the run and were not sent. 0 in a closed loop or in a run that was stopped.
  std::uint64_t unsent() const;

 private:
  const setting& setting_;
  std::optional<schedule> open_;
  std::uint64_t weight_;
  std::uint64_t sends_max_;
  std::uint64_t sent_ = 0;
};

// Waits until `due`, but at most look_interval: the caller then checks whether the run was stopped.
awaitable<void> wait_a_while(steady_clock::time_point due);

// Longest wait of a role before it checks whether the run is over.
constexpr std::chrono::milliseconds look_interval{50};

inline std::uint64_t to_ns(steady_clock::time_point time) {
  return static_cast<std::uint64_t>(time.time_since_epoch() / std::chrono::nanoseconds(1));
}
inline steady_clock::time_point from_ns(std::uint64_t ns) {
  return steady_clock::time_point(std::chrono::nanoseconds(static_cast<std::int64_t>(ns)));
}

// A target that is checked. One thread uses it until its readers have ended.
struct watch {
  explicit watch(checker::expectation expected) : check(std::move(expected)) {}

  checker check;
  std::uint64_t dropped = 0;  // records that a bound dropped before they were read
  // The publishers whose promises are verified at the end, and this target's index among theirs.
  std::vector<role*> senders = {};
  std::size_t target = 0;
};

// The exchange and routing key of a message. The target in the bodies is the route's index among the routes of its
// publisher.
struct route {
  std::string exchange;
  std::string routing_key;
};

struct consumed_queue {
  std::string name;
  bench::watch* watch = nullptr;  // null = not verified
  std::size_t reader = 0;         // number of this reader among the queue's readers
  bool auto_ack = false;
};

// Returns a role that publishes to its routes in turn.
std::unique_ptr<role> make_publisher(setting& setting, link& on, member who, std::vector<route> routes);
// Returns a role that consumes and acknowledges.
std::unique_ptr<role> make_consumer(setting& setting, link& on, std::vector<consumed_queue> queues);

struct produced_topic {
  std::string name;
  std::size_t stream = 0;  // the stream that its figures belong to
  double per_second = 0;   // records of all producers; 0 = closed loop
};
// Returns a role that produces batches into the partitions in turn, one at a time. Partition p is target p.
std::unique_ptr<role> make_producer(setting& setting, link& on, member who, produced_topic topic);

struct read_partition {
  std::string topic;
  std::uint32_t partition = 0;
  std::size_t stream = 0;
  bench::watch* watch = nullptr;
};
// Returns a role that reads the partition from its start to the end that it has when the run finishes.
std::unique_ptr<role> make_follower(setting& setting, link& on, read_partition what);
// Returns a role that reads the whole partition again and again until the run's end. After each whole pass the records
// read are checked against the promises.
std::unique_ptr<role> make_fetcher(setting& setting, link& on, read_partition what,
                                   std::vector<const promise*> promises);

// Returns a role that sends requests through the routes in turn and receives the replies from its own queue. In the
// bodies the target is the asker's number and the publisher is 0. Stream 0 counts requests, stream 1 replies.
std::unique_ptr<role> make_asker(setting& setting, link& on, member who, std::vector<route> routes,
                                 consumed_queue replies);
// Returns a role that answers the requests in the queues, and acknowledges a request after its reply was sent.
std::unique_ptr<role> make_answerer(setting& setting, link& on, std::vector<consumed_queue> queues);

}  // namespace tidegate::tool::bench
