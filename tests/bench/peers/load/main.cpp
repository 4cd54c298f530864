/* peer_load: generates load on brokers that have no load tool for this work. Speaks the parts of NATS JetStream and of
   MQTT 3.1.1 (QoS 1) that a publisher, a consumer and a counter need; and Kafka at a rate, with librdkafka. Has one
   connection for publishing and one for consuming. For NATS and MQTT it has one thread, so that it uses little of the
   cores that it shares with the broker. Prints one JSON object.

     peer_load nats|mqtt PORT make|make-log|cycle|publish|fetch|count
              [--seconds S] [--window N] [--rate R] [--messages N]
     peer_load kafka PORT cycle --rate R [--seconds S]

   make: creates the stream or session that holds messages; make-log: creates one that also keeps acknowledged messages.
   cycle: publishes, consumes and acknowledges. publish: publishes without a consumer; stops after N messages or S
   seconds. fetch: consumes the messages of the stream without acknowledging. count: prints how many messages are held.
   NATS and Mosquitto confirm in order on a connection. */

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>

#include "figures.hpp"
#include "kafka.hpp"
#include "mqtt.hpp"
#include "nats.hpp"

namespace tidegate::peers {
namespace {

constexpr std::size_t output_bytes_max = 1 << 20;

double percentile(std::vector<double>& values, double share) {
  if (values.empty()) {
    return 0;
  }
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

/// Publishes and consumes until the time is over or all messages are done, and then until nothing is under way.
class run {
 public:
  run(protocol& speaker, std::uint16_t port, const settings& how) : speaker_(speaker), how_(how) {
    if (how.consumes) {
      consumer_ = std::make_unique<link>(port);
      speaker.greet_consumer(*consumer_, how.acknowledges, how.window);
    }
    if (how.publishes) {
      publisher_ = std::make_unique<link>(port);
      speaker.greet_publisher(*publisher_);
    }
  }

  totals go() {
    start_ = now();
    const instant end = start_ + how_.seconds * 1'000'000'000;
    while (now() < end && !is_done()) {
      send_due();
      turn();
      count_in_time();
    }
    for (const instant last = now() + drain_ns; now() < last && is_under_way();) {
      turn();
    }
    return std::move(seen_);
  }

 private:
  protocol& speaker_;
  settings how_;
  std::unique_ptr<link> publisher_, consumer_;
  std::deque<instant> unconfirmed_;
  totals seen_;
  instant start_ = 0;

  bool is_done() const {
    return how_.publishes ? seen_.sent >= how_.messages && !is_under_way() : seen_.delivered >= how_.messages;
  }
  bool is_under_way() const {
    return how_.publishes && (seen_.confirmed < seen_.sent || (how_.consumes && seen_.delivered < seen_.sent));
  }

  void count_in_time() {
    seen_.seconds = static_cast<double>(now() - start_) / 1e9;
    seen_.in_time = how_.consumes ? seen_.delivered : seen_.confirmed;
  }

  /// Publishes the messages that are due. With a rate each message has a due time, from which its latency counts.
  void send_due() {
    while (how_.publishes && seen_.sent < how_.messages && unconfirmed_.size() < how_.window &&
           publisher_->out.size() < output_bytes_max) {
      const instant due = how_.rate == 0 ? now() : start_ + seen_.sent * 1'000'000'000 / how_.rate;
      if (due > now()) {
        return;
      }
      speaker_.publish(*publisher_, due);
      unconfirmed_.push_back(due);
      ++seen_.sent;
    }
  }

  /// Returns how long to wait at most: with a rate, until the next message is due.
  timespec patience() const {
    if (how_.rate == 0 || unconfirmed_.size() >= how_.window) {
      return {0, wait_ms * 1'000'000};
    }
    const instant due = start_ + seen_.sent * 1'000'000'000 / how_.rate, present = now();
    return {0, static_cast<long>(due > present ? std::min<instant>(due - present, wait_ms * 1'000'000) : 0)};
  }

  void turn() {
    std::vector<pollfd> waiting;
    for (const auto& one : {publisher_.get(), consumer_.get()}) {
      if (one != nullptr) {
        one->send_some();
        waiting.push_back({one->fd(), static_cast<short>(one->out.empty() ? POLLIN : POLLIN | POLLOUT), 0});
      }
    }
    const timespec longest = patience();
    ::ppoll(waiting.data(), waiting.size(), &longest, nullptr);
    for (const auto& one : {publisher_.get(), consumer_.get()}) {
      if (one != nullptr) {
        one->receive_some();
        note(speaker_.read(*one));
        one->send_some();
      }
    }
  }

  void note(const events& some) {
    const instant present = now();
    for (std::uint64_t left = some.confirms; left > 0 && !unconfirmed_.empty(); --left) {
      seen_.confirm_ms.push_back(static_cast<double>(present - unconfirmed_.front()) / 1e6);
      unconfirmed_.pop_front();
      ++seen_.confirmed;
    }
    for (const instant sent : some.delivered) {
      seen_.deliver_ms.push_back(static_cast<double>(present - sent) / 1e6);
      ++seen_.delivered;
    }
  }
};

settings settings_of(const string& work, int count, char** words) {
  settings how;
  how.consumes = work != "publish";
  how.publishes = how.acknowledges = work != "fetch";
  for (int at = 0; at + 1 < count; at += 2) {
    const string name = words[at];
    const auto value = std::strtoull(words[at + 1], nullptr, 10);
    auto& member = name == "--seconds"    ? how.seconds
                   : name == "--window"   ? how.window
                   : name == "--rate"     ? how.rate
                   : name == "--messages" ? how.messages
                                          : throw std::runtime_error("no option " + name);
    member = value;
  }
  return how;
}

int tell(totals seen) {
  std::printf(
      "{\"sent\": %llu, \"confirmed\": %llu, \"delivered\": %llu, \"rate\": %.1f, \"confirm_ms\": [%.3f, %.3f], "
      "\"deliver_ms\": [%.3f, %.3f]}\n",
      static_cast<unsigned long long>(seen.sent), static_cast<unsigned long long>(seen.confirmed),
      static_cast<unsigned long long>(seen.delivered), static_cast<double>(seen.in_time) / seen.seconds,
      percentile(seen.confirm_ms, 0.5), percentile(seen.confirm_ms, 0.99), percentile(seen.deliver_ms, 0.5),
      percentile(seen.deliver_ms, 0.99));
  return seen.confirmed == seen.sent ? 0 : 1;
}

int work(int count, char** words) {
  if (count < 4) {
    throw std::runtime_error(
        "usage: peer_load nats|mqtt|kafka PORT make|make-log|cycle|publish|fetch|count [OPTION N]...");
  }
  const string_view broker = words[1];
  const auto port = static_cast<std::uint16_t>(std::atoi(words[2]));
  const string what = words[3];
  const settings how = settings_of(what, count - 4, words + 4);
  if (broker == "kafka") {
    return tell(pace_kafka(port, how));
  }
  std::unique_ptr<protocol> speaker;
  if (broker == "nats") {
    speaker = std::make_unique<nats>();
  } else {
    speaker = std::make_unique<mqtt>();
  }
  if (what == "make" || what == "make-log") {
    speaker->make(port, what == "make-log");
    std::puts("{}");
    return 0;
  }
  if (what == "count") {
    std::printf("{\"held\": %llu}\n", static_cast<unsigned long long>(speaker->count(port)));
    return 0;
  }
  return tell(run(*speaker, port, how).go());
}

}  // namespace
}  // namespace tidegate::peers

int main(int count, char** words) {
  try {
    return tidegate::peers::work(count, words);
  } catch (const std::exception& trouble) {
    std::fprintf(stderr, "peer_load: %s\n", trouble.what());
    return 1;
  }
}
