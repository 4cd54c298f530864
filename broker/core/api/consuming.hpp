// Consuming: the consumers of queues and their unsettled deliveries. Deliveries belong to the session: they carry its
// numbers, and may outlive the consumer that received them.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "broker/core/api/deliveries.hpp"
#include "broker/core/api/notices.hpp"
#include "broker/core/api/replies.hpp"
#include "broker/core/catalog/catalog.hpp"
#include "broker/core/transfer/moves.hpp"

namespace tidegate::core::api {

// Receives one delivery. Returns false to stop; the delivery counts as handed out all the same.
using delivery_taker = std::function<bool(delivery_view&)>;
using queues::outcome;
using queues::pull_result;

struct consume_options {
  std::uint32_t prefetch = 0;  // deliveries that may be unsettled; 0 = limits::prefetch_max, which nobody exceeds
  bool auto_ack = false;
  bool exclusive = false;     // no other consumer of the queue
  std::int32_t priority = 0;  // consumers of a higher one come first, as long as they have credit
};
// How cancel() treats the consumer's unsettled deliveries: they remain unsettled at the session, or are requeued.
enum class leftovers { stay_out, requeue };

// How a delivery is settled, or with `multiple` every one of the session up to it.
struct settlement {
  std::uint64_t number = 0;
  bool multiple = false;
  queues::outcome outcome{};
};

class consuming {
 public:
  struct counters {
    std::uint64_t delivered = 0, acknowledged = 0;
  };

  consuming(catalog::catalog& catalog, commits::pipeline& commits, transfer::moves& moves, notices& notices)
      : catalog_(catalog), commits_(commits), moves_(moves), notices_(notices), replies_(notices, commits.timeline()) {}

  // Adds a consumer to the queue, or of replies (replies.hpp). Errors: no such queue; it belongs to another session; it
  // has an exclusive consumer, or this one is to be exclusive and there are others; too many consumers of the session.
  result<consumer_id> consume(session_id session, std::string_view queue, const consume_options& options);
  // Ends the consumer; does nothing if it has ended.
  void cancel(consumer_id consumer, leftovers leftovers);
  // Hands at most a fair share of the ready messages to `take`. A consumer that has ended gets nothing. Error: the
  // store cannot be read.
  result<pull_result> pull(consumer_id consumer, const delivery_taker& take);
  // Hands the next ready message to `take`, for no consumer. Returns how many are left; none if there was no message.
  // Errors: no such queue; it belongs to another session; it has too many unsettled deliveries; the store cannot be
  // read.
  result<std::optional<std::uint64_t>> get(session_id session, std::string_view queue, bool auto_ack,
                                           const delivery_taker& take);
  // Settles all ready messages and returns how many these were; settled with the commit. Errors: no such queue; it
  // belongs to another session.
  result<std::uint64_t> purge(std::string_view queue, const receipt& answer);
  // Settles one delivery. Returns false if no delivery of this number is unsettled at the session.
  bool settle(session_id session, std::uint64_t number, outcome outcome);
  // Settles all deliveries up to this number. Returns false if the session has had no delivery of this number yet.
  bool settle_through(session_id session, std::uint64_t number, outcome outcome);

  // For a transaction: checks that all of these can be settled, one after the other. Returns whether any of them is of
  // a queue on flash. Error: a delivery is not unsettled at the session.
  result<bool> check(session_id session, std::span<const settlement> settlements) const;
  // Settles deliveries together with records of that course: void if these are.
  void settle_with(commits::course course, session_id session, const settlement& settlement);

  // Ends the consumers of a session that has ended, requeues its unsettled deliveries at their places, and deletes the
  // queues that belong to it alone.
  void end(session_id session);
  // Notifies the queue's consumers that have credit. Call when messages became ready.
  void wake(queues::queue& queue);
  // Deletes the queue: ends its consumers, which are told, and forgets its deliveries.
  void remove(queues::queue& queue);
  const counters& counts() const { return counters_; }
  // Consumers of replies are consumers like others, except for where their messages come from.
  api::replies& replies() { return replies_; }
  const api::replies& replies() const { return replies_; }

 private:
  struct channel {
    std::vector<consumer_id> consumers;
    deliveries out;
  };
  result<queues::queue*> find(session_id session, std::string_view queue);
  channel& channel_of(session_id session);
  result<consumer_id> consume_replies(session_id session, const consume_options& options);
  pull_result pull_replies(consumer_id consumer, const delivery_taker& take);
  void note_pulled(const queues::queue& queue, std::uint64_t count, bool auto_ack);
  store::commit_group& group_of(const queues::queue& queue);
  void end_channel(session_id session);
  void settle(const delivery& delivery, outcome outcome, std::optional<commits::course> with = {});
  void settle(queues::queue& queue, const queues::held_message& message, outcome outcome,
              std::optional<commits::course> with = {});
  // Deletes the queue if it is auto-delete and its last consumer has ended; otherwise notifies its consumers.
  void wake_or_remove(queues::queue& queue);
  // Notifies the consumer if it may pull and does not know yet.
  void tell(queues::consumer& consumer);
  void note_settled(const queues::queue& queue) { commits_.note_settled(queue.definition().durability.is_memory()); }

  catalog::catalog& catalog_;
  commits::pipeline& commits_;
  transfer::moves& moves_;
  notices& notices_;
  api::replies replies_;
  boost::unordered_flat_map<session_id, std::unique_ptr<channel>> channels_;
  boost::unordered_flat_map<consumer_id, std::unique_ptr<queues::consumer>> consumers_;
  std::uint64_t next_consumer_ = 1;
  counters counters_;
};

}  // namespace tidegate::core::api
