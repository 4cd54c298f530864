#include "tests/faults/marking_broker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "broker/base/limits.hpp"
#include "tests/faults/holdings.hpp"

namespace tidegate::faults {
namespace {

store::store_options options_of(const small_store& small) {
  store::store_options options;
  options.directory = small.directory;
  options.bytes_max = small.bytes_max;
  options.writer.journal_bytes_max = small.journal_bytes_max;
  options.own_thread = false;
  return options;
}

core::broker_options core_options_of(const small_store& small) {
  core::broker_options options;
  options.retention_bytes_default = small.retention_bytes;
  return options;
}

std::string target_name(const binding_definition& binding) {
  return (binding.kind == target_kind::queue ? "q/" : "t/") + binding.target;
}

}  // namespace

opened_store::opened_store(const small_store& options)
    : store(options_of(options)), broker(store, clock, core_options_of(options)) {}

marking_broker::marking_broker(const small_store& options, marker mark)
    : mark_(std::move(mark)),
      retention_bytes_(options.retention_bytes),
      opened_(options),
      core_(opened_.broker.services()),
      session_(core_.sessions.attach(*this)) {
  mark_("opened");
}

marking_broker::~marking_broker() = default;

core::receipt marking_broker::expect(promise promise) {
  promises_[++last_token_] = std::move(promise);
  return {session_, last_token_};
}

// Definitions are never refused unless the workload is wrong or the store is full, so a refusal ends the run.
void marking_broker::take(const result<void>& asked) {
  if (!asked) throw std::runtime_error("refused: " + asked.error().text);
}

void marking_broker::settled(std::uint64_t token, const error* refusal) {
  const auto found = promises_.find(token);
  if (found == promises_.end()) return;
  for (const std::uint64_t number : found->second.numbers) {
    mark_(fmt::format("{} {}", refusal == nullptr ? "confirm" : "refuse", number));
    ++(refusal == nullptr ? confirmed_ : refused_);
  }
  if (refusal == nullptr) std::ranges::for_each(found->second.lines, mark_);
  promises_.erase(found);
}

void marking_broker::declare_queue(const std::string& name) {
  mark_("define q/" + name);
  core::api::queue_request request;
  request.name = name;
  take(core_.defining.declare_queue(request, expect({{"defined q/" + name}, {}})));
}

void marking_broker::declare_topic(const std::string& name, std::uint32_t partitions) {
  mark_("define t/" + name);
  mark_(fmt::format("limit {} {}", name, retention_bytes_));
  core::api::topic_request request;
  request.name = name;
  request.partitions = partitions;
  take(core_.defining.declare_topic(request, expect({{"defined t/" + name}, {}})));
}

void marking_broker::declare_exchange(const std::string& name, exchange_type type) {
  mark_("define x/" + name);
  take(core_.defining.declare_exchange({name, type}, expect({{"defined x/" + name}, {}})));
}

void marking_broker::bind(const binding_definition& binding) {
  mark_("define " + binding_name(binding));
  take(core_.defining.bind(binding, expect({{"defined " + binding_name(binding)}, {}})));
}

void marking_broker::unbind(const binding_definition& binding) {
  mark_("remove " + binding_name(binding));
  take(core_.defining.unbind(binding, expect({{"removed " + binding_name(binding)}, {}})));
}

// `target`: q/NAME, t/NAME, or x/NAME for the exchange.
void marking_broker::remove_bindings_of(const std::string& target, promise& promise) {
  for (const binding_definition& binding : core_.inspecting.routes().bindings()) {
    if (target_name(binding) != target && "x/" + binding.exchange != target) continue;
    mark_("remove " + binding_name(binding));
    promise.lines.push_back("removed " + binding_name(binding));
  }
}

void marking_broker::remove_queue(const std::string& name) {
  mark_("remove q/" + name);
  promise promise{{"removed q/" + name}, {}};
  remove_bindings_of("q/" + name, promise);
  take(core_.defining.remove_queue(name, expect(promise)));
}

void marking_broker::remove_topic(const std::string& name) {
  mark_("remove t/" + name);
  promise promise{{"removed t/" + name}, {}};
  remove_bindings_of("t/" + name, promise);
  std::erase_if(marked_, [&](const auto& entry) { return entry.first.first == name; });
  take(core_.defining.remove_topic(name, expect(promise)));
}

void marking_broker::remove_exchange(const std::string& name) {
  mark_("remove x/" + name);
  promise promise{{"removed x/" + name}, {}};
  remove_bindings_of("x/" + name, promise);
  take(core_.defining.remove_exchange(name, expect(promise)));
}

std::vector<std::string> marking_broker::targets_of(std::string_view exchange) const {
  std::vector<std::string> targets;
  for (const binding_definition& binding : core_.inspecting.routes().bindings()) {
    if (binding.exchange != exchange || std::ranges::find(targets, target_name(binding)) != targets.end()) continue;
    targets.push_back(target_name(binding));
  }
  return targets;
}

void marking_broker::mark_attempt(std::uint64_t number, std::uint64_t sequence, const publishing& message) {
  std::string line =
      fmt::format("attempt {} {} {} {}", number, message.publisher, sequence, message.as_producer ? "yes" : "no");
  for (const std::string& target : message.targets) line.append(" ").append(target);
  mark_(line);
}

result<core::api::publish_outcome> marking_broker::send(const last_publish& message, const core::receipt& answer) {
  message_view view;
  view.exchange = message.message.exchange;
  view.routing_key = message.message.routing_key;
  view.key = message.message.key;
  view.body = message.body;
  core::api::publish_request request{answer, std::nullopt, 0};
  const std::string name = producer_name(message.message.publisher);
  if (message.message.as_producer) {
    request.producer = core::api::producer_ref{name, 1, true};
    request.sequence = message.sequence;
  }
  return core_.publishing.publish(view, request);
}

// The mark is written after publish(), because only then it is known that the message was accepted. It still precedes
// the try, because nothing is handed to the writer before flush().
bool marking_broker::publish(const publishing& message) {
  last_publish made{{}, message, sequences_[message.publisher] + 1, last_number_ + 1};
  message_view view;
  view.exchange = message.exchange;
  view.routing_key = message.routing_key;
  view.key = message.key;
  made.body = make_body({made.number, message.publisher, made.sequence}, view, message.body_bytes);
  const auto outcome = send(made, expect({{}, {made.number}}));
  if (!outcome || *outcome != core::api::publish_outcome::stored) {
    promises_.erase(last_token_);
    if (outcome || outcome.error().code != errc::store_full) throw std::runtime_error("a publish went nowhere");
    ++refused_;
    return false;
  }
  last_number_ = made.number;
  sequences_[message.publisher] = made.sequence;
  mark_attempt(made.number, made.sequence, message);
  last_[message.publisher] = std::move(made);
  return true;
}

void marking_broker::repeat(std::uint32_t publisher) {
  const auto last = last_.find(publisher);
  if (last == last_.end() || !last->second.message.as_producer) return;
  const auto outcome = send(last->second, expect({{}, {last->second.number}}));
  // The repeat is confirmed as well, and the message must count once.
  if (outcome && *outcome == core::api::publish_outcome::duplicate) --confirmed_;
}

bool marking_broker::produce(const std::string& topic, std::uint32_t partition, const publishing& each,
                             std::size_t count) {
  batch_builder batch;
  promise promise;
  std::vector<std::string> bodies;
  for (std::size_t i = 0; i < count; ++i) {
    message_view view;
    view.key = each.key;
    const label who{last_number_ + 1 + i, each.publisher, sequences_[each.publisher] + 1 + i};
    const std::string body = make_body(who, view, each.body_bytes);
    view.body = body;
    batch.add(i, opened_.clock.wall().count(), view);
    promise.numbers.push_back(who.number);
  }
  if (!core_.publishing.produce(topic, partition, batch.finish(), expect(std::move(promise)))) {
    promises_.erase(last_token_);
    ++refused_;
    return false;
  }
  for (std::size_t i = 0; i < count; ++i) mark_attempt(++last_number_, ++sequences_[each.publisher], each);
  return true;
}

core::consumer_id marking_broker::consume(const std::string& queue, std::uint32_t prefetch, bool auto_ack) {
  const core::consumer_id consumer = core_.consuming.consume(session_, queue, {prefetch, auto_ack}).value();
  consumers_[consumer] = {queue, auto_ack, {}};
  return consumer;
}

void marking_broker::cancel(core::consumer_id consumer) {
  const consumer_entry& entry = consumers_.at(consumer);
  for (const auto& [offset, number] : entry.unsettled) {
    const std::uint32_t count = deliveries_[{entry.queue, number}];
    mark_(fmt::format("requeue {} {} {}", entry.queue, number, count));
    gathering_.push_back(fmt::format("requeued {} {} {}", entry.queue, number, count));
  }
  core_.consuming.cancel(consumer, core::api::leftovers::requeue);
  consumers_.erase(consumer);
}

std::vector<marking_broker::delivered> marking_broker::pull(core::consumer_id consumer, std::size_t limit) {
  std::vector<delivered> taken;
  const std::string queue = consumers_.at(consumer).queue;
  const auto pulled = core_.consuming.pull(consumer, [&](const core::delivery_view& delivery) {
    mark_deliver(queue, delivery, taken, consumer);
    return taken.size() < limit;
  });
  if (!pulled) throw storage_failure(pulled.error().text);
  return taken;
}

void marking_broker::mark_deliver(const std::string& queue, const core::delivery_view& delivery,
                                  std::vector<delivered>& into, core::consumer_id consumer) {
  label who;
  if (read_body(delivery.message, who) != body_state::right) throw std::logic_error("a wrong body was delivered");
  mark_(fmt::format("deliver {} {} {}", queue, delivery.offset, who.number));
  into.push_back({consumer, queue, delivery.offset, who.number, delivery.number});
  ++deliveries_[{queue, who.number}];
  consumers_.at(consumer).unsettled[delivery.offset] = who.number;
  if (!consumers_.at(consumer).auto_ack) return;
  mark_(fmt::format("ack {} {}", queue, who.number));
  gathering_.push_back(fmt::format("acked {} {}", queue, who.number));
  deliveries_.erase({queue, who.number});
  consumers_.at(consumer).unsettled.erase(delivery.offset);
}

void marking_broker::ack(const delivered& message) {
  const auto consumer = consumers_.find(message.consumer);
  if (consumer == consumers_.end() || consumer->second.unsettled.erase(message.offset) == 0) return;
  mark_(fmt::format("ack {} {}", message.queue, message.number));
  gathering_.push_back(fmt::format("acked {} {}", message.queue, message.number));
  deliveries_.erase({message.queue, message.number});
  core_.consuming.settle(session_, message.delivery, core::api::outcome::ack);
}

void marking_broker::requeue(const delivered& message) {
  const auto consumer = consumers_.find(message.consumer);
  if (consumer == consumers_.end() || consumer->second.unsettled.erase(message.offset) == 0) return;
  const std::uint32_t count = deliveries_[{message.queue, message.number}];
  mark_(fmt::format("requeue {} {} {}", message.queue, message.number, count));
  gathering_.push_back(fmt::format("requeued {} {} {}", message.queue, message.number, count));
  core_.consuming.settle(session_, message.delivery, core::api::outcome::requeue);
}

void marking_broker::commit_offset(const std::string& group, const std::string& topic, std::uint32_t partition,
                                   offset_t offset) {
  const std::string what = fmt::format("{} {} {} {}", group, topic, partition, offset);
  mark_("commit " + what);
  take(core_.grouping.commit_offset(group, topic, partition, offset, "", expect({{"committed " + what}, {}})));
}

void marking_broker::flush() {
  const bool was_busy = opened_.store.is_busy();
  opened_.broker.flush_now();
  if (!was_busy && opened_.store.is_busy()) flying_ = std::exchange(gathering_, {});
}

void marking_broker::finish() {
  if (!opened_.store.is_busy()) return;
  try {
    opened_.store.step();
  } catch (...) {
    has_failed_ = true;
    throw;
  }
  opened_.broker.collect();
  if (has_failed_) return;  // after a failure only what core itself settles is marked
  settle_deliveries();
  mark_logs();
}

// Called when core has settled the commit group with these marks. Core may have handed the next group over already.
void marking_broker::settle_deliveries() {
  std::ranges::for_each(std::exchange(flying_, {}), mark_);
  if (opened_.store.is_busy()) flying_ = std::exchange(gathering_, {});
}

void marking_broker::commit() {
  flush();
  while (opened_.store.is_busy()) finish();
}

// Cancelling the consumers requeues the messages that they have not settled.
void marking_broker::close() {
  while (!consumers_.empty()) cancel(consumers_.begin()->first);
  commit();
  commit();  // also what was gathered while the first commit was on its way
  opened_.store.close();
}

void marking_broker::mark_logs() {
  for (const core::api::topic_row& row : core_.inspecting.list_topics()) {
    for (std::uint32_t number = 0; number < row.partitions.size(); ++number) {
      mark_partition(row.definition->name, number);
    }
  }
}

void marking_broker::mark_partition(const std::string& topic, std::uint32_t partition) {
  core::api::partition_row& marked = marked_[{topic, partition}];
  const auto now = core_.reading.range(topic, partition).value();
  if (now.log_start == marked.log_start && now.high_watermark == marked.high_watermark) return;
  mark_(fmt::format("range {} {} {} {}", topic, partition, now.log_start, now.high_watermark));
  for (offset_t next = std::max(marked.high_watermark, now.log_start); next < now.high_watermark;) {
    const auto fetched = core_.reading.fetch(topic, partition, next, limits::fetch_bytes_max);
    if (!fetched) throw storage_failure(fetched.error().text);
    for (std::string_view rest = fetched->batches; !rest.empty();) {
      const batch_view batch = read_batch(rest).value();
      rest.remove_prefix(batch.bytes.size());
      record_reader records(batch);
      record_view record;
      while (records.next(record)) {
        label who;
        if (record.offset < next) continue;
        if (read_body(to_message(record), who) != body_state::right) throw std::logic_error("a wrong record was read");
        mark_(fmt::format("stored {} {} {} {}", topic, partition, record.offset, who.number));
        next = record.offset + 1;
      }
    }
  }
  marked = {now.log_start, now.high_watermark, 0, {}};
}

}  // namespace tidegate::faults
