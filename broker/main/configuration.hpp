// The broker's configuration: one TOML file. known_settings.hpp declares its keys; every default is shown in
// broker/main/tidegate-broker.example.toml.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "broker/base/log.hpp"
#include "broker/core/broker.hpp"
#include "broker/frontends/native/session.hpp"
#include "broker/model/definitions.hpp"
#include "broker/store/store.hpp"

namespace tidegate {

struct configuration {
  store::store_options store;
  core::broker_options core;
  native::options native;
  std::string native_listen = "127.0.0.1:7420";
  std::size_t native_connections_max = limits::connections;
  wall_trust clock_trust = wall_trust::automatic;
  log::level log_level = log::level::info;

  std::vector<core::api::exchange_request> exchanges;
  std::vector<core::api::queue_request> queues;
  std::vector<core::api::topic_request> topics;
  std::vector<binding_definition> bindings;
};

// Return the configuration, or an error that names the file, the line and the key.
result<configuration> read_configuration(const std::filesystem::path& file);
result<configuration> parse_configuration(std::string_view text, std::string_view source);

}  // namespace tidegate
