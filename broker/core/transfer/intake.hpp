// The only way in for messages: planned against every target's bounds, then put into all of them with one commit.
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
  in_memory,   // will be settled; never written, because all targets are in memory
  duplicate,   // seen before; will be settled when the first one is on flash
  unroutable,  // no binding matched; will not be settled
};

struct publish_request {
  receipt answer;
  std::optional<topics::producer_ref> producer;
  std::uint64_t sequence = 0;  // the producer's
};

class intake {
 public:
  // `linger`: how long a commit may wait for other work if the target does not say.
  intake(store::store& store, const clock& clock, catalog::catalog& catalog, commits::pipeline& commits,
         milliseconds linger);

  // Marks the message if the clock is not trusted. Errors: a part is too long; no such exchange; the producer is
  // fenced; the store, the memory or a target that rejects is full; too many bytes for all targets together.
  result<publish_outcome> publish(message_view& message, const publish_request& request);
  // Appends one record batch v2 and returns its base offset. Errors: no such partition; the batch; as publish().
  result<offset_t> produce(const catalog::topic_name& topic, std::uint32_t partition, std::string_view batch,
                           const receipt& answer);
  // Records that the device discarded messages [first, end) before delivery. Committed with the next publish.
  void lose(std::string_view device, std::uint64_t first, std::uint64_t end);

  // Call before the group is handed over: drops the excess of drop-oldest queues with the group's messages.
  void keep_bounds(store::commit_group& group);
  // Drops after bounds were lowered, and forgets producers that were silent for long. Call about every ten seconds.
  void tick();
  // Voids what a full map did not store: every stream continues at its durable end.
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
  // A timestamp for the partition's next record. Timestamps do not go back, unless the clock was ahead and is right
  // again.
  struct stamp {
    std::int64_t timestamp_ms = 0;
    std::optional<std::int64_t> corrected_ms = {};  // the newest timestamp that was given in error
  };
  stamp next_stamp(topics::partition& partition, std::int64_t now_ms);
  // Chooses the partition of a keyed message; messages without a key share one for this turn.
  topics::partition& choose(topics::topic& topic, std::string_view key);
  milliseconds wait_of(const durability& durability) const;

  store::store& store_;
  catalog::catalog& catalog_;
  commits::pipeline& commits_;
  milliseconds linger_;
  topics::producers producers_;
  transfer::plan plan_;  // of one publish at a time
  transfer::counters counters_;
};

}  // namespace tidegate::core::transfer
