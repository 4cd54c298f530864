// The one API: publish, route, queues, topics, groups. Front-ends call it on the broker thread, in messages, queues,
// topics and results; it knows no protocol and does no I/O but through the store.
//
// What changes something is asked with a receipt and settled through session_events when the commit that holds it is
// on flash. Errors are returned at once and nothing is settled for them.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/base/clock.hpp"
#include "broker/core/commits/pipeline.hpp"
#include "broker/core/groups/offsets.hpp"
#include "broker/core/leases.hpp"
#include "broker/core/queues/queue.hpp"
#include "broker/core/routing/exchanges.hpp"
#include "broker/core/topics/producers.hpp"
#include "broker/core/topics/topic.hpp"
#include "broker/store/store.hpp"

namespace tidegate::core {

using queues::consumer;
using queues::delivery_taker;
using queues::pull_result;
using queues::queue;
using topics::partition;
using topics::producer_ref;
using topics::topic;

struct broker_options {
  std::uint64_t retention_bytes_default = 64ull << 20;  // of a partition that names none
  // Waiting for the writer: a group this big does not linger, and publishers wait until it goes.
  std::size_t group_bytes_max = limits::group_bytes_max;
  commits::pace_options commit = {};
};

enum class publish_outcome {
  stored,      // will be settled
  in_memory,   // the same, and it is never written: all targets live in memory
  duplicate,   // seen before: will be settled when what was seen is on flash
  unroutable,  // no binding matched; nothing will be settled
};

struct publish_request {
  receipt answer;
  std::optional<producer_ref> producer;
  std::uint64_t sequence = 0;  // of the producer
};

// A topic by its name; with an id only the one whose UUID that is, and none that was declared under the name since.
struct topic_name {
  std::string_view name;
  std::string_view id;
  topic_name(std::string_view name, std::string_view id = {}) : name(name), id(id) {}
  topic_name(const std::string& name) : name(name) {}
  topic_name(const char* name) : name(name) {}
};

struct fetched {
  offset_t log_start = 0;
  offset_t high_watermark = 0;
  std::string batches;
  bool more = false;  // were left out, for the size
  bool out_of_range = false;
};

struct queue_request {
  std::string name;
  std::optional<tidegate::durability> durability = {};  // none = "commit", or as it is
  std::uint64_t messages_max = 0;                       // of what is ready; 0 = no bound, or as it is
  std::uint64_t bytes_max = 0;
  std::optional<tidegate::overflow> overflow = {};  // none = drop-oldest, or as it is
};

struct topic_request {
  std::string name;
  std::uint32_t partitions = 0;  // 0 = 1, or as it is
  std::uint64_t retention_bytes = 0;
  milliseconds retention_age{0};
  std::uint64_t retention_records = 0;
  std::optional<tidegate::overflow> overflow = {};  // none = drop-oldest, or as it is
  std::vector<std::string> protect = {};
  std::optional<tidegate::durability> durability = {};  // none = "commit", or as it is
};

// Listings, as values. Each is in an order of its own and given in pages: the rows behind a place, in that order, at
// most so many. So what exists from the first page to the last is listed once, whatever comes and goes meanwhile.
constexpr std::size_t all_rows = std::numeric_limits<std::size_t>::max();
struct queue_row {
  const queue_definition* definition;
  std::uint64_t ready, ready_bytes, unsettled, consumers, bytes, discarded;
  store::drop_totals drops;
};
struct partition_row {
  offset_t log_start, high_watermark;
  std::uint64_t bytes;
  store::drop_totals drops;
};
struct topic_row {
  const topic_definition* definition;
  std::vector<partition_row> partitions;
};
struct group_place {
  std::string topic;
  std::uint32_t partition = 0;
  std::string group;
};
struct group_row {
  std::string group, topic;
  std::uint32_t partition;
  offset_t offset;
  std::uint64_t lag;
};
struct loss_row {
  store::loss_number number;
  std::string kind;  // queue, topic, device, or store: a file that was set aside
  std::string name;  // empty: it has been deleted
  std::uint32_t partition = 0;
  store::loss_record record;
};
struct counters {
  std::uint64_t published = 0, duplicates = 0, unroutable = 0, refused_full = 0, refused_overflow = 0, delivered = 0,
                acknowledged = 0;
  std::uint64_t clock_corrections = 0;  // partitions whose stamps went back
};

class broker {
 public:
  broker(store::store& store, const clock& clock, broker_options options);
  ~broker();

  session_id attach(session_events& events);
  // Its consumers end; what they had goes back to its place.
  void detach(session_id session);

  // As leases::take(); who loses it is told.
  result<void> lease(session_id session, const lease_request& request);

