// The settings of a Kafka sink, and the librdkafka configurations made from them.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "bridge/partitioner.hpp"
#include "bridge/sink.hpp"

// librdkafka's type, declared here so that this header does not include librdkafka's.
struct rd_kafka_conf_s;

namespace tidegate::bridge {

struct kafka_settings {
  std::string brokers;  // host:port, comma-separated
  std::string topic;
  std::chrono::milliseconds linger{500};      // how long a record waits for others to share its request
  std::size_t batch_bytes = 256 * 1024;       // of a request to one partition
  std::size_t queue_bytes = 8 * 1024 * 1024;  // memory for records that are sent and not yet confirmed
  std::string compression = "zstd";
  bridge::partitioner partitioner = bridge::partitioner::source;
  std::chrono::milliseconds backoff_min{1'000};
  std::chrono::milliseconds backoff_max{60'000};
  std::map<std::string, std::string> properties;  // further settings, passed to librdkafka
};

struct kafka_conf_deleter {
  void operator()(rd_kafka_conf_s* conf) const;
};
using kafka_conf = std::unique_ptr<rd_kafka_conf_s, kafka_conf_deleter>;

// Errors: librdkafka does not know a property or refuses its value, or the bridge's guarantees depend on the property.
result<kafka_conf> producer_conf(const kafka_settings& settings, pace pace);
result<kafka_conf> reader_conf(const kafka_settings& settings);

}  // namespace tidegate::bridge
