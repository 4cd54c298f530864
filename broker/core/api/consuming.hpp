// Consuming: the consumers of queues and their unsettled deliveries. Deliveries belong to the session: they carry its
// numbers, and may outlive the consumer that received them.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <memory>
#include <string_view>
#include <vector>

#include "broker/core/api/deliveries.hpp"
#include "broker/core/api/notices.hpp"
#include "broker/core/catalog/catalog.hpp"

namespace tidegate::core::api {

using queues::delivery_taker;
using queues::pull_result;

enum class outcome { ack, requeue, discard };
// How cancel() treats the consumer's unsettled deliveries: they remain unsettled at the session, or are requeued.
enum class leftovers { stay_out, requeue };

class consuming {
 public:
  struct counters {
    std::uint64_t delivered = 0, acknowledged = 0;
  };

  consuming(store::store& store, catalog::catalog& catalog, commits::pipeline& commits, notices& notices)
      : store_(store), catalog_(catalog), commits_(commits), notices_(notices) {}

  // Adds a consumer to the queue. `prefetch`: number of deliveries that may be unsettled; 0 = limits::prefetch_max,
  // which no consumer exceeds. Errors: no such queue; too many consumers of the session.
  result<consumer_id> consume(session_id session, std::string_view queue, std::uint32_t prefetch, bool auto_ack);
  // Ends the consumer; does nothing if it has ended.
  void cancel(consumer_id consumer, leftovers leftovers);
  // Hands at most a fair share of the ready messages to `take`. A consumer that has ended gets nothing. Error: the
  // store cannot be read.
  result<pull_result> pull(consumer_id consumer, const delivery_taker& take);
  // Settles one delivery. Returns false if no delivery of this number is unsettled at the session.
  bool settle(session_id session, std::uint64_t number, outcome outcome);
  // Settles all deliveries up to this number. Returns false if the session has had no delivery of this number yet.
  bool settle_through(session_id session, std::uint64_t number, outcome outcome);

  // Ends the consumers of a session that has ended, and requeues its unsettled deliveries at their places.
  void end(session_id session);
  // Notifies the queue's consumers that have credit. Call when messages became ready.
  void wake(queues::queue& queue);
  // Forgets all deliveries of a queue that is about to be deleted.
  void forget(const queues::queue& queue);
  const counters& counts() const { return counters_; }

 private:
  struct channel {
    std::vector<consumer_id> consumers;
    deliveries out;
  };
  store::commit_group& group_of(const queues::queue& queue);
  void settle(const delivery& delivery, outcome outcome);
  void requeue(const delivery& delivery);
  // Notifies the consumer if it may pull and does not know yet.
  void tell(queues::consumer& consumer);
  void note_settled(const queues::queue& queue) { commits_.note_settled(queue.is_in_memory()); }

  store::store& store_;
  catalog::catalog& catalog_;
  commits::pipeline& commits_;
  notices& notices_;
  boost::unordered_flat_map<session_id, std::unique_ptr<channel>> channels_;
  boost::unordered_flat_map<consumer_id, std::unique_ptr<queues::consumer>> consumers_;
  std::uint64_t next_consumer_ = 1;
  counters counters_;
};

}  // namespace tidegate::core::api
