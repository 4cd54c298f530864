// A librdkafka producer: made, used until it breaks, and discarded.
//
// Making and connecting one, and destroying one, may block for seconds: do both on a worker thread. send() and
// take_reports() never block; one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bridge/kafka_settings.hpp"

struct rd_kafka_s;
struct rd_kafka_topic_s;
struct rd_kafka_queue_s;
struct rd_kafka_message_s;
struct rd_kafka_op_s;

namespace tidegate::bridge {

// Reports of a producer. `refused` at pace::normal means that some record was refused, and that the producer cannot be
// used any more.
struct kafka_report {
  enum class kind { delivered, refused, failed, unreachable, fatal } what;
  std::uint32_t partition = 0;  // of the source topic
  offset_t offset = 0;
  destination where;
  std::string reason;
  refusal_cause cause = refusal_cause::record;
};

class kafka_producer {
 public:
  // Throws error_exception: the topic does not exist, has too few or too many partitions for the partitioner, or the
  // centre did not answer in time.
  kafka_producer(const kafka_settings& settings, pace pace);
  ~kafka_producer();
  kafka_producer(const kafka_producer&) = delete;
  kafka_producer& operator=(const kafka_producer&) = delete;

  std::int32_t partitions() const { return partitions_; }
  // Becomes readable when there are reports. Read it empty, then call take_reports().
  int event_descriptor() const { return event_; }
  // `full` with a reason: there may be room, but the producer cannot be used any more.
  send_outcome send(const identity& source, const std::string& topic, std::uint32_t partition,
                    const record_view& record, std::string& reason);
  // Passes on all reports.
  void take_reports(const std::function<void(kafka_report)>& take);
  // Blocks until everything is confirmed, or for that time.
  void flush(std::chrono::milliseconds at_most);

 private:
  // librdkafka's pointer for a message has no room for two numbers on a 32-bit machine, so it is a place in `tags_` +
  // 1.
  struct origin {
    std::uint32_t partition = 0;
    offset_t offset = 0;
  };
  struct handle_deleter {
    void operator()(rd_kafka_s* handle) const;
    void operator()(rd_kafka_topic_s* topic) const;
    void operator()(rd_kafka_queue_s* queue) const;
  };

  void ask_partitions(const kafka_settings& settings);
  std::size_t keep_tag(origin of);
  origin give_back_tag(void* opaque);
  // librdkafka's event type is its `op`.
  void report_error(rd_kafka_op_s& event, const std::function<void(kafka_report)>& take);
  void report_delivery(const rd_kafka_message_s& message, const std::function<void(kafka_report)>& take);

  const partitioner partitioner_;
  std::int32_t partitions_ = 0;
  int event_ = -1;
  std::vector<origin> tags_;
  std::vector<std::size_t> free_tags_;
  // Destroyed in reverse order.
  std::unique_ptr<rd_kafka_s, handle_deleter> handle_;
  std::unique_ptr<rd_kafka_topic_s, handle_deleter> topic_;
  std::unique_ptr<rd_kafka_queue_s, handle_deleter> queue_;
};

}  // namespace tidegate::bridge
