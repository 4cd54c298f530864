// A broker over a small store, stepped by hand. Workloads call it; it writes a mark for every request and for every
// settlement, in the format of history.hpp.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/core/broker.hpp"
#include "tests/faults/body.hpp"

namespace tidegate::faults {

// Options of a store that is small, so that roll-up, checkpoints, trimming and freeing all happen within a few hundred
// commits.
struct small_store {
  std::filesystem::path directory;
  std::uint64_t bytes_max = 4 << 20;
  std::uint64_t journal_bytes_max = 96 << 10;
  std::uint64_t retention_bytes = 256 << 10;  // of a partition
};

// A store and a broker over it, with no thread of their own, as all programs here open them.
struct opened_store {
  explicit opened_store(const small_store& options);
  manual_clock clock;
  store::store store;
  core::broker broker;
};

// One message to publish.
struct publishing {
  std::uint32_t publisher = 0;
  std::string exchange = {}, routing_key = {}, key = {};
  std::vector<std::string> targets = {};  // queues and topics that it will be routed to: q/NAME, t/NAME
  std::size_t body_bytes = 100;
  bool as_producer = false;
};

class marking_broker final : public core::session_events {
 public:
  using marker = std::function<void(std::string_view line)>;
  // Opens the store and marks `opened`. Calls `mark` with each line, without its newline.
  marking_broker(const small_store& options, marker mark);
  ~marking_broker() override;

  void declare_queue(const std::string& name);
  void declare_topic(const std::string& name, std::uint32_t partitions);
  void declare_exchange(const std::string& name, exchange_type type);
  void bind(const binding_definition& binding);
  void unbind(const binding_definition& binding);
  // Remove the queue, topic or exchange together with its bindings, and mark each of these.
  void remove_queue(const std::string& name);
  void remove_topic(const std::string& name);
  void remove_exchange(const std::string& name);
  // Returns the queues and topics bound to `exchange`, each once, as q/NAME and t/NAME.
  std::vector<std::string> targets_of(std::string_view exchange) const;

  // Returns false if the message was refused because the store is full. Throws std::runtime_error if it was not stored
  // for another reason.
  bool publish(const publishing& message);
  // Publishes the publisher's latest message once more, as after a lost confirm. Does nothing if that message was not
  // published as a producer.
  void repeat(std::uint32_t publisher);
  // Appends `count` messages to a partition as one batch. Returns false if the batch was refused.
  bool produce(const std::string& topic, std::uint32_t partition, const publishing& each, std::size_t count);

  core::consumer_id consume(const std::string& queue, std::uint32_t prefetch, bool auto_ack);
  void cancel(core::consumer_id consumer);
  struct delivered {
    core::consumer_id consumer;
    std::string queue;
    offset_t offset;
    std::uint64_t number;    // the message's
    std::uint64_t delivery;  // the session's
  };
  // Returns at most `limit` messages. Throws storage_failure if the queue cannot be read.
  std::vector<delivered> pull(core::consumer_id consumer, std::size_t limit);
  void ack(const delivered& message);
  void requeue(const delivered& message);
  void commit_offset(const std::string& group, const std::string& topic, std::uint32_t partition, offset_t offset);

  // Hands the gathered changes to the writer, if the writer is idle.
  void flush();
  // Does the writer's commit, if it has one, then marks what the commit settled. Rethrows the writer's failure.
  void finish();
  // Flushes, and finishes until the writer is idle.
  void commit();
  // Cancels all consumers, commits, and closes the store cleanly.
  void close();

  const core::api::services& core() const { return core_; }
  bool accepts() { return core_.publishing.accepts(session_); }
  std::uint64_t commits() const { return opened_.broker.commits().figures().commits; }
  std::uint64_t attempted() const { return last_number_; }
  std::uint64_t confirmed() const { return confirmed_; }
  std::uint64_t refused() const { return refused_; }
  manual_clock& clock() { return opened_.clock; }

  void settled(std::uint64_t token, const error* refusal) override;
  void deliverable(core::consumer_id) override {}
  void cancelled(core::consumer_id) override {}
  void changed(stream_id) override {}
  void lease_lost(std::string_view) override {}
  void resumed() override {}

 private:
  // Marks to write when a receipt is answered: these lines, and a confirm or refuse of each message.
  struct promise {
    std::vector<std::string> lines;
    std::vector<std::uint64_t> numbers;  // of the messages
  };
  struct last_publish {
    std::string body;
    publishing message;
    std::uint64_t sequence = 0, number = 0;
  };
  core::receipt expect(promise promise);
  void take(const result<void>& asked);
  template <class Value>
  void take(const result<Value>& asked) {
    take(asked ? result<void>() : asked.error());
  }
  void remove_bindings_of(const std::string& target, promise& promise);
  result<core::api::publish_outcome> send(const last_publish& message, const core::receipt& answer);
  void mark_attempt(std::uint64_t number, std::uint64_t sequence, const publishing& message);
  void mark_deliver(const std::string& queue, const core::delivery_view& delivery, std::vector<delivered>& into,
                    core::consumer_id consumer);
  void settle_deliveries();
  void mark_logs();
  void mark_partition(const std::string& topic, std::uint32_t partition);

  marker mark_;
  std::uint64_t retention_bytes_;
  opened_store opened_;
  const core::api::services& core_;
  core::session_id session_;
  bool has_failed_ = false;
  std::uint64_t last_token_ = 0, last_number_ = 0, confirmed_ = 0, refused_ = 0;
  std::unordered_map<std::uint64_t, promise> promises_;  // by token
  std::map<std::uint32_t, std::uint64_t> sequences_;     // by publisher
  std::map<std::uint32_t, last_publish> last_;           // by publisher
  // Marks of acknowledgements and requeues that become true with a commit: the next one, and the one in the writer.
  std::vector<std::string> gathering_, flying_;
  struct consumer_entry {
    std::string queue;
    bool auto_ack = false;
    std::map<offset_t, std::uint64_t> unsettled;  // message numbers by offset
  };
  std::map<core::consumer_id, consumer_entry> consumers_;
  std::map<std::pair<std::string, std::uint64_t>, std::uint32_t> deliveries_;  // by queue and number; not acknowledged
  std::map<std::pair<std::string, std::uint32_t>, core::api::partition_row> marked_;  // the range marked last
};

}  // namespace tidegate::faults
