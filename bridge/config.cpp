#include "bridge/config.hpp"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>

#include "broker/base/limits.hpp"

namespace tidegate::bridge {
namespace {

using std::chrono::milliseconds;

struct config_error {
  std::string text;
  std::uint32_t line;
};

[[noreturn]] void fail(std::string text, const toml::source_region& where) {
  throw config_error{std::move(text), where.begin.line};
}

// Reads the keys of one table and knows which were read: what is left over at the end is an error.
class section {
 public:
  section(const toml::table& table, std::string name) : table_(table), name_(std::move(name)) {}

  template <class Use>
  void with(std::string_view key, Use use) {
    known_.emplace(key);
    if (const toml::node* node = table_.get(key)) use(*node);
  }

  void read(std::string_view key, std::string& into) {
    with(key, [&](const toml::node& node) {
      const auto* value = node.as_string();
      if (value == nullptr) wrong(key, "a string", node);
      into = value->get();
    });
  }

  void read(std::string_view key, std::size_t& into, std::size_t min, std::size_t max) {
    with(key, [&](const toml::node& node) {
      const auto* value = node.as_integer();
      if (value == nullptr) wrong(key, "a whole number", node);
      const std::int64_t number = value->get();
      if (number < static_cast<std::int64_t>(min) || number > static_cast<std::int64_t>(max)) {
        wrong(key, fmt::format("from {} to {}", min, max), node);
      }
      into = static_cast<std::size_t>(number);
    });
  }

  void read(std::string_view key, milliseconds& into) {
    with(key, [&](const toml::node& node) {
      const auto* value = node.as_string();
      const auto time = value == nullptr ? std::nullopt : parse_duration(value->get());
      if (!time) wrong(key, "a time such as \"500ms\", \"10s\", \"2m\", \"1h\" or \"7d\"", node);
      into = *time;
    });
  }

  void require(std::string_view key) const {
    if (!table_.contains(key)) fail(fmt::format("{} needs \"{}\"", name_, key), table_.source());
  }

  void reject_unknown() const {
    for (const auto& [key, node] : table_) {
      if (!known_.contains(std::string(key.str())))
        fail(fmt::format("unknown key \"{}\" in {}", key.str(), name_), key.source());
    }
  }

  [[noreturn]] void wrong(std::string_view key, std::string_view expected, const toml::node& node) const {
    fail(fmt::format("\"{}\" in {} must be {}", key, name_, expected), node.source());
  }

 private:
  static std::optional<milliseconds> parse_duration(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    constexpr std::int64_t number_max = 86'400'000;
    if (failure != std::errc{} || number < 0 || number > number_max) return std::nullopt;
    const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    if (unit == "ms") return milliseconds(number);
    if (unit == "s") return std::chrono::seconds(number);
    if (unit == "m") return std::chrono::minutes(number);
    if (unit == "h") return std::chrono::hours(number);
    if (unit == "d") return std::chrono::hours(24 * number);
    return std::nullopt;
  }

