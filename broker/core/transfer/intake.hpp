// The intake: the one way in for messages that clients publish.
#pragma once

#include <optional>
#include <string_view>

#include "broker/core/topics/producers.hpp"
#include "broker/core/transfer/moves.hpp"
#include "broker/core/transfer/placing.hpp"
#include "broker/core/transfer/transactions.hpp"

namespace tidegate::core::transfer {

enum class publish_outcome {
  stored,      // the receipt will be settled
  in_memory,   // as stored, but the message is never written: all targets live in memory
  duplicate,   // seen before: the receipt will be settled when the original is durable
  unroutable,  // no binding matched: the receipt is never settled
  replied,     // handed to the session that waits for it, and never stored: the receipt is never settled
};

struct publish_request {
  receipt answer;
  std::optional<topics::producer_ref> producer;  // none = duplicates are not recognised
  std::uint64_t sequence = 0;                    // of the producer
  // The message is routed after this time; until then it waits in the queue of delayed messages. 0 = it is routed now.
  milliseconds delay{0};
};

class intake {
 public:
  // `linger`: how long a commit may wait for more work if the target's durability sets no interval.
  intake(store::store& store, const clock& clock, catalog::catalog& catalog, commits::pipeline& commits,
         milliseconds linger);

  // Publishes one message. Marks it as estimated in time if the clock is not trusted. A message that a queue refuses
  // whose overflow is reject_dead_letter becomes a dead letter. Errors: a part is too long or does not decode; no such
  // exchange; the producer is fenced; the store, the memory or a target that rejects is full; too many bytes for all
  // targets together.
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
  transfer::moves& moves() { return moves_; }
  transfer::transactions& transactions() { return transactions_; }
  const transfer::counters& counts() const { return counters_; }
  void count_refused() { ++counters_.refused_full; }
  void count_unroutable() { ++counters_.unroutable; }

 private:
  result<publish_outcome> put(message_view& message, const publish_request& request, std::int64_t now_ms);
  result<void> plan(message_view& message, const publish_request& request, const routing::route& route,
                    const traits& traits);
  void settle_duplicate(const publish_request& request);
  void keep_bounds(queues::queue& queue, store::commit_group& group);

  store::store& store_;
  catalog::catalog& catalog_;
  commits::pipeline& commits_;
  milliseconds linger_;
  topics::producers producers_;
  timers::timers timers_;
  transfer::counters counters_;
  placing placing_;
  transfer::moves moves_;
  transfer::transactions transactions_;
};

}  // namespace tidegate::core::transfer
