// Test support: a broker with a queue and a topic in memory and a queue on flash. Exchange `both` routes to the two
// queues, exchange `memory` to the queue and the topic in memory.
#pragma once

#include <string_view>
#include <tuple>
#include <vector>

#include "broker/core/testing.hpp"

namespace tidegate::core {

class broker_with_memory {
 protected:
  explicit broker_with_memory(stepping_options options = {}) : broker_(options) {
    declare_queue("live", durability::memory());
    declare_queue("work", {});
    declare_topic({"stream", 1, 0, {}, 0, overflow::drop_oldest, {}, durability::memory()});
    broker_.declare_exchange("both", exchange_type::fanout);
    broker_.bind_queue("both", "live");
    broker_.bind_queue("both", "work");
    broker_.declare_exchange("memory", exchange_type::fanout);
    broker_.bind_queue("memory", "live");
    broker_.bind_topic("memory", "stream");
    broker_.commit();
    broker_.noted().stored.clear();
    listen();
  }
  void listen() {
    broker_->on_work([this](milliseconds wait) { asked_.push_back(wait.count()); });
  }
  void declare_queue(std::string_view name, durability durability) {
    broker_.defining().declare_queue({std::string(name), durability}, broker_.next_receipt()).value();
  }
  void declare_topic(const api::topic_request& topic) {
    broker_.defining().declare_topic(topic, broker_.next_receipt()).value();
  }
  // Ends a turn of the loop. Returns whether a group is with the writer.
  bool turn() {
    broker_->flush();
    return broker_.storage().is_busy();
  }
  std::size_t stored() { return broker_.noted().stored.size(); }
  api::fetched range() { return broker_.reading().range("stream", 0).value(); }
  auto written() {
    const commits::figures& counts = broker_->commits().figures();
    return std::tuple(counts.commits, counts.bytes_written, counts.journal_bytes);
  }
  store::memory_use use() { return broker_.storage().in_memory().use(); }

  stepping_broker broker_;
  std::vector<std::int64_t> asked_;
};

}  // namespace tidegate::core
