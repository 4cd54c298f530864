#include "kafka.hpp"

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "protocol.hpp"

namespace tidegate::peers {
namespace {

constexpr auto topic_name = "held";
constexpr int answer_ms = 10'000;

struct closing {
  void operator()(rd_kafka_t* client) const { rd_kafka_destroy(client); }
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
};
using client = std::unique_ptr<rd_kafka_t, closing>;
using topic = std::unique_ptr<rd_kafka_topic_t, closing>;

double ms_since(const void* payload, std::size_t size) {
  return static_cast<double>(now() - sent_at({static_cast<const char*>(payload), size})) / 1e6;
}

void note_confirm(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    auto& seen = *static_cast<totals*>(opaque);
    seen.confirm_ms.push_back(ms_since(message->payload, message->len));
    ++seen.confirmed;
  }
}

/// Returns a client with the library's defaults, except that no record waits for others to fill a batch.
client connect(rd_kafka_type_t kind, std::uint16_t port, totals& seen) {
  char reason[256];
  auto* conf = rd_kafka_conf_new();
  const string brokers = "127.0.0.1:" + std::to_string(port);
  for (const auto& [name, value] : {std::pair<const char*, const char*>{"bootstrap.servers", brokers.c_str()},
                                    {"socket.nagle.disable", "true"},
                                    {"linger.ms", "0"},
                                    {"acks", "all"}}) {
    if (rd_kafka_conf_set(conf, name, value, reason, sizeof reason) != RD_KAFKA_CONF_OK) {
      throw std::runtime_error(reason);
    }
  }
  rd_kafka_conf_set_opaque(conf, &seen);
  rd_kafka_conf_set_dr_msg_cb(conf, note_confirm);
  client made(rd_kafka_new(kind, conf, reason, sizeof reason));
  return made ? std::move(made) : throw std::runtime_error(reason);
}

/// Consumes from `offset` on until `ends` is set.
void follow(rd_kafka_topic_t* from, std::int64_t offset, totals& seen, std::atomic<std::uint64_t>& delivered,
            const std::atomic<bool>& ends) {
  rd_kafka_consume_start(from, 0, offset);
  while (!ends) {
    const std::unique_ptr<rd_kafka_message_t, closing> message(rd_kafka_consume(from, 0, wait_ms));
    if (message && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      seen.deliver_ms.push_back(ms_since(message->payload, message->len));
      ++delivered;
    }
  }
  rd_kafka_consume_stop(from, 0);
}

void send(rd_kafka_topic_t* to, totals& seen, const settings& how) {
  const instant start = now();
  for (instant due = start; due < start + how.seconds * 1'000'000'000;) {
    const instant present = now();
    if (due > present) {
      std::this_thread::sleep_for(std::chrono::nanoseconds(due - present));
    }
    string text = body(due);
    if (rd_kafka_produce(to, 0, RD_KAFKA_MSG_F_COPY, text.data(), text.size(), nullptr, 0, nullptr) != 0) {
      throw std::runtime_error(rd_kafka_err2str(rd_kafka_last_error()));
    }
    due = start + ++seen.sent * 1'000'000'000 / how.rate;
  }
  seen.seconds = static_cast<double>(now() - start) / 1e9;
}

}  // namespace

totals pace_kafka(std::uint16_t port, const settings& how) {
  if (how.rate == 0) {
    throw std::runtime_error("Kafka is loaded at a rate only");
  }
  totals seen;  // until they end, thread `confirming` writes the confirms and `following` the deliveries
  const client producer = connect(RD_KAFKA_PRODUCER, port, seen), consumer = connect(RD_KAFKA_CONSUMER, port, seen);
  const topic to(rd_kafka_topic_new(producer.get(), topic_name, nullptr));
  const topic from(rd_kafka_topic_new(consumer.get(), topic_name, nullptr));
  std::int64_t low = 0, high = 0;
  if (rd_kafka_query_watermark_offsets(consumer.get(), topic_name, 0, &low, &high, answer_ms) != 0) {
    throw std::runtime_error("Kafka does not answer");
  }
  std::atomic<std::uint64_t> delivered = 0;
  std::atomic<bool> ends = false;
  std::thread following([&] { follow(from.get(), high, seen, delivered, ends); });
  std::thread confirming([&] {
    while (!ends) {
      rd_kafka_poll(producer.get(), wait_ms);
    }
  });
  string trouble;
  try {
    send(to.get(), seen, how);
  } catch (const std::exception& error) {
    trouble = error.what();
  }
  seen.in_time = delivered;
  for (const instant last = now() + drain_ns;
       now() < last && (delivered < seen.sent || rd_kafka_outq_len(producer.get()) > 0);) {
    std::this_thread::sleep_for(std::chrono::milliseconds(wait_ms));
  }
  ends = true;
  following.join();
  confirming.join();
  seen.delivered = delivered;
  return trouble.empty() ? seen : throw std::runtime_error(trouble);
}

}  // namespace tidegate::peers
