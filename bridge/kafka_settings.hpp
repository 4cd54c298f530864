// Settings of a Kafka sink, and the librdkafka configurations made from them.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "bridge/partitioner.hpp"
#include "bridge/sink.hpp"

// librdkafka's type, kept out of the headers.
struct rd_kafka_conf_s;

namespace tidegate::bridge {

struct kafka_settings {
  std::string brokers;  // host:port, comma-separated
  std::string topic;
  std::chrono::milliseconds linger{500};
  std::size_t batch_bytes = 256 * 1024;
  std::size_t queue_bytes = 8 * 1024 * 1024;
  std::string compression = "zstd";
  bridge::partitioner partitioner = bridge::partitioner::source;
  std::chrono::milliseconds backoff_min{1'000};
  std::chrono::milliseconds backoff_max{60'000};
  std::map<std::string, std::string> properties;  // further ones, passed to librdkafka
};

struct kafka_conf_deleter {
  void operator()(rd_kafka_conf_s* conf) const;
};
using kafka_conf = std::unique_ptr<rd_kafka_conf_s, kafka_conf_deleter>;

// Errors: a property that librdkafka does not know or take, or one that the bridge's promises depend on.
result<kafka_conf> producer_conf(const kafka_settings& settings, pace pace);
result<kafka_conf> reader_conf(const kafka_settings& settings);

}  // namespace tidegate::bridge