  // Requests are taken. Otherwise wait for session_events::resumed.
  bool accepts() const { return commits_.accepts(); }

  result<publish_outcome> publish(const message_view& message, const publish_request& request);
  // One record batch v2; returns its base offset. Settled like a publish.
  result<offset_t> produce(const topic_name& topic, std::uint32_t partition, std::string_view batch,
                           const receipt& answer);
  std::uint64_t durable_sequence(const producer_ref& producer) const { return producers_.durable_sequence(producer); }

  // Declaring again what exists settles too; with other attributes it is a precondition error that names the first.
  result<void> declare_exchange(std::string_view name, exchange_type type, const receipt& answer);
  result<void> declare_queue(const queue_request& queue, const receipt& answer);
  result<void> declare_topic(const topic_request& topic, const receipt& answer);
  // The configuration's word is the last: durability and retention change and partitions are added without an error.
  // But nothing moves into memory or out of it.
  result<void> adopt_queue(const queue_request& queue);
  result<void> adopt_topic(const topic_request& topic);
  result<void> bind(const binding_definition& binding, const receipt& answer);
  result<void> unbind(const binding_definition& binding, const receipt& answer);
  result<void> remove_exchange(std::string_view name, const receipt& answer);
  result<void> remove_queue(std::string_view name, const receipt& answer);
  result<void> remove_topic(std::string_view name, const receipt& answer);
  // Names that the topic protects and no group carries: until one commits an offset, what they protect is everything.
  std::vector<std::string> unmatched_protect(const topic& topic) const;
  const queue* find_queue(std::string_view name) const;
  const topic* find_topic(std::string_view name) const;
  const routing::exchanges& routes() const { return exchanges_; }

  result<consumer_id> consume(session_id session, std::string_view queue, std::uint32_t prefetch, bool auto_ack);
  void cancel(consumer_id consumer);
  result<pull_result> pull(consumer_id consumer, const delivery_taker& take);
  enum class outcome { ack, requeue, discard };
  // False: the offset is not unsettled at this consumer.
  bool settle(consumer_id consumer, offset_t offset, outcome outcome);

  // Whole batches from the one that holds the offset; the first however large. An offset outside of what is retained
  // comes back as out_of_range with the valid range. Damaged batches are passed over, and stand in the loss ledger.
  result<fetched> fetch(const topic_name& topic, std::uint32_t partition, offset_t offset, std::size_t bytes_max);
  // The next change of the partition is told to the session, once, as that of this stream.
  result<stream_id> watch(session_id session, const topic_name& topic, std::uint32_t partition);
  result<fetched> range(const topic_name& topic, std::uint32_t partition) const;
  result<offset_t> find_time(const topic_name& topic, std::uint32_t partition, std::int64_t timestamp_ms) const;
  result<void> commit_offset(std::string_view group, const topic_name& topic, std::uint32_t partition, offset_t offset,
                             std::string_view metadata, const receipt& answer);
  result<std::optional<store::cursor_state>> committed(std::string_view group, const topic_name& topic,
                                                       std::uint32_t partition) const;

  // By name.
  std::vector<queue_row> list_queues(std::string_view after = {}, std::size_t rows_max = all_rows) const;
  std::vector<topic_row> list_topics(std::string_view after = {}, std::size_t rows_max = all_rows) const;
  // By topic, partition and name.
  std::vector<group_row> list_groups(const group_place& after = {}, std::size_t rows_max = all_rows) const;
  // The loss ledger, by number. Error: damaged.
  result<std::vector<loss_row>> list_losses(store::loss_number after = 0, std::size_t rows_max = all_rows) const;
  const counters& counts() const { return counters_; }
  const commits::figures& commit_figures() const { return commits_.figures(); }
  const store::store& storage() const { return store_; }
  const clock& time() const { return clock_; }
  commits::timeline& timeline() { return commits_.timeline(); }
  // A device no longer has these of its messages, and they never came. With the next publish one commit holds both.
  void lose(std::string_view device, std::uint64_t first, std::uint64_t end);

  commits::pace& pace() { return commits_.pace(); }
  const commits::pace& pace() const { return commits_.pace(); }

  // Wiring, by main: flush() is to be called in so much time; 0 = when this turn of the loop is over. The newest word
  // replaces one for later.
  void on_work(std::function<void(milliseconds)> wake) { commits_.on_work(std::move(wake)); }
  void flush();      // hands over what there is, if the pace lets it go; if not, asks to be called again
  void flush_now();  // hands over whatever there is
  void collect();    // a result is there
  // Retention by age, lowered bounds, forgotten producers. Every ten seconds or so.
  void tick();
  // True when nothing is on its way.
  bool is_idle() const { return commits_.is_idle(); }

