#include "tests/faults/holdings.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/base/limits.hpp"

namespace tidegate::faults {
namespace {

class silent_session final : public core::session_events {
 public:
  void settled(std::uint64_t, const error*) override {}
  void deliverable(core::consumer_id) override {}
  void cancelled(core::consumer_id) override {}
  void changed(stream_id) override {}
  void lease_lost(std::string_view) override {}
  void resumed() override {}
};

held_message held_of(offset_t offset, const message_view& message) {
  held_message held;
  held.offset = offset;
  held.state = read_body(message, held.who);
  return held;
}

class reading {
 public:
  reading(const core::api::services& core, holdings& into)
      : core_(core), into_(into), session_(core.sessions.attach(events_)) {}
  reading(const reading&) = delete;
  reading& operator=(const reading&) = delete;
  ~reading() { core_.sessions.detach(session_); }

  void read_queue(const core::api::queue_row& row) {
    held_queue& queue = into_.queues[row.definition->name];
    queue.ready = row.ready;
    into_.definitions.insert("q/" + row.definition->name);
    const auto consumer = core_.consuming.consume(session_, row.definition->name, {});
    if (!consumer) return refuse("queue " + row.definition->name, consumer.error());
    for (bool more = true; more;) {
      const auto pulled = core_.consuming.pull(*consumer, [&](const core::delivery_view& delivery) {
        held_message& held = queue.messages.emplace_back(held_of(delivery.offset, delivery.message));
        held.redelivered = delivery.redelivered;
        held.deliveries = delivery.deliveries;
        return true;
      });
      if (!pulled) return refuse("queue " + row.definition->name, pulled.error());
      more = pulled->more;
    }
  }

  void read_partition(const std::string& topic, std::uint32_t number, const core::api::partition_row& row) {
    held_partition& partition =
        into_.topics[topic].emplace_back(held_partition{row.log_start, row.high_watermark, row.bytes, {}});
    for (offset_t next = row.log_start; next < row.high_watermark;) {
      const auto fetched = core_.reading.fetch(topic, number, next, limits::fetch_bytes_max);
      if (!fetched) return refuse(fmt::format("topic {}/{}", topic, number), fetched.error());
      const offset_t before = next;
      for (std::string_view rest = fetched->batches; !rest.empty();) next = read_batch_of(partition, rest, next);
      if (next == before) return;  // the records after it are missing, which check() reports
    }
  }

 private:
  static offset_t read_batch_of(held_partition& partition, std::string_view& rest, offset_t from) {
    const batch_view batch = read_batch(rest).value();
    rest.remove_prefix(batch.bytes.size());
    record_reader records(batch);
    record_view record;
    while (records.next(record)) {
      if (record.offset >= from) partition.records.push_back(held_of(record.offset, to_message(record)));
    }
    return std::max(from, batch.last_offset + 1);
  }

  void refuse(const std::string& what, const error& cause) { into_.unreadable.push_back(what + ": " + cause.text); }

  const core::api::services& core_;
  holdings& into_;
  silent_session events_;
  core::session_id session_;
};

}  // namespace

std::string producer_name(std::uint32_t publisher) { return fmt::format("producer-{}", publisher); }

std::string binding_name(const binding_definition& binding) {
  return fmt::format("b/{}>{}/{}:{}", binding.exchange, binding.kind == target_kind::queue ? "q" : "t", binding.target,
                     binding.routing_key);
}

holdings read_holdings(const opened_store& opened, const std::vector<std::uint32_t>& publishers) {
  holdings found;
  const core::api::services& core = opened.broker.services();
  found.stopped_cleanly = opened.store.start().stopped_cleanly;
  for (const binding_definition& binding : core.inspecting.routes().bindings())
    found.definitions.insert(binding_name(binding));
  for (const auto& [name, exchange] : core.inspecting.routes().all()) {
    if (!name.empty() && !tidegate::core::routing::exchanges::is_built_in(name)) found.definitions.insert("x/" + name);
  }
  reading reading(core, found);
  for (const core::api::queue_row& row : core.inspecting.list_queues()) reading.read_queue(row);
  for (const core::api::topic_row& row : core.inspecting.list_topics()) {
    found.definitions.insert("t/" + row.definition->name);
    std::uint32_t number = 0;
    for (const auto& partition : row.partitions) reading.read_partition(row.definition->name, number++, partition);
  }
  for (const core::api::group_row& row : core.inspecting.list_groups()) {
    found.committed[fmt::format("{} {} {}", row.group, row.topic, row.partition)] = row.offset;
  }
  for (const std::uint32_t publisher : publishers) {
    const std::string name = producer_name(publisher);
    found.producers[publisher] = core.publishing.durable_sequence({name, 1, true});
  }
  return found;
}

}  // namespace tidegate::faults
