#include "bridge/config.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bridge/known_settings.hpp"
#include "broker/base/limits.hpp"
#include "broker/base/settings/reader.hpp"
#include "client/connection.hpp"

namespace tidegate::bridge {
namespace {

using settings::section;

void read_broker(const section& broker, config& into) {
  broker.read("address", into.broker_address);
  broker.read("token", into.broker_token);
  const auto address = client::parse_endpoint(into.broker_address);
  if (!address) broker.refuse("address", address.error().text);
}

void read_bridge(const section& bridge, config& into, route_settings& defaults) {
  bridge.read("name", into.name);
  bridge.read("status_file", into.status_file);
  bridge.read("backoff_min", defaults.backoff_min);
  bridge.read("backoff_max", defaults.backoff_max);
  bridge.read("progress_deadline", defaults.progress_deadline);
  bridge.read("time_ahead_max", defaults.times.ahead_max);
  bridge.read("time_behind_max", defaults.times.behind_max);
  if (defaults.backoff_max < defaults.backoff_min) {
    bridge.refuse("backoff_max", fmt::format("takes no less than bridge.backoff_min, which is {}; found {}",
                                             settings::write_duration(defaults.backoff_min),
                                             settings::write_duration(defaults.backoff_max)));
  }
}

// Lets librdkafka check the properties that are meant for it.
void check_kafka(const kafka_settings& settings, const section& route) {
  const auto check = [&](const auto& conf) {
    if (!conf) route.refuse(fmt::format("{}: {}", conf.error().field, conf.error().text));
  };
  check(producer_conf(settings, pace::normal));
  check(reader_conf(settings));
}

route_config read_route(const section& route, const route_settings& defaults) {
  route_config config{defaults, {}};
  kafka_settings& kafka = config.kafka;
  route.read("name", config.route.name);
  route.read("topic", config.route.topic);
  route.read("sink", config.route.sink);
  route.read("destination", config.route.destination);
  route.read("brokers", kafka.brokers);
  if (const auto* const linger = route.number("linger_ms")) kafka.linger = milliseconds(*linger);
  route.read("batch_bytes", kafka.batch_bytes);
  route.read("queue_bytes", kafka.queue_bytes);
  route.read("compression", kafka.compression);
  if (const auto* const rule = route.text("partitioner")) kafka.partitioner = parse_partitioner(*rule).value();
  route.read("properties", kafka.properties);
  kafka.topic = config.route.destination;
  kafka.backoff_min = defaults.backoff_min;
  kafka.backoff_max = defaults.backoff_max;
  check_kafka(kafka, route);
  return config;
}

// The name of the group at the broker is `<bridge>/<route>`, so its limit applies to both names together.
void check_name(const section& route, const std::string& name, const config& config) {
  if (std::ranges::any_of(config.routes, [&](const route_config& other) { return other.route.name == name; })) {
    route.refuse("name", fmt::format("a second route is named \"{}\"", name));
  }
  if (config.name.size() + 1 + name.size() > limits::name_bytes || name.empty()) {
    route.refuse("name", fmt::format("the route's name and the bridge's must be 1 to {} bytes together",
                                     limits::name_bytes - 1));
  }
}

config read_whole(const settings::document& file) {
  config config;
  route_settings defaults;
  read_broker(file.one("broker"), config);
  read_bridge(file.one("bridge"), config, defaults);
  for (const section& each : file.all("route")) {
    route_config route = read_route(each, defaults);
    check_name(each, route.route.name, config);
    config.routes.push_back(std::move(route));
  }
  if (config.routes.empty()) file.refuse("there is no [[route]]");
  return config;
}

}  // namespace

result<config> parse_config(std::string_view text, std::string_view file) {
  return settings::parse(text, file, known_settings(), read_whole);
}

result<config> read_config(const std::string& path) { return settings::read(path, known_settings(), read_whole); }

}  // namespace tidegate::bridge