 private:
  struct session_entry {
    session_events* events;
    std::vector<consumer_id> consumers;
    std::set<stream_id> watched;
  };
  using course = commits::course;

  void load();
  loss_row owned(store::loss_number number, const store::loss_record& record) const;
  void lose(std::string_view topic, stream_id stream, offset_range damaged);
  // The partition is about to be deleted: a loss record of what groups that read it had still to read.
  void lose_unread(const topic_definition& topic, std::uint32_t number, const partition& partition);
  // In words: which protected group the partition keeps what it holds for; empty: for none.
  std::string kept_for(const topic_definition& topic, const partition& partition) const;
  void tell_unmatched_protect(const topic& topic) const;
  void tell_unmatched_protect() const;
  // The end where nobody is known to read it.
  offset_t unread_from(const topic_definition& topic, const partition& partition) const;
  error full_error() const;
  // What is new may not fill the room that acknowledgements need.
  result<void> check_room() const;
  // The partition takes so much more: it is within its bounds, or drops what is old.
  result<void> check_overflow(const topic& topic, const partition& partition, std::uint64_t bytes,
                              std::uint64_t records) const;
  result<void> check_overflow(const message_view& message, const routing::route& route);
  result<void> check_topic(const topic_request& request) const;
  const routing::route* find_route(const message_view& message);
  error no_topic(std::string_view name) const;
  result<partition*> partition_of(const topic_name& topic, std::uint32_t number) const;
  result<void> append(const message_view& message, const routing::route& route, course course);
  // A stamp for the partition's next record. Stamps do not go back, unless the clock was ahead and is right again.
  struct stamp {
    std::int64_t timestamp_ms = 0;
    std::optional<std::int64_t> corrected_ms = {};  // the newest one that was stamped in error
  };
  stamp next_stamp(const topic& topic, partition& partition, std::int64_t now_ms);
  // The one that a keyless message of this turn goes to, or a keyed one always.
  partition& choose(topic& topic, std::string_view key);

  // in_memory.cpp
  error memory_full_error() const;
  result<void> check_memory(std::string_view kind, const durability& durability, std::uint64_t retention_bytes) const;
  // In memory as it was, or out of it.
  static result<void> check_stays(std::string_view kind, std::string_view name, const durability& is,
                                  const durability& wanted);
  std::uint64_t retention_bytes_default(const durability& durability) const;
  course course_of(const message_view& message, const routing::route& route,
                   const std::optional<producer_ref>& producer);
  // For what happens to messages that are held already.
  store::commit_group& group_of(const queue& queue);
  void note_settled(const queue& queue) { commits_.note_settled(queue.is_in_memory()); }
  result<void> promise_memory(const message_view& message, const routing::route& route, course course);
  void apply_memory();
  void hand_over();
  // Passes on what a step of the commits brought.
  void pass_on(const commits::progress& progress);
  void advance(const std::vector<store::stream_update>& updates);
  void settle(const std::vector<commits::settlement>& receipts);
  void void_appends();
  milliseconds wait_of(durability durability) const;
  milliseconds wait_of(const routing::route& route) const;
  void keep_queue_bounds(store::commit_group& group);
  void tell(consumer& consumer);
  void wake_consumers(queue& queue);
  void wake_watchers(partition& partition);
  result<void> defined(const receipt& answer);
  void define(char kind, std::string_view name, std::string value);
  void create_queue(const queue_request& request);
  void create_topic(const topic_request& request);
  void grow_topic(topic& topic, std::size_t partitions);
  void remove_bindings(const std::function<bool(const binding_definition&)>& chosen);
  session_events* events_of(session_id session) const;

  store::store& store_;
  const clock& clock_;
  broker_options options_;
  commits::pipeline commits_;

  routing::exchanges exchanges_;
  routing::route default_route_;  // of the default exchange, for one publish
  std::map<std::string, std::unique_ptr<queue>, std::less<>> queues_;
  std::map<std::string, std::unique_ptr<topic>, std::less<>> topics_;
  std::map<binding_definition, std::uint64_t> binding_ids_;
  std::uint64_t next_binding_ = 1;
  std::unordered_map<stream_id, queue*> queue_streams_;
  std::unordered_map<stream_id, partition*> partition_streams_;
  groups::offsets offsets_;
  topics::producers producers_;
  std::map<std::pair<stream_id, offset_t>, offset_t> known_damage_;  // stream and end of what was told: its begin
  std::unordered_map<session_id, session_entry> sessions_;
  leases leases_;
  std::unordered_map<consumer_id, std::unique_ptr<consumer>> consumers_;
  std::uint64_t next_session_ = 1;
  std::uint64_t next_consumer_ = 1;

  counters counters_;
};

}  // namespace tidegate::core
