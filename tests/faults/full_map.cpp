// full_map: fills queues and topics until the store refuses messages. Then, in the full store, acknowledges all
// messages of the queues, commits offsets and removes a queue. The store must accept messages again by itself.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "broker/base/log.hpp"
#include "tests/faults/contained.hpp"
#include "tests/faults/draw.hpp"
#include "tests/faults/report.hpp"
#include "tests/faults/verdict.hpp"

namespace {

using namespace tidegate;
using namespace tidegate::faults;

constexpr unsigned round_seconds_max = 120;
constexpr std::uint64_t refused_min = 20;  // refusals after which the store counts as full
constexpr std::size_t queues_count = 3;
constexpr std::size_t turns_max = 100'000;  // turns after which a queue counts as impossible to empty

struct settings {
  std::uint64_t rounds = 2, seed = 1;
  bool json = false;
};

std::string queue_name(std::uint64_t number) { return fmt::format("queue-{}", number); }

class filling {
 public:
  filling(small_store store, std::uint64_t seed) : store_(std::move(store)), draw_(seed) {}

  // Returns what is wrong; empty = nothing.
  std::string run() {
    {
      marking_broker broker(store_, [&](std::string_view line) { told_.apply(line); });
      begin(broker);
      for (int time = 0; time < 2; ++time) {
        fill(broker);
        if (const std::string wrong = drain(broker); !wrong.empty()) return wrong;
        if (!is_taking(broker)) return "it is empty and takes nothing";
      }
      fill(broker);
    }  // not closed: the store is full, as a killed process leaves it
    if (const verdict full = judge(store_, told_, false); !full.is_good()) return "full: " + full.text();
    return {};
  }
  std::uint64_t confirmed() const { return told_.confirmed(); }
  std::uint64_t fills() const { return fills_; }

 private:
  static constexpr std::string_view exchange = "amq.fanout";

  void begin(marking_broker& broker) {
    for (std::size_t i = 0; i < queues_count; ++i) broker.declare_queue(queue_name(i));
    broker.declare_topic("log", 1);
    broker.bind({std::string(exchange), target_kind::queue, queue_name(0), ""});
    broker.bind({std::string(exchange), target_kind::topic, "log", ""});
    broker.commit_offset("reader", "log", 0, 0);  // a full store commits offsets, but accepts no new group
    broker.commit();
  }

  publishing message() {
    publishing made;
    made.publisher = 1 + static_cast<std::uint32_t>(draw_.below(3));
    made.body_bytes = draw_.percent(10) ? draw_.between(5'000, 60'000) : draw_.between(40, 2'000);
    if (draw_.percent(40)) {
      made.exchange = exchange;
      made.targets = {"q/" + queue_name(0), "t/log"};
      made.as_producer = true;
      made.publisher += 10;
      return made;
    }
    made.routing_key = queue_name(draw_.below(queues_count));
    made.targets = {"q/" + made.routing_key};
    return made;
  }

  // Publishes in small commits and in commits of a megabyte. The large ones reach the end of the map before the store
  // knows that it is full.
  void fill(marking_broker& broker) {
    const std::uint64_t refused = broker.refused();
    while (broker.refused() < refused + refused_min) {
      for (std::uint64_t left = draw_.percent(20) ? 300 : draw_.between(1, 40); left > 0; --left) {
        if (!broker.accepts() || !broker.publish(message())) break;
      }
      broker.flush();
      if (draw_.percent(60)) broker.finish();
    }
    broker.commit();
    ++fills_;
  }

  // Empties the queues, while offsets are committed and a queue is removed. Returns what is wrong; empty = nothing.
  std::string drain(marking_broker& broker) {
    const std::uint64_t removed = 1 + draw_.below(queues_count - 1);
    broker.remove_queue(queue_name(removed));
    for (std::size_t i = 0; i < queues_count; ++i) {
      if (i == removed) continue;
      const core::consumer_id consumer = broker.consume(queue_name(i), 100, false);
      for (std::size_t turn = 0; broker.core().inspecting.find_queue(queue_name(i))->ready() > 0; ++turn) {
        if (turn == turns_max) return "a queue cannot be emptied";
        auto out = broker.pull(consumer, draw_.between(1, 100));
        while (!out.empty()) {
          const auto at = static_cast<std::ptrdiff_t>(draw_.below(out.size()));
          broker.ack(out[static_cast<std::size_t>(at)]);
          out.erase(out.begin() + at);
        }
        broker.commit_offset("reader", "log", 0, ++offset_);
        broker.commit();
      }
      broker.cancel(consumer);
    }
    broker.commit();
    broker.commit();
    broker.declare_queue(queue_name(removed));
    broker.commit();
    return {};
  }

  bool is_taking(marking_broker& broker) {
    const std::uint64_t before = broker.confirmed();
    publishing probe;
    probe.publisher = 1;
    probe.routing_key = queue_name(0);
    probe.targets = {"q/" + queue_name(0)};
    const bool is_taken = broker.publish(probe);
    broker.commit();
    return is_taken && broker.confirmed() == before + 1;
  }

  small_store store_;
  draw draw_;
  history told_;
  std::uint64_t fills_ = 0;
  offset_t offset_ = 0;
};

int run(const settings& settings) {
  report report("full_map", settings.json);
  std::uint64_t confirmed = 0, fills = 0, failed = 0;
  for (std::uint64_t round = 0; round < settings.rounds; ++round) {
    const scratch_place place;
    small_store store;
    store.directory = place.path();
    store.bytes_max = 8 << 20;
    store.retention_bytes = 2 << 20;  // more than a commit, so that no commit drops messages that it confirms
    const auto result = run_contained(
        [&] {
          filling filling(store, settings.seed + round);
          const std::string wrong = filling.run();
          return fmt::format("{} {} {}", filling.confirmed(), filling.fills(), wrong);
        },
        round_seconds_max);
    std::uint64_t round_confirmed = 0, round_fills = 0;
    int length = 0;
    std::sscanf(result.text.c_str(), "%lu %lu %n", &round_confirmed, &round_fills, &length);
    confirmed += round_confirmed;
    fills += round_fills;
    const std::string wrong = result.text.substr(static_cast<std::size_t>(length));
    if (result.is_over && wrong.empty()) continue;
    ++failed;
    report.add_failure(fmt::format("seed {}: {}", settings.seed + round, wrong));
  }
  constexpr std::uint64_t fills_each = 3;
  report.add("rounds", settings.rounds);
  report.add("confirmed", confirmed);
  report.add("faults", fills);
  report.add("failed", failed);
  report.require_enough(confirmed, fills, settings.rounds * fills_each);
  report.print();
  return failed == 0 && !report.is_void() ? exit_ok : exit_failure;
}

}  // namespace

int main(int argc, char** argv) {
  settings settings;
  CLI::App app("Fills a store until it refuses, and empties it.", "full_map");
  app.add_option("--rounds", settings.rounds, "Each with a fresh store, filled three times")->capture_default_str();
  app.add_option("--seed", settings.seed, "Of the messages")->capture_default_str();
  app.add_flag("--json", settings.json, "Print one JSON object");
  CLI11_PARSE(app, argc, argv);
  log::set_level(log::level::error);
  try {
    return run(settings);
  } catch (const std::exception& cause) {
    std::cerr << "full_map: " << cause.what() << "\n";
    return exit_failure;
  }
}