  const toml::table& table_;
  const std::string name_;
  std::set<std::string, std::less<>> known_;
};

const toml::table& as_table(const toml::node& node, std::string_view name) {
  if (const toml::table* table = node.as_table()) return *table;
  fail(fmt::format("[{}] must be a table", name), node.source());
}

void read_broker(const toml::table& table, config& into) {
  section section(table, "[broker]");
  section.read("address", into.broker_address);
  section.read("token", into.broker_token);
  section.reject_unknown();
}

void read_bridge(const toml::table& table, config& into, route_settings& defaults) {
  section section(table, "[bridge]");
  section.read("name", into.name);
  section.read("status_file", into.status_file);
  section.read("backoff_min", defaults.backoff_min);
  section.read("backoff_max", defaults.backoff_max);
  section.read("progress_deadline", defaults.progress_deadline);
  section.read("time_ahead_max", defaults.times.ahead_max);
  section.read("time_behind_max", defaults.times.behind_max);
  section.reject_unknown();
  if (defaults.backoff_min < milliseconds(1) || defaults.backoff_max < defaults.backoff_min) {
    fail("[bridge] needs 1ms <= backoff_min <= backoff_max", table.source());
  }
}

void read_properties(section& section, kafka_settings& into) {
  section.with("properties", [&](const toml::node& node) {
    for (const auto& [key, value] : as_table(node, "route.properties")) {
      const auto* text = value.as_string();
      if (text == nullptr) section.wrong(key.str(), "a string, as librdkafka's settings are", value);
      into.properties.emplace(key.str(), text->get());
    }
  });
}

void read_partitioner(section& section, kafka_settings& into) {
  section.with("partitioner", [&](const toml::node& node) {
    const auto* value = node.as_string();
    const auto rule = value == nullptr ? std::nullopt : parse_partitioner(value->get());
    if (!rule) section.wrong("partitioner", "\"source\", \"murmur2\" or \"crc32\"", node);
    into.partitioner = *rule;
  });
}

// librdkafka is the judge of what is meant for it.
void check_kafka(const kafka_settings& settings, const toml::table& table) {
  const auto producer = producer_conf(settings, pace::normal);
  if (!producer) fail(fmt::format("{}: {}", producer.error().field, producer.error().text), table.source());
  const auto reader = reader_conf(settings);
  if (!reader) fail(fmt::format("{}: {}", reader.error().field, reader.error().text), table.source());
}

route_config read_route(const toml::table& table, const route_settings& defaults) {
  route_config config{defaults, {}};
  section section(table, "[[route]]");
  for (const char* key : {"name", "topic", "sink", "destination", "brokers"}) section.require(key);
  section.read("name", config.route.name);
  section.read("topic", config.route.topic);
  section.with("sink", [&](const toml::node& node) {
    if (node.value<std::string_view>() != "kafka") section.wrong("sink", "\"kafka\"", node);
    config.route.sink = "kafka";
  });
  section.read("destination", config.route.destination);
  section.read("brokers", config.kafka.brokers);
  std::size_t linger_ms = 500;
  section.read("linger_ms", linger_ms, 0, 60'000);
  config.kafka.linger = milliseconds(linger_ms);
  section.read("batch_bytes", config.kafka.batch_bytes, 1'024, 16 * limits::mib);
  section.read("queue_bytes", config.kafka.queue_bytes, 64 * limits::kib, 1'024 * limits::mib);
  section.read("compression", config.kafka.compression);
  read_partitioner(section, config.kafka);
  read_properties(section, config.kafka);
  section.reject_unknown();
  config.kafka.topic = config.route.destination;
  config.kafka.backoff_min = defaults.backoff_min;
  config.kafka.backoff_max = defaults.backoff_max;
  check_kafka(config.kafka, table);
  return config;
}

void read_routes(const toml::node& node, config& into, const route_settings& defaults) {
  const toml::array* list = node.as_array();
  if (list == nullptr) fail("routes are written as [[route]]", node.source());
  for (const toml::node& entry : *list) {
    const toml::table& table = as_table(entry, "route");
    route_config route = read_route(table, defaults);
    const bool taken = std::any_of(into.routes.begin(), into.routes.end(),
                                   [&](const route_config& other) { return other.route.name == route.route.name; });
    if (taken) fail(fmt::format("a second route is named \"{}\"", route.route.name), table.source());
    // The group's name is made of both.
    if (into.name.size() + 1 + route.route.name.size() > limits::name_bytes || route.route.name.empty()) {
      fail(fmt::format("the route's name and the bridge's must be 1 to {} bytes together", limits::name_bytes - 1),
           table.source());
    }
    into.routes.push_back(std::move(route));
  }
}

config read_whole(const toml::table& table) {
  config config;
  route_settings defaults;
  section section(table, "the file");
  section.with("broker", [&](const toml::node& node) { read_broker(as_table(node, "broker"), config); });
  section.with("bridge", [&](const toml::node& node) { read_bridge(as_table(node, "bridge"), config, defaults); });
  section.with("route", [&](const toml::node& node) { read_routes(node, config, defaults); });
  section.reject_unknown();
  if (config.routes.empty()) fail("there is no [[route]]", table.source());
  return config;
}

}  // namespace

result<config> parse_config(std::string_view text, std::string_view file) {
  try {
    return read_whole(toml::parse(text, file));
  } catch (const config_error& failure) {
    return error{errc::invalid, fmt::format("{}:{}: {}", file, failure.line, failure.text)};
  } catch (const toml::parse_error& failure) {
    return error{errc::invalid, fmt::format("{}:{}: {}", file, failure.source().begin.line, failure.description())};
  }
}

result<config> read_config(const std::string& path) {
  std::ifstream file(path);
  if (!file) return error{errc::not_found, fmt::format("{} cannot be read", path)};
  std::ostringstream text;
  text << file.rdbuf();
  return parse_config(text.str(), path);
}

}  // namespace tidegate::bridge
