// Consumers of queues, and their unsettled deliveries. A delivery belongs to its session: the session's numbers name
// it, and it outlives its consumer.
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
// What happens to unsettled deliveries when their consumer ends.
enum class leftovers { stay_out, requeue };

class consuming {
 public:
  struct counters {
    std::uint64_t delivered = 0, acknowledged = 0;
  };

  consuming(store::store& store, catalog::catalog& catalog, commits::pipeline& commits, notices& notices)
      : store_(store), catalog_(catalog), commits_(commits), notices_(notices) {}

  // Starts a consumer. `prefetch`: unsettled deliveries at most; 0 = the broker's bound. Errors: no such queue; too
  // many consumers.
  result<consumer_id> consume(session_id session, std::string_view queue, std::uint32_t prefetch, bool auto_ack);
  void cancel(consumer_id consumer, leftovers leftovers);
  // Passes at most a fair share of the ready messages to `take`. A consumer that has ended gets none. Error: the store
  // cannot be read.
  result<pull_result> pull(consumer_id consumer, const delivery_taker& take);
  // Returns false if the session has no unsettled delivery of this number.
  bool settle(session_id session, std::uint64_t number, outcome outcome);
  // Settles all deliveries up to this number. Returns false if there was no such delivery yet.
  bool settle_through(session_id session, std::uint64_t number, outcome outcome);

  // Ends the session's consumers and requeues its unsettled deliveries.
  void end(session_id session);
  // Notifies consumers that the queue has ready messages.
  void wake(queues::queue& queue);
  // Call before the queue is deleted: forgets its unsettled deliveries.
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
