// tidegate-kafka-topic: makes a topic in a Kafka. The demo needs this because the bridge does not make the centre's
// topics.
#include <librdkafka/rdkafka.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

constexpr int wait_ms = 15'000;

std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)> connect(const std::string& brokers) {
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  rd_kafka_conf_set_log_cb(conf, nullptr);
  std::array<char, 512> reason{};
  rd_kafka_conf_set(conf, "bootstrap.servers", brokers.c_str(), reason.data(), reason.size());
  rd_kafka_t* const made = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason.data(), reason.size());
  if (made == nullptr) throw std::runtime_error(reason.data());
  return {made, rd_kafka_destroy};
}

void check(rd_kafka_event_t& event) {
  if (rd_kafka_event_error(&event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw std::runtime_error(rd_kafka_event_error_string(&event));
  }
  std::size_t count = 0;
  const auto* const answer = rd_kafka_event_CreateTopics_result(&event);
  const auto* const* const topics = rd_kafka_CreateTopics_result_topics(answer, &count);
  for (std::size_t i = 0; i < count; ++i) {
    if (rd_kafka_topic_result_error(topics[i]) == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    throw std::runtime_error(rd_kafka_topic_result_error_string(topics[i]));
  }
}

// Makes the topic with the cluster's own replication factor.
void create(const std::string& brokers, const std::string& topic, int partitions) {
  const auto kafka = connect(brokers);
  const std::unique_ptr<rd_kafka_queue_t, decltype(&rd_kafka_queue_destroy)> answers(rd_kafka_queue_new(kafka.get()),
                                                                                     rd_kafka_queue_destroy);
  std::array<char, 512> reason{};
  rd_kafka_NewTopic_t* wanted = rd_kafka_NewTopic_new(topic.c_str(), partitions, -1, reason.data(), reason.size());
  if (wanted == nullptr) throw std::runtime_error(reason.data());
  rd_kafka_CreateTopics(kafka.get(), &wanted, 1, nullptr, answers.get());
  rd_kafka_NewTopic_destroy(wanted);
  const std::unique_ptr<rd_kafka_event_t, decltype(&rd_kafka_event_destroy)> event(
      rd_kafka_queue_poll(answers.get(), wait_ms), rd_kafka_event_destroy);
  if (!event) throw std::runtime_error("no answer from " + brokers + " within 15 s: is it a Kafka, and reachable?");
  check(*event);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Makes a topic in a Kafka.");
  std::string brokers, topic;
  int partitions = 1;
  app.add_option("--brokers", brokers, "host:port, comma-separated")->required();
  app.add_option("--topic", topic, "its name")->required();
  app.add_option("--partitions", partitions, "how many")->capture_default_str()->check(CLI::Range(1, 10'000));
  CLI11_PARSE(app, argc, argv);
  try {
    create(brokers, topic, partitions);
    return 0;
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "tidegate-kafka-topic: %s\n", failure.what());
    return 1;
  }
}
