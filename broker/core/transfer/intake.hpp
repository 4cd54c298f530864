// The one way in for messages: planned against every target's bounds, then put into all of them with one commit.
#pragma once

#include <optional>
#include <string_view>

#include "broker/core/catalog/catalog.hpp"
#include "broker/core/topics/producers.hpp"
#include "broker/core/transfer/counters.hpp"
#include "broker/core/transfer/plan.hpp"

namespace tidegate::core::transfer {

enum class publish_outcome {
  stored,      // will be settled
  in_memory,   // the same, and it is never written: all targets live in memory
  duplicate,   // seen before: will be settled when what was seen is on flash
  unroutable,  // no binding matched; nothing will be settled
};

struct publish_request {
  receipt answer;
  std::optional<topics::producer_ref> producer;
  std::uint64_t sequence = 0;  // of the producer
};

class intake {
 public:
  // `linger`: how long a commit may wait for company where the target says nothing of it.
  intake(store::store& store, const clock& clock, catalog::catalog& catalog, commits::pipeline& commits,
         milliseconds linger);

  // Marks the message where the clock is not trusted. Errors: a part is too long; no such exchange; the producer is
  // fenced; the store, the memory or a target that rejects is full; too many bytes for all targets together.
  result<publish_outcome> publish(message_view& message, const publish_request& request);
  // Puts one record batch v2; returns its base offset. Errors: no such partition; the batch; as publish().
  result<offset_t> produce(const catalog::topic_name& topic, std::uint32_t partition, std::string_view batch,
                           const receipt& answer);
  // Notes that a device no longer has these of its messages, and they never came. With the next publish one commit
  // holds both.
  void lose(std::string_view device, std::uint64_t first, std::uint64_t end);

  // Drops what is over the bounds of drop-oldest queues with what the group brings. Before the group goes.
  void keep_bounds(store::commit_group& group);
  // Drops where a bound was lowered, and forgets producers that were long silent. Every ten seconds or so.
  void tick();
  // Takes back what a full map made void: every stream goes on at its durable end.
  void void_appends();

  topics::producers& producers() { return producers_; }
  const topics::producers& producers() const { return producers_; }
  const transfer::counters& counts() const { return counters_; }
  void count_refused() { ++counters_.refused_full; }

 private:
  result<void> make_plan(const message_view& message, const routing::route& route,
                         const std::optional<topics::producer_ref>& producer);
  result<void> check_bounds(const message_view& message);
  result<void> check_overflow(const topics::partition& partition, std::uint64_t bytes, std::uint64_t records) const;
  result<void> promise_memory(commits::course course, std::uint64_t bytes, std::uint64_t batches);
  void put(message_view& message, std::int64_t now_ms);
  void put(message_view& message, topics::partition& partition, std::int64_t now_ms);
  void settle_duplicate(const publish_request& request);
  void bury(const queues::departures& gone, store::commit_group& group);
  // A stamp for the partition's next record. Stamps do not go back, unless the clock was ahead and is right again.
  struct stamp {
    std::int64_t timestamp_ms = 0;
    std::optional<std::int64_t> corrected_ms = {};  // the newest one that was stamped in error
  };
  stamp next_stamp(topics::partition& partition, std::int64_t now_ms);
  // The one that a keyless message of this turn goes to, or a keyed one always.
  topics::partition& choose(topics::topic& topic, std::string_view key);
  milliseconds wait_of(const durability& durability) const;

  store::store& store_;
  catalog::catalog& catalog_;
  commits::pipeline& commits_;
  milliseconds linger_;
  topics::producers producers_;
  transfer::plan plan_;  // of one publish
  transfer::counters counters_;
};

}  // namespace tidegate::core::transfer
