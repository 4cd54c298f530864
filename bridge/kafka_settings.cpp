#include "bridge/kafka_settings.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <vector>

#include "broker/base/log.hpp"

namespace tidegate::bridge {
namespace {

using setting_list = std::vector<std::pair<std::string, std::string>>;

// Properties that may not be set in the configuration: records are not lost, duplicated or reordered only because these
// properties have the values below.
constexpr std::array reserved = {"acks",
                                 "request.required.acks",
                                 "enable.idempotence",
                                 "enable.gapless.guarantee",
                                 "message.timeout.ms",
                                 "delivery.timeout.ms",
                                 "retries",
                                 "message.send.max.retries",
                                 "transactional.id",
                                 "enable.partition.eof",
                                 "isolation.level",
                                 "auto.offset.reset",
                                 "batch.num.messages",
                                 "queue.buffering.max.messages",
                                 "queue.buffering.max.kbytes",
                                 "bootstrap.servers",
                                 "metadata.broker.list"};

// Room for the largest body that the broker accepts, with its headers and ours.
constexpr std::size_t message_bytes_max = 2 * 1024 * 1024;

// At debug level, because librdkafka logs every failed attempt. The route logs once what an operator needs to know.
void write_log(const rd_kafka_t*, int, const char* facility, const char* text) {
  log::debug("librdkafka {}: {}", facility, text);
}

result<void> set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  std::array<char, 512> reason{};
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason.data(), reason.size()) == RD_KAFKA_CONF_OK) return {};
  return error{errc::invalid, reason.data(), name};
}

setting_list shared_settings(const kafka_settings& settings) {
  return {
      {"bootstrap.servers", settings.brokers},
      {"socket.keepalive.enable", "true"},
      {"reconnect.backoff.ms", std::to_string(settings.backoff_min.count())},
      {"reconnect.backoff.max.ms", std::to_string(settings.backoff_max.count())},
      // Below the five minutes after which common NATs forget a connection.
      {"connections.max.idle.ms", "240000"},
      {"message.max.bytes", std::to_string(message_bytes_max)},
  };
}

setting_list producer_settings(const kafka_settings& settings, pace pace) {
  setting_list list = shared_settings(settings);
  const bool alone = pace == pace::one_by_one;
  list.insert(list.end(),
              {
                  {"enable.idempotence", "true"},
                  {"acks", "all"},
                  {"max.in.flight", "5"},
                  // 0 = no time-out: the broker's log holds the record, so librdkafka must never discard it.
                  {"message.timeout.ms", "0"},
                  {"queue.buffering.max.kbytes", std::to_string(std::max<std::size_t>(1, settings.queue_bytes / 1024))},
                  {"queue.buffering.max.messages", "0"},
                  {"linger.ms", alone ? "0" : std::to_string(settings.linger.count())},
                  {"batch.size", std::to_string(settings.batch_bytes)},
                  {"batch.num.messages", alone ? "1" : "10000"},
                  {"compression.codec", settings.compression},
                  // A refused batch ends the producer, so that no later batch can overtake its records. When records
                  // are sent one by one, a refusal is reported for that record and the producer continues.
                  {"enable.gapless.guarantee", alone ? "false" : "true"},
              });
  return list;
}

setting_list reader_settings(const kafka_settings& settings) {
  setting_list list = shared_settings(settings);
  list.insert(list.end(), {
                              {"enable.partition.eof", "true"},
                              // Another client's open transaction must not hide our records that follow it.
                              {"isolation.level", "read_uncommitted"},
                              {"auto.offset.reset", "earliest"},
                              {"queued.max.messages.kbytes", "1024"},
                              {"fetch.message.max.bytes", "1048576"},
                          });
  return list;
}

result<kafka_conf> build(const setting_list& ours, const kafka_settings& settings) {
  kafka_conf conf(rd_kafka_conf_new());
  rd_kafka_conf_set_log_cb(conf.get(), write_log);
  for (const auto& [name, value] : ours) {
    if (const auto done = set(conf.get(), name, value); !done) return done.error();
  }
  for (const auto& [name, value] : settings.properties) {
    if (std::find(reserved.begin(), reserved.end(), name) != reserved.end()) {
      return error{errc::invalid, fmt::format("property \"{}\" is the bridge's own", name), name};
    }
    if (const auto done = set(conf.get(), name, value); !done) return done.error();
  }
  return conf;
}

}  // namespace

void kafka_conf_deleter::operator()(rd_kafka_conf_s* conf) const { rd_kafka_conf_destroy(conf); }

result<kafka_conf> producer_conf(const kafka_settings& settings, pace pace) {
  return build(producer_settings(settings, pace), settings);
}

result<kafka_conf> reader_conf(const kafka_settings& settings) { return build(reader_settings(settings), settings); }

}  // namespace tidegate::bridge
