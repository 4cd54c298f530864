// tidegate-kafka-dump: prints the records of a Kafka topic, from its start to its end, as they come.
#include <librdkafka/rdkafka.h>

#include <CLI/CLI.hpp>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <set>
#include <string>
#include <string_view>

namespace {

namespace json = boost::json;
using message_owner = std::unique_ptr<rd_kafka_message_t, decltype(&rd_kafka_message_destroy)>;

constexpr std::chrono::duration<double> patience_before_end{15.0};

struct settings {
  std::string brokers;
  std::string topic;
  std::uint64_t count = 0;  // 0 = unlimited
  double idle_seconds = 2.0;
  bool as_json = false;
};

// Reads all partitions of one topic into one queue.
class reader {
 public:
  explicit reader(const settings& settings) : handle_(make_handle(settings.brokers), rd_kafka_destroy) {
    topic_.reset(rd_kafka_topic_new(handle_.get(), settings.topic.c_str(), nullptr));
    queue_.reset(rd_kafka_queue_new(handle_.get()));
    partitions_ = count_partitions();
    for (std::int32_t partition = 0; partition < partitions_; ++partition) {
      rd_kafka_consume_start_queue(topic_.get(), partition, RD_KAFKA_OFFSET_BEGINNING, queue_.get());
    }
  }
  reader(const reader&) = delete;
  reader& operator=(const reader&) = delete;
  ~reader() {
    for (std::int32_t partition = 0; partition < partitions_; ++partition) {
      rd_kafka_consume_stop(topic_.get(), partition);
    }
  }
  // Returns the next record; null if no record came in that time.
  message_owner next(int wait_ms) {
    message_owner message(rd_kafka_consume_queue(queue_.get(), wait_ms), rd_kafka_message_destroy);
    if (!message || message->err == RD_KAFKA_RESP_ERR_NO_ERROR) return message;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) ended_.insert(message->partition);
    return {nullptr, rd_kafka_message_destroy};
  }
  // Returns whether the end of each partition was seen.
  bool at_end() const { return ended_.size() == static_cast<std::size_t>(partitions_); }

 private:
  static rd_kafka_t* make_handle(const std::string& brokers) {
    rd_kafka_conf_t* const conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, nullptr);
    std::array<char, 512> reason{};
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers.c_str(), reason.data(), reason.size());
    rd_kafka_conf_set(conf, "enable.partition.eof", "true", reason.data(), reason.size());
    rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", reason.data(), reason.size());
    rd_kafka_t* const made = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason.data(), reason.size());
    if (made == nullptr) throw std::runtime_error(reason.data());
    return made;
  }

  std::int32_t count_partitions() {
    const rd_kafka_metadata_t* metadata = nullptr;
    const auto failure = rd_kafka_metadata(handle_.get(), 0, topic_.get(), &metadata, 5'000);
    if (failure != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error(rd_kafka_err2str(failure));
    const auto cause = metadata->topics[0].err;
    const std::int32_t count = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    if (cause != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error(rd_kafka_err2str(cause));
    return count;
  }

  std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)> handle_;
  std::unique_ptr<rd_kafka_topic_t, decltype(&rd_kafka_topic_destroy)> topic_{nullptr, rd_kafka_topic_destroy};
  std::unique_ptr<rd_kafka_queue_t, decltype(&rd_kafka_queue_destroy)> queue_{nullptr, rd_kafka_queue_destroy};
  std::int32_t partitions_ = 0;
  std::set<std::int32_t> ended_;
};

std::string_view bytes_of(const void* data, std::size_t size) {
  return data == nullptr ? std::string_view{} : std::string_view(static_cast<const char*>(data), size);
}

bool is_text(std::string_view bytes) {
  for (const char byte : bytes) {
    if (static_cast<unsigned char>(byte) < 0x20 || static_cast<unsigned char>(byte) > 0x7e) return false;
  }
  return true;
}

// RFC 4648, section 4.
std::string base64(std::string_view bytes) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view group = bytes.substr(at, 3);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = bits << 8 | (i < group.size() ? static_cast<unsigned char>(group[i]) : 0u);
    }
    for (std::size_t i = 0; i < 4; ++i) out += i <= group.size() ? letters[bits >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

// Adds bytes to the object: as `name` if they are text that JSON can show, else in base64 as `name_base64`.
void put(json::object& into, std::string_view name, std::string_view bytes) {
  const std::string key = is_text(bytes) ? std::string(name) : std::string(name) + "_base64";
  const std::string value = is_text(bytes) ? std::string(bytes) : base64(bytes);
  into[json::string_view(key.data(), key.size())] = value;
}

json::object headers_of(const rd_kafka_message_t& message) {
  json::object list;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return list;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; ++i) {
    put(list, name, bytes_of(value, size));
  }
  return list;
}

json::object to_json(const rd_kafka_message_t& message) {
  json::object record{{"partition", message.partition}, {"offset", message.offset}};
  if (message.key == nullptr) {
    record["key"] = nullptr;
  } else {
    put(record, "key", bytes_of(message.key, message.key_len));
  }
  record["timestamp_ms"] = rd_kafka_message_timestamp(&message, nullptr);
  record["headers"] = headers_of(message);
  put(record, "body", bytes_of(message.payload, message.len));
  return record;
}

void print(const rd_kafka_message_t& message, bool as_json) {
  if (as_json) {
    std::puts(json::serialize(to_json(message)).c_str());
  } else {
    const std::string_view body = bytes_of(message.payload, message.len);
    std::printf("%d/%lld %s %s\n", message.partition, static_cast<long long>(message.offset),
                std::string(bytes_of(message.key, message.key_len)).c_str(),
                is_text(body) ? std::string(body).c_str() : base64(body).c_str());
  }
  std::fflush(stdout);
}

void dump(const settings& settings) {
  using clock = std::chrono::steady_clock;
  reader reader(settings);
  const auto patience = std::chrono::duration<double>(settings.idle_seconds);
  auto last = clock::now();
  for (std::uint64_t printed = 0; settings.count == 0 || printed < settings.count;) {
    const message_owner message = reader.next(50);
    if (message) {
      print(*message, settings.as_json);
      ++printed;
      last = clock::now();
    } else if (clock::now() - last >= (reader.at_end() ? patience : patience_before_end)) {
      if (!reader.at_end()) throw std::runtime_error("the end of the topic was not reached");
      return;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Prints the records of a Kafka topic, from its start to its end.");
  settings settings;
  app.add_option("--brokers", settings.brokers, "host:port, comma-separated")->required();
  app.add_option("--topic", settings.topic, "the topic")->required();
  app.add_option("--count", settings.count, "end after so many records");
  app.add_option("--idle-seconds", settings.idle_seconds, "end when nothing came behind the end for so long")
      ->capture_default_str();
  app.add_flag("--json", settings.as_json, "a JSON object for each record");
  CLI11_PARSE(app, argc, argv);
  try {
    dump(settings);
    return 0;
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "tidegate-kafka-dump: %s\n", failure.what());
    return 1;
  }
}
