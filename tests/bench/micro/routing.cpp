// Benchmarks of finding the targets of a message. The argument is the number of bound queues.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <memory>

#include "broker/base/error.hpp"
#include "broker/core/queues/queue.hpp"
#include "broker/core/routing/exchanges.hpp"

namespace {

using namespace tidegate;

// Exchanges with bound queues. Routing returns only the addresses of queues, so there is no queue at these addresses.
class bound {
 public:
  bound(std::string_view exchange, std::int64_t count, const std::function<std::string(std::int64_t)>& key_of)
      : exchange_(exchange), places_(static_cast<std::size_t>(count)) {
    for (std::int64_t i = 0; i < count; ++i) {
      auto* const queue = reinterpret_cast<core::queues::queue*>(&places_[static_cast<std::size_t>(i)]);
      exchanges_.bind({exchange_, target_kind::queue, fmt::format("queue-{}", i), key_of(i)}, {queue, nullptr});
    }
  }
  const core::routing::route& find(std::string_view key) {
    message_.exchange = exchange_;
    message_.routing_key = key;
    return *exchanges_.find(message_);
  }

 private:
  std::string exchange_;
  std::vector<char> places_;
  message_view message_;
  core::routing::exchanges exchanges_{[](std::string_view) { return nullptr; }};
};

std::string device_key(std::int64_t i) { return fmt::format("plant.line-{}.temperature", i); }

void route_direct(benchmark::State& state) {
  bound routes("amq.direct", state.range(0), device_key);
  const std::string key = device_key(state.range(0) / 2);
  for (auto _ : state) {
    const core::routing::route& found = routes.find(key);
    TIDEGATE_EXPECT(found.queues.size() == 1);
    benchmark::DoNotOptimize(&found);
  }
}
BENCHMARK(route_direct)->Arg(1)->Arg(1'000);

// A key that was routed before: devices publish under the same few keys.
void route_topic_again(benchmark::State& state) {
  bound routes("amq.topic", state.range(0), [](std::int64_t i) { return fmt::format("plant.line-{}.#", i); });
  const std::string key = device_key(state.range(0) / 2);
  for (auto _ : state) benchmark::DoNotOptimize(&routes.find(key));
}
BENCHMARK(route_topic_again)->Arg(1)->Arg(1'000);

// Every key is new, so that none is cached.
void route_topic_anew(benchmark::State& state) {
  bound routes("amq.topic", state.range(0), [](std::int64_t i) { return fmt::format("plant.line-{}.#", i); });
  std::int64_t next = 0;
  for (auto _ : state) benchmark::DoNotOptimize(&routes.find(fmt::format("plant.line-0.{}", ++next)));
}
BENCHMARK(route_topic_anew)->Arg(1)->Arg(1'000);

}  // namespace
