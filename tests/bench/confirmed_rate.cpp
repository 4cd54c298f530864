// How many messages a second the broker confirms, each on flash, next to raw append + fdatasync of the same bytes on
// the same disk in the same run. Start a broker first; it needs a queue and a topic of the names below, which this
// declares.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <vector>

#include "broker/model/record_batch.hpp"
#include "client/connection.hpp"

namespace {

using tidegate::client::awaitable;
using tidegate::client::connect_options;
using tidegate::client::connection;
using steady = std::chrono::steady_clock;

constexpr const char* queue_name = "bench";
constexpr const char* topic_name = "bench";
constexpr std::size_t records_per_batch = 1'000;

struct settings {
  std::string broker = "127.0.0.1:7420";
  std::string directory = ".";
  double seconds = 3;
  std::size_t body_bytes = 100;
  bool json = false;
};

struct measurement {
  std::string name;
  double per_second = 0;
  double raw_per_second = 0;  // the same number of bytes by append + fdatasync, measured right before
  double median_us = 0;       // where one goes at a time
};

double since(steady::time_point began) { return std::chrono::duration<double>(steady::now() - began).count(); }

double median_us(std::vector<double>& seconds) {
  if (seconds.empty()) return 0;
  std::nth_element(seconds.begin(), seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2), seconds.end());
  return seconds[seconds.size() / 2] * 1e6;
}

// Appends of `messages` x body, each followed by a sync. Messages a second.
double raw_rate(const settings& settings, std::size_t messages, double seconds) {
  const std::string path = settings.directory + "/raw-append.bench";
  const int file = ::open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) throw std::runtime_error("cannot write " + path);
  const std::string data(messages * settings.body_bytes, 'x');
  std::size_t syncs = 0;
  const auto began = steady::now();
  while (since(began) < seconds) {
    if (::write(file, data.data(), data.size()) < 0 || ::fdatasync(file) != 0)
      throw std::runtime_error("cannot sync " + path);
    ++syncs;
  }
  const double elapsed = since(began);
  ::close(file);
  ::unlink(path.c_str());
  return static_cast<double>(syncs * messages) / elapsed;
}

connect_options with_window(std::size_t window) {
  connect_options options;
  options.name = "confirmed_rate";
  options.publish_window = window;
  return options;
}

awaitable<measurement> queue_rate(const settings& settings, std::size_t window) {
  measurement out{fmt::format("queue, {} in flight", window)};
  out.raw_per_second = raw_rate(settings, window, settings.seconds / 3);
  connection connection(co_await boost::asio::this_coro::executor);
  co_await connection.open(tidegate::client::parse_endpoint(settings.broker).value(), with_window(window));
  co_await connection.declare_queue(queue_name);
  const std::string body(settings.body_bytes, 'x');
  tidegate::message_view message;
  message.routing_key = queue_name;
  message.body = body;
  std::size_t failed = 0;
  std::vector<double> latencies;
  std::uint64_t sent = 0;
  const auto began = steady::now();
  if (window > 1) connection.on_confirmation([&](const auto& confirmation) { failed += confirmation.failure ? 1 : 0; });
  while (since(began) < settings.seconds) {
    ++sent;
    if (window > 1) {
      co_await connection.send(message);
      continue;
    }
    const auto before = steady::now();
    const auto confirmation = co_await connection.publish(message);
    latencies.push_back(since(before));
    failed += confirmation.failure ? 1 : 0;
  }
  co_await connection.drain();
  out.per_second = static_cast<double>(sent) / since(began);
  out.median_us = median_us(latencies);
  if (failed > 0) throw std::runtime_error(fmt::format("{} publishes were refused: is the store full?", failed));
  co_await connection.erase("queue", queue_name);
  co_return out;
}

std::string batch_of(const settings& settings) {
  tidegate::batch_builder builder;
  const std::string body(settings.body_bytes, 'x');
  for (std::size_t i = 0; i < records_per_batch; ++i) builder.add(tidegate::record_view{i, 0, {}, body, {}});
  return builder.finish();
}

awaitable<measurement> topic_rate(const settings& settings) {
  measurement out{fmt::format("topic, batches of {}", records_per_batch)};
  out.raw_per_second = raw_rate(settings, records_per_batch, settings.seconds / 3);
  connection connection(co_await boost::asio::this_coro::executor);
  co_await connection.open(tidegate::client::parse_endpoint(settings.broker).value(), with_window(1));
  tidegate::client::topic_definition topic;
  topic.name = topic_name;
  topic.retention_bytes = 8 << 20;
  co_await connection.declare_topic(topic);
  const std::string batch = batch_of(settings);
  std::size_t sent = 0;
  const auto began = steady::now();
  for (; since(began) < settings.seconds; ++sent) co_await connection.produce(topic_name, 0, batch);
  out.per_second = static_cast<double>(sent * records_per_batch) / since(began);
  out.median_us = since(began) / static_cast<double>(sent) * 1e6;
  co_await connection.erase("topic", topic_name);
  co_return out;
}

void print(const settings& settings, const std::vector<measurement>& rows) {
  if (!settings.json) {
    std::printf(
        "%zu-byte messages, confirmed after a synced commit; raw = append + fdatasync of as many bytes at a time\n",
        settings.body_bytes);
    std::printf("%-24s %14s %14s %8s %12s\n", "", "messages/s", "raw/s", "of raw", "median us");
  }
  for (const measurement& row : rows) {
    const double ratio = row.per_second / row.raw_per_second;
    if (settings.json) {
      std::printf("{\"name\":\"%s\",\"per_second\":%.0f,\"raw_per_second\":%.0f,\"of_raw\":%.3f,\"median_us\":%.1f}\n",
                  row.name.c_str(), row.per_second, row.raw_per_second, ratio, row.median_us);
    } else {
      std::printf("%-24s %14.0f %14.0f %8.2f %12.0f\n", row.name.c_str(), row.per_second, row.raw_per_second, ratio,
                  row.median_us);
    }
  }
}

awaitable<> run(const settings& settings) {
  std::vector<measurement> rows;
  for (const std::size_t window : {1, 16, 1'000}) {
    if (!settings.json) std::fprintf(stderr, "queue, %zu in flight ...\n", window);
    rows.push_back(co_await queue_rate(settings, window));
  }
  if (!settings.json) std::fprintf(stderr, "topic, batches ...\n");
  rows.push_back(co_await topic_rate(settings));
  print(settings, rows);
}

}  // namespace

int main(int argc, char** argv) {
  settings settings;
  CLI::App app("Confirmed, synced messages a second, next to raw append + fdatasync in the same run.",
               "confirmed_rate");
  app.add_option("--broker", settings.broker, "The broker's native port")->capture_default_str();
  app.add_option("--directory", settings.directory, "Where the raw file is written: the store's disk")
      ->capture_default_str();
  app.add_option("--seconds", settings.seconds, "For each row")->capture_default_str();
  app.add_option("--bytes", settings.body_bytes, "Of a message's body")->capture_default_str();
  app.add_flag("--json", settings.json, "One JSON object a row");
  CLI11_PARSE(app, argc, argv);
  try {
    boost::asio::io_context io;
    std::exception_ptr failure;
    boost::asio::co_spawn(io, run(settings), [&](std::exception_ptr cause) { failure = cause; });
    io.run();
    if (failure) std::rethrow_exception(failure);
    return 0;
  } catch (const std::exception& cause) {
    std::fprintf(stderr, "confirmed_rate: %s\n", cause.what());
    return 1;
  }
}
