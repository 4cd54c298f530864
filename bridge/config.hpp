// The bridge's configuration, read from its TOML file. known_settings.hpp declares the keys;
// tidegate-bridge.example.toml shows every key with its default.
#pragma once

#include <string>
#include <vector>

#include "bridge/kafka_settings.hpp"
#include "bridge/route.hpp"

namespace tidegate::bridge {

struct route_config {
  route_settings route;
  kafka_settings kafka;
};

struct config {
  std::string broker_address = "127.0.0.1:7420";
  std::string broker_token;
  std::string name = "bridge";
  std::string status_file = "/run/tidegate/bridge-status.json";
  std::vector<route_config> routes;
  bool take_over = false;  // set by --take-over on the command line; the file has no such key
};

// Parses and checks the whole text, including the properties meant for librdkafka. `file` is the name used in errors.
// An error names the file, the line and the key.
result<config> parse_config(std::string_view text, std::string_view file);
// Reads the file at `path` and parses it. Errors: the file cannot be read, or as above.
result<config> read_config(const std::string& path);

}  // namespace tidegate::bridge
