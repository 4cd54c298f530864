// One librdkafka producer. It is created, used until it breaks and then destroyed; a new one takes its place.
//
// The constructor, the destructor and flush() may block for seconds: they belong on a worker thread. send() and
// take_reports() never block and are called by one thread at a time.
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

// An event of a producer: the result of one record, or a change of the producer's own state. `refused` at pace::normal
// means that some record was refused and that the producer can no longer be used.
struct kafka_report {
  enum class kind { delivered, refused, failed, unreachable, fatal } what;
  std::uint32_t partition = 0;  // of the source, as is `offset`
  offset_t offset = 0;
  destination where;
  std::string reason;
  refusal_cause cause = refusal_cause::record;
};

class kafka_producer {
 public:
  // Connects to the centre. Throws error_exception if the topic does not exist, if it has too many partitions for a
  // partitioner by key, or if the centre did not answer in time.
  kafka_producer(const kafka_settings& settings, pace pace);
  ~kafka_producer();
  kafka_producer(const kafka_producer&) = delete;
  kafka_producer& operator=(const kafka_producer&) = delete;

  std::int32_t partitions() const { return partitions_; }
  // Returns a descriptor that becomes readable when there are reports; the producer owns it. Read it until it is empty,
  // then call take_reports().
  int event_descriptor() const { return event_; }
  // Copies the record into the producer's queue. `full` without a reason: the queue has no room now. `full` with a
  // reason: the producer can no longer be used.
  send_outcome send(const identity& source, const std::string& topic, std::uint32_t partition,
                    const record_view& record, std::string& reason);
  // Passes every waiting report to `take`.
  void take_reports(const std::function<void(kafka_report)>& take);
  // Blocks until every record is confirmed or `at_most` has passed.
  void flush(std::chrono::milliseconds at_most);

 private:
  // The source of a message. librdkafka's opaque pointer cannot hold both numbers on a 32-bit machine, so the pointer
  // holds an index into `tags_`, plus 1.
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
  // rd_kafka_op_s is the type behind librdkafka's rd_kafka_event_t.
  void report_error(rd_kafka_op_s& event, const std::function<void(kafka_report)>& take);
  void report_delivery(const rd_kafka_message_s& message, const std::function<void(kafka_report)>& take);

  const partitioner partitioner_;
  std::int32_t partitions_ = 0;
  int event_ = -1;
  std::vector<origin> tags_;
  std::vector<std::size_t> free_tags_;
  // In this order, so that the queue and the topic are destroyed before the handle.
  std::unique_ptr<rd_kafka_s, handle_deleter> handle_;
  std::unique_ptr<rd_kafka_topic_s, handle_deleter> topic_;
  std::unique_ptr<rd_kafka_queue_s, handle_deleter> queue_;
};

}  // namespace tidegate::bridge
