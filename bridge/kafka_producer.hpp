// One librdkafka producer: made, used until it breaks, thrown away.
//
// Making one that is connected and destroying one may block for seconds: both belong on a worker thread. send() and
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

// What a producer tells of itself and of what it was given. `refused` at pace::normal says that some record was, and
// that the producer is at its end.
struct kafka_report {
  enum class kind { delivered, refused, failed, unreachable, fatal } what;
  std::uint32_t partition = 0;  // of the source
  offset_t offset = 0;
  destination where;
  std::string reason;
  refusal_cause cause = refusal_cause::record;
};

class kafka_producer {
 public:
  // Throws error_exception: the topic is not there, has too few or too many partitions for the partitioner, or the
  // centre did not answer in time.
  kafka_producer(const kafka_settings& settings, pace pace);
  ~kafka_producer();
  kafka_producer(const kafka_producer&) = delete;
  kafka_producer& operator=(const kafka_producer&) = delete;

  std::int32_t partitions() const { return partitions_; }
  // Becomes readable when there are reports. Read it empty, then take them.
  int event_descriptor() const { return event_; }
  // `full` with a reason: not for want of room, but because the producer is at its end.
  send_outcome send(const identity& source, const std::string& topic, std::uint32_t partition,
                    const record_view& record, std::string& reason);
  // Hands over all reports there are.
  void take_reports(const std::function<void(kafka_report)>& take);
  // Blocks until all is confirmed or the time is over.
  void flush(std::chrono::milliseconds at_most);

 private:
  // librdkafka's pointer for a message cannot hold two numbers on a 32-bit machine: it is a place in `tags_` + 1.
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
  // librdkafka's event is its `op`.
  void report_error(rd_kafka_op_s& event, const std::function<void(kafka_report)>& take);
  void report_delivery(const rd_kafka_message_s& message, const std::function<void(kafka_report)>& take);

  const partitioner partitioner_;
  std::int32_t partitions_ = 0;
  int event_ = -1;
  std::vector<origin> tags_;
  std::vector<std::size_t> free_tags_;
  // Destroyed in the opposite order.
  std::unique_ptr<rd_kafka_s, handle_deleter> handle_;
  std::unique_ptr<rd_kafka_topic_s, handle_deleter> topic_;
  std::unique_ptr<rd_kafka_queue_s, handle_deleter> queue_;
};

}  // namespace tidegate::bridge
