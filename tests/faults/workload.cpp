#include "tests/faults/workload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace tidegate::faults {

publishing workload::message(std::string exchange, std::string routing_key, std::vector<std::string> targets) {
  publishing made;
  made.publisher = 1 + static_cast<std::uint32_t>(draw_.below(publishers_count));
  made.exchange = std::move(exchange);
  made.routing_key = std::move(routing_key);
  made.targets = std::move(targets);
  made.body_bytes = draw_.percent(5) ? draw_.between(1'000, 6'000) : draw_.between(40, 300);
  return made;
}

void workload::work_off(core::consumer_id& consumer, const std::string& queue, std::uint32_t prefetch,
                        unsigned ack_percent) {
  for (auto& message : broker_.pull(consumer, draw_.between(1, 30))) out_.push_back(std::move(message));
  for (std::size_t left = out_.size(); left > 0; --left) {
    const std::size_t at = draw_.below(out_.size());  // out of order
    if (out_[at].queue != queue || !draw_.percent(ack_percent)) continue;
    draw_.percent(90) ? broker_.ack(out_[at]) : broker_.requeue(out_[at]);
    out_.erase(out_.begin() + static_cast<std::ptrdiff_t>(at));
  }
  if (!draw_.percent(2)) return;
  broker_.cancel(consumer);
  std::erase_if(out_, [&](const auto& message) { return message.consumer == consumer; });
  consumer = broker_.consume(queue, prefetch, false);
}

void workload::commit(const std::function<void()>& meanwhile) {
  broker_.flush();
  if (draw_.percent(40)) meanwhile();
  if (draw_.percent(70)) {
    broker_.finish();
  } else {
    broker_.commit();
  }
  broker_.clock().advance(milliseconds(draw_.below(50)));
}

namespace {

// Queues alone: acknowledgements out of order, requeues, several consumers with prefetch, and one with automatic
// acknowledgement.
class churn final : public workload {
 public:
  using workload::workload;

  void begin() override {
    for (const char* const queue : {"work", "spare"}) broker_.declare_queue(queue);
    broker_.commit();
    for (const std::uint32_t prefetch : {5u, 20u, 50u}) workers_.push_back(broker_.consume("work", prefetch, false));
    taker_ = broker_.consume("spare", 10, true);
  }

  void round() override {
    publish();
    const std::size_t worker = draw_.below(workers_.size());
    const unsigned ack_percent = broker_.core().inspecting.find_queue("work")->ready() > 250 ? 95 : 45;
    work_off(workers_[worker], "work", prefetches[worker], ack_percent);
    if (broker_.core().inspecting.find_queue("spare")->ready() > 60) broker_.pull(taker_, draw_.between(1, 40));
    commit([&] { publish(); });
  }

 private:
  static constexpr std::uint32_t prefetches[] = {5, 20, 50};

  void publish() {
    for (std::uint64_t left = draw_.below(20); left > 0; --left) {
      const std::string queue = draw_.percent(75) ? "work" : "spare";
      broker_.publish(message("", queue, {"q/" + queue}));
    }
  }

  std::vector<core::consumer_id> workers_;
  core::consumer_id taker_{};
};

// Logs at their bound in bytes: messages, and produced batches, both small ones and ones large enough to be stored
// directly as chunks.
class log_append final : public workload {
 public:
  using workload::workload;

  void begin() override {
    broker_.declare_topic("log", 2);
    broker_.declare_topic("tail", 1);
    for (const char* const topic : {"log", "tail"}) {
      broker_.bind({"amq.fanout", target_kind::topic, topic, ""});
    }
    broker_.commit();
  }

  void round() override {
    for (std::uint64_t left = draw_.below(15); left > 0; --left) append();
    commit([&] { append(); });
  }

 private:
  void append() {
    if (draw_.percent(60)) {
      publishing one = message("amq.fanout", "any", {"t/log", "t/tail"});
      if (draw_.percent(50)) one.key = fmt::format("key-{}", draw_.below(5));
      broker_.publish(one);
      return;
    }
    publishing each = message("", "", {"t/log"});
    each.key = "produced";
    each.body_bytes = draw_.between(40, 400);
    // A publisher's order holds within a partition, so a publisher always produces into the same one.
    const std::size_t count = draw_.percent(4) ? draw_.between(90, 130) : draw_.between(1, 8);
    broker_.produce("log", each.publisher % 2, each, count);
  }
};

// Messages that go into queues and topics at once, from producers that repeat messages, and readers that commit their
// offsets.
class mixed final : public workload {
 public:
  using workload::workload;

  void begin() override {
    for (const char* const queue : {"work", "other"}) {
      broker_.declare_queue(queue);
      broker_.bind({"amq.fanout", target_kind::queue, queue, ""});
    }
    for (const char* const topic : {"log", "wide"}) {
      broker_.declare_topic(topic, topic == std::string_view("wide") ? 3 : 1);
      broker_.bind({"amq.fanout", target_kind::topic, topic, ""});
    }
    broker_.commit();
    for (const char* const queue : {"work", "other"}) workers_.push_back(broker_.consume(queue, 30, false));
  }

