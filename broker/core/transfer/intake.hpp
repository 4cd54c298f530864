// The intake is the one way in for messages. It plans each message against the bounds of all its targets, then puts the
// message into all of them with one commit.
#pragma once

#include <optional>
#include <string_view>

#include "broker/core/catalog/catalog.hpp"
#include "broker/core/topics/producers.hpp"
#include "broker/core/transfer/counters.hpp"
#include "broker/core/transfer/plan.hpp"

namespace tidegate::core::transfer {

enum class publish_outcome {
  stored,      // the receipt will be settled
  in_memory,   // as stored, but the message is never written: all targets live in memory
  duplicate,   // seen before: the receipt will be settled when the original is durable
  unroutable,  // no binding matched: the receipt is never settled
};

struct publish_request {
  receipt answer;
  std::optional<topics::producer_ref> producer;  // none = duplicates are not recognised
  std::uint64_t sequence = 0;                    // of the producer
};

class intake {
 public:
  // `linger`: how long a commit may wait for more work if the target's durability sets no interval.
  intake(store::store& store, const clock& clock, catalog::catalog& catalog, commits::pipeline& commits,
         milliseconds linger);

  // Publishes one message. Marks it as estimated in time if the clock is not trusted. Errors: a part is too long; no
  // such exchange; the producer is fenced; the store, the memory or a target that rejects is full; too many bytes for
  // all targets together.
  result<publish_outcome> publish(message_view& message, const publish_request& request);
  // Appends one record batch v2 and returns its base offset. Errors: no such partition; the batch is invalid or too
  // large; the store, the memory or a topic that rejects is full.
  result<offset_t> produce(const catalog::topic_name& topic, std::uint32_t partition, std::string_view batch,
                           const receipt& answer);
  // Records that the device discarded the messages with sequences [first, end) before they were delivered. The record
  // goes into the same commit as a publish of the same request; without one, it waits
  // commits::acknowledgement_delay_max at most.
  void lose(std::string_view device, std::uint64_t first, std::uint64_t end);

  // Call before the group is handed over. If a drop-oldest queue would exceed a bound with the group's appends, drops
  // the excess in the same commit and records the loss.
  void keep_bounds(store::commit_group& group);
  // Drops messages of queues whose bound was lowered, and forgets producers that were silent for long. Call every ten
  // seconds or so.
  void tick();
  // Takes back appends and sequences that are void because the map was full: every stream continues at its durable end.
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
  // The timestamp of a partition's next record. Timestamps go back only if the clock was ahead and has been corrected.
  struct stamp {
    std::int64_t timestamp_ms = 0;
    std::optional<std::int64_t> corrected_ms = {};  // set after a correction: newest timestamp that was given in error
  };
  stamp next_stamp(topics::partition& partition, std::int64_t now_ms);
  // Chooses the partition by the key; without a key, by the number of the group that the message goes into.
  topics::partition& choose(topics::topic& topic, std::string_view key);
  milliseconds wait_of(const durability& durability) const;

  store::store& store_;
  catalog::catalog& catalog_;
  commits::pipeline& commits_;
  milliseconds linger_;
  topics::producers producers_;
  transfer::plan plan_;  // of the present publish; a member, so that its memory is used again
  transfer::counters counters_;
};

}  // namespace tidegate::core::transfer
