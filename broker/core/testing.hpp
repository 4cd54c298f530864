// Test support, also for the front-ends' tests: a broker over a small store, which the test steps by hand and drives
// with short calls.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/base/log.hpp"
#include "broker/core/broker.hpp"
#include "broker/model/deaths.hpp"
#include "broker/model/properties.hpp"

namespace tidegate::core {

// A temporary folder, on a RAM disk if there is one. Removed by the destructor.
class scratch_folder {
 public:
  scratch_folder() {
    const std::filesystem::path memory = "/dev/shm";
    const auto base = std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path();
    std::string name = (base / "tidegate-core-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
    path_ = name;
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  ~scratch_folder() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A session that notes the events it receives.
class noting_session final : public session_events {
 public:
  void settled(std::uint64_t token, const error* refusal) override {
    if (refusal == nullptr) stored.push_back(token);
    if (refusal != nullptr) refused[token].push_back(refusal->code);
  }
  void deliverable(consumer_id consumer) override { ++told[consumer]; }
  void cancelled(consumer_id consumer) override { ended.push_back(consumer); }
  void changed(stream_id stream) override { changes.push_back(stream); }
  void lease_lost(std::string_view name) override { leases_lost.emplace_back(name); }
  void resumed() override { ++resumptions; }

  std::vector<std::uint64_t> stored;                   // tokens
  std::map<std::uint64_t, std::vector<errc>> refused;  // by token: the error of each refusal
  std::map<consumer_id, int> told;
  std::vector<consumer_id> ended;  // by cancelled()
  std::vector<stream_id> changes;
  std::vector<std::string> leases_lost;
  int resumptions = 0;
};

struct stepping_options {
  std::uint64_t bytes_max = 16 << 20;
  std::uint64_t journal_bytes_max = 512 * 1024;
  broker_options core = {};
  std::uint64_t memory_bytes_max = limits::memory_bytes_min;
  std::function<bool()> refuses_records = {};  // see store::writer_options
};

class stepping_broker {
 public:
  explicit stepping_broker(stepping_options options = {}) : options_(options) {
    log::set_level(log::level::error);
    open();
  }

  core::broker* operator->() { return broker_.get(); }
  core::broker& get() { return *broker_; }
  const api::services& services() { return broker_->services(); }
  api::sessions& sessions() { return services().sessions; }
  api::publishing& publishing() { return services().publishing; }
  api::consuming& consuming() { return services().consuming; }
  api::transacting& transacting() { return services().transacting; }
  api::defining& defining() { return services().defining; }
  api::reading& reading() { return services().reading; }
  api::grouping& grouping() { return services().grouping; }
  const api::inspecting& inspecting() { return services().inspecting; }
  api::message_status counts() { return inspecting().status().messages; }
  const std::filesystem::path& folder() const { return folder_.path(); }
  store::store& storage() { return *store_; }
  noting_session& noted() { return *noted_; }
  session_id session() const { return session_; }

  // Hands the gathering group to the writer. finish() does the writer's work and passes on its result.
  void flush() { broker_->flush_now(); }
  void finish() {
    store_->step();
    broker_->collect();
  }
  // Commits until no group is with the writer.
  void commit() {
    flush();
    while (store_->is_busy()) finish();
  }

  void reopen_closed() {
    commit();
    store_->close();
    open();
  }
  // Stops cleanly, lets `change` alter the files in the store's folder, and starts again.
  void reopen_changed(const std::function<void(const std::filesystem::path&)>& change) {
    commit();
    store_->close();
    broker_.reset();
    store_.reset();
    change(folder_.path());
    open();
  }
  // Starts again as after kill -9: changes that were not committed are lost.
  void reopen_killed() { open(); }

  receipt next_receipt() { return {session_, ++last_token_}; }
  std::uint64_t last_token() const { return last_token_; }

  result<api::publish_outcome> try_publish(std::string_view exchange, std::string_view routing_key,
                                           std::string_view body, std::string_view key = {}) {
    message_view message;
    message.exchange = exchange;
    message.routing_key = routing_key;
    message.body = body;
    message.key = key;
    return publishing().publish(message, {next_receipt(), std::nullopt, 0});
  }
  api::publish_outcome publish(std::string_view exchange, std::string_view routing_key, std::string_view body,
                               std::string_view key = {}) {
    return try_publish(exchange, routing_key, body, key).value();
  }
  result<api::publish_outcome> try_publish_with(std::string_view exchange, std::string_view routing_key,
                                                std::string_view body, const properties& properties,
                                                milliseconds delay = milliseconds(0)) {
    const std::string encoded = encode(properties);
    message_view message;
    message.exchange = exchange;
    message.routing_key = routing_key;
    message.body = body;
    message.properties = encoded;
    return publishing().publish(message, {next_receipt(), std::nullopt, 0, delay});
  }
  // Publishes to a queue through the default exchange, with a time to live and a priority.
  void put_for(std::string_view queue, std::string_view body, std::string_view expiration,
               std::optional<std::uint8_t> priority = {}) {
    properties set;
    if (!expiration.empty()) set.expiration = expiration;
    set.priority = priority;
    try_publish_with("", queue, body, set).value();
  }
  void put_later(std::string_view queue, std::string_view body, milliseconds delay) {
    try_publish_with("", queue, body, {}, delay).value();
  }
  // Lets time pass, and everything happen that is due then.
  void pass(milliseconds time) {
    clock.advance(time);
    for (int i = 0; i < 4; ++i) {
      broker_->flush();
      commit();
    }
  }
  // Publishes to a queue through the default exchange.
  void put(std::string_view queue, std::string_view body) { publish("", queue, body); }
  result<api::publish_outcome> publish_as(const api::producer_ref& producer, std::uint64_t sequence,
                                          std::string_view queue, std::string_view body) {
    message_view message;
    message.routing_key = queue;
    message.body = body;
    return publishing().publish(message, {next_receipt(), producer, sequence});
  }

  void declare_queue(std::string_view name) { defining().declare_queue({std::string(name)}, next_receipt()).value(); }
  // `set` sets attributes of the request.
  void declare_queue(std::string_view name, const std::function<void(api::queue_request&)>& set) {
    api::queue_request request{std::string(name)};
    set(request);
    defining().declare_queue(request, next_receipt()).value();
  }
  void declare_topic(std::string_view name, std::uint32_t partitions = 1, std::uint64_t retention_bytes = 0,
                     milliseconds retention_age = {}) {
    defining()
        .declare_topic({std::string(name), partitions, retention_bytes, retention_age, {}}, next_receipt())
        .value();
  }
  void declare_exchange(std::string_view name, exchange_type type) {
    defining().declare_exchange({std::string(name), type}, next_receipt()).value();
  }
  void bind_queue(std::string_view exchange, std::string_view queue, std::string_view routing_key = {}) {
    defining().bind(binding(exchange, target_kind::queue, queue, routing_key), next_receipt()).value();
  }
  void bind_topic(std::string_view exchange, std::string_view topic, std::string_view routing_key = {}) {
    defining().bind(binding(exchange, target_kind::topic, topic, routing_key), next_receipt()).value();
  }
  static binding_definition binding(std::string_view exchange, target_kind kind, std::string_view target,
                                    std::string_view routing_key) {
    return {std::string(exchange), kind, std::string(target), std::string(routing_key)};
  }

  consumer_id consume(std::string_view queue, std::uint32_t prefetch = 0, bool auto_ack = false) {
    return consume_as(session_, queue, prefetch, auto_ack);
  }
  consumer_id consume_as(session_id session, std::string_view queue, std::uint32_t prefetch = 0,
                         bool auto_ack = false) {
    return try_consume(session, queue, {prefetch, auto_ack}).value();
  }
  result<consumer_id> try_consume(session_id session, std::string_view queue, const api::consume_options& options) {
    const auto consumer = consuming().consume(session, queue, options);
    if (consumer) sessions_of_[*consumer] = session;
    broker_->tell();
    return consumer;
  }
  void cancel(consumer_id consumer, api::leftovers leftovers = api::leftovers::requeue) {
    consuming().cancel(consumer, leftovers);
    broker_->tell();
  }
  void detach(session_id session) {
    sessions().detach(session);
    broker_->tell();
  }
  struct delivered {
    offset_t offset;
    std::string body;
    bool redelivered;
    std::uint32_t deliveries;
    std::string exchange = {}, routing_key = {};
    tidegate::deaths deaths = {};
    std::string properties = {};
    std::uint64_t number = 0;
  };
  // Pulls once, `limit` messages at most.
  std::vector<delivered> pull(consumer_id consumer, std::size_t limit = SIZE_MAX) {
    std::vector<delivered> taken;
    more_ =
        consuming()
            .pull(consumer,
                  [&](const delivery_view& delivery) {
                    const message_view& message = delivery.message;
                    taken.push_back({delivery.offset, std::string(message.body), delivery.redelivered,
                                     delivery.deliveries, std::string(message.exchange),
                                     std::string(message.routing_key), decode_deaths(message.deaths).value_or(deaths{}),
                                     std::string(message.properties), delivery.number});
                    numbers_[{consumer, delivery.offset}] = delivery.number;
                    return taken.size() < limit;
                  })
            .value()
            .more;
    return taken;
  }
  // Pulls until there are no more messages.
  std::vector<delivered> pull_all(consumer_id consumer) {
    std::vector<delivered> taken;
    do {
      for (delivered& one : pull(consumer)) taken.push_back(std::move(one));
    } while (more_);
    return taken;
  }
  // Settles a delivery of pull(), by consumer and offset. Returns false if it is not unsettled.
  bool settle(consumer_id consumer, offset_t offset, api::outcome outcome) {
    const auto number = numbers_.find({consumer, offset});
    if (number == numbers_.end()) return false;
    const bool is_settled = consuming().settle(sessions_of_.at(consumer), number->second, outcome);
    broker_->tell();
    return is_settled;
  }
  // The same by the delivery's number.
  bool settle_number(std::uint64_t number, api::outcome outcome) {
    const bool is_settled = consuming().settle(session_, number, outcome);
    broker_->tell();
    return is_settled;
  }
  bool ack(consumer_id consumer, offset_t offset) { return settle(consumer, offset, api::outcome::ack); }
  bool requeue(consumer_id consumer, offset_t offset) { return settle(consumer, offset, api::outcome::requeue); }
  bool discard(consumer_id consumer, offset_t offset) { return settle(consumer, offset, api::outcome::discard); }
  std::uint64_t ready(std::string_view queue) { return inspecting().find_queue(queue)->ready(); }

  struct record {
    offset_t offset;
    std::int64_t timestamp_ms;
    std::string key, body;
    std::string headers;  // their names, each followed by a comma
  };
  // Reads all records of a partition from an offset on, fetch by fetch.
  std::vector<record> read(std::string_view topic, std::uint32_t partition, offset_t from,
                           std::size_t bytes_max = limits::fetch_bytes_max) {
    std::vector<record> found;
    for (offset_t next = from;;) {
      const auto fetched = reading().fetch(topic, partition, next, bytes_max).value();
      if (fetched.out_of_range || fetched.batches.empty()) return found;
      for (std::string_view rest = fetched.batches; !rest.empty();) {
        const auto batch = read_batch(rest).value();
        record_reader records(batch);
        record_view one;
        while (records.next(one)) {
          if (one.offset < next) continue;
          std::string names;
          for (const header& header : one.headers) names.append(header.name).append(",");
          found.push_back({one.offset, one.timestamp_ms, std::string(one.key), std::string(one.body), names});
        }
        next = batch.last_offset + 1;
        rest.remove_prefix(batch.bytes.size());
      }
    }
  }

  manual_clock clock;

 private:
  void open() {
    broker_.reset();
    store_.reset();
    store_ = std::make_unique<store::store>(
        store::store_options{folder_.path(),
                             options_.bytes_max,
                             {options_.journal_bytes_max, limits::loss_rows, options_.refuses_records},
                             false,
                             false,
                             options_.memory_bytes_max});
    broker_ = std::make_unique<core::broker>(*store_, clock, options_.core);
    noted_ = std::make_unique<noting_session>();
    session_ = sessions().attach(*noted_);
  }

  stepping_options options_;
  scratch_folder folder_;
  std::unique_ptr<store::store> store_;
  std::unique_ptr<core::broker> broker_;
  std::unique_ptr<noting_session> noted_;
  session_id session_{};
  std::uint64_t last_token_ = 0;
  bool more_ = false;
  std::map<consumer_id, session_id> sessions_of_;
  std::map<std::pair<consumer_id, offset_t>, std::uint64_t> numbers_;  // of deliveries
};

inline std::vector<std::string> bodies(const std::vector<stepping_broker::delivered>& deliveries) {
  std::vector<std::string> out;
  for (const auto& delivery : deliveries) out.push_back(delivery.body);
  return out;
}

}  // namespace tidegate::core