  void round() override {
    publish();
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      const std::string queue = i == 0 ? "work" : "other";
      work_off(workers_[i], queue, 30, broker_.core().inspecting.find_queue(queue)->ready() > 150 ? 90 : 40);
    }
    if (draw_.percent(50)) move_offset();
    commit([&] { publish(); });
  }

 private:
  void publish() {
    for (std::uint64_t left = draw_.below(12); left > 0; --left) {
      publishing one = message("amq.fanout", "sensors.hall", broker_.targets_of("amq.fanout"));
      one.as_producer = one.publisher > 1;
      if (draw_.percent(30)) one.key = fmt::format("key-{}", draw_.below(9));
      broker_.publish(one);
      if (draw_.percent(15)) broker_.repeat(one.publisher);
    }
  }

  void move_offset() {
    const std::string group = draw_.percent(50) ? "bridge" : "report";
    const std::string topic = draw_.percent(50) ? "log" : "wide";
    const auto partition = static_cast<std::uint32_t>(topic == "log" ? 0 : draw_.below(3));
    auto& at = offsets_[{group, topic, partition}];
    const offset_t end = broker_.core().reading.range(topic, partition).value().high_watermark;
    if (end <= at) return;
    at += draw_.between(1, end - at);
    broker_.commit_offset(group, topic, partition, at);
  }

  std::vector<core::consumer_id> workers_;
  std::map<std::tuple<std::string, std::string, std::uint32_t>, offset_t> offsets_;
};

// Queues, topics, exchanges and bindings are declared and removed under the same few names, while publishing continues.
class definitions final : public workload {
 public:
  using workload::workload;

  void begin() override {
    broker_.declare_queue("always");
    broker_.bind({"amq.fanout", target_kind::queue, "always", ""});
    broker_.commit();
    worker_ = broker_.consume("always", 40, false);
  }

  void round() override {
    change();
    publish();
    work_off(worker_, "always", 40, broker_.core().inspecting.find_queue("always")->ready() > 150 ? 95 : 40);
    commit([&] {
      change();
      publish();
    });
  }

 private:
  static constexpr const char* exchange = "amq.fanout";

  void publish() {
    for (std::uint64_t left = draw_.below(12); left > 0; --left) {
      broker_.publish(message(exchange, "any", broker_.targets_of(exchange)));
    }
  }

  void change() {
    switch (draw_.below(6)) {
      case 0: return change_queue(fmt::format("queue-{}", draw_.below(4)));
      case 1: return change_topic(fmt::format("topic-{}", draw_.below(3)));
      case 2: return change_exchange(fmt::format("exchange-{}", draw_.below(3)));
      case 3: return change_binding({exchange, target_kind::queue, "always", fmt::format("{}", draw_.below(4))});
      default: return;
    }
  }

  void change_queue(const std::string& name) {
    if (broker_.core().inspecting.find_queue(name) != nullptr) return broker_.remove_queue(name);
    broker_.declare_queue(name);
    broker_.bind({exchange, target_kind::queue, name, ""});
  }

  void change_topic(const std::string& name) {
    if (const auto* const topic = broker_.core().inspecting.find_topic(name)) {
      if (draw_.percent(40) && topic->partitions().size() == 1) {
        const auto end = broker_.core().reading.range(name, 0).value().high_watermark;
        return broker_.commit_offset("reader", name, 0, end);
      }
      return broker_.remove_topic(name);
    }
    broker_.declare_topic(name, 1 + static_cast<std::uint32_t>(draw_.below(2)));
    broker_.bind({exchange, target_kind::topic, name, ""});
  }

  void change_exchange(const std::string& name) {
    if (broker_.core().inspecting.routes().find_definition(name) != nullptr) return broker_.remove_exchange(name);
    broker_.declare_exchange(name, exchange_type::direct);
    broker_.bind({name, target_kind::queue, "always", "key"});
  }

  void change_binding(const binding_definition& binding) {
    broker_.core().inspecting.routes().bindings().contains(binding) ? broker_.unbind(binding) : broker_.bind(binding);
  }

  core::consumer_id worker_{};
};

}  // namespace

std::vector<std::string> workload_names() { return {"churn", "log", "mixed", "definitions"}; }

std::unique_ptr<workload> make_workload(std::string_view name, marking_broker& broker, std::uint64_t seed) {
  if (name == "churn") return std::make_unique<churn>(broker, seed);
  if (name == "log") return std::make_unique<log_append>(broker, seed);
  if (name == "mixed") return std::make_unique<mixed>(broker, seed);
  if (name == "definitions") return std::make_unique<definitions>(broker, seed);
  throw std::invalid_argument(fmt::format("no workload '{}'", name));
}

}  // namespace tidegate::faults
