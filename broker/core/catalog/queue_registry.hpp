// The registry of queues: declares, adopts and removes them, and finds them by name or by stream.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/core/catalog/definition_rows.hpp"
#include "broker/core/queues/queue.hpp"

namespace tidegate::core::catalog {

// A queue as a client or the configuration asks for it. A field that is not set stands for the default, except that
// declaring an existing queue leniently then accepts the queue's own value.
struct queue_request {
  std::string name;
  std::optional<tidegate::durability> durability = {};  // default: commit
  std::uint64_t messages_max = 0;                       // ready messages; 0 = not set (unlimited)
  std::uint64_t bytes_max = 0;                          // bodies of ready messages; 0 = not set (unlimited)
  std::optional<tidegate::overflow> overflow = {};      // default: drop_oldest
  std::optional<bool> auto_delete = {};                 // default: false
  std::optional<bool> single_active = {};               // default: false
  // The rest as in queue_definition. By default there is none of it, except for the delivery limit.
  std::optional<milliseconds> time_to_live = {};
  std::optional<milliseconds> expires = {};
  std::optional<std::string> dead_letter_exchange = {}, dead_letter_key = {};
  std::optional<std::uint32_t> delivery_limit = {};
  std::optional<std::uint32_t> priority_max = {};
  std::optional<milliseconds> retry_delay = {}, retry_delay_max = {};
  // The queue belongs to the session that declares it: it lives in memory, has no row, and ends with the session.
  bool exclusive = false;
  std::optional<std::string> arguments = {};  // a protocol's own, kept for listings
};

class queue_registry {
 public:
  queue_registry(store::store& store, definition_rows& rows) : store_(store), rows_(rows) {}

  // Adds a queue that the store held at start. Throws store_damaged if `books` has no matching ledger of its stream.
  void add_found(queue_definition definition, const store::books& books);
  // Checks what declare() would do; errors as there. `coming`: queues that are to be made before.
  result<void> check(const queue_request& request, session_id session, sameness sameness, std::size_t coming = 0) const;
  // Creates the queue for a session; an existing one with the same attributes succeeds. Returns it. A request without a
  // name gets one that no queue has. Errors: the queue has other attributes (the first one is named); it belongs to
  // another session; the name is invalid or reserved; the broker keeps nothing in memory; too many queues; the store is
  // full.
  result<queues::queue*> declare(const queue_request& request, session_id session, sameness sameness);
  // Creates the queue, or changes an existing one to what the configuration says. Errors: messages would have to move
  // into memory or out of it; as declare() for a new queue.
  result<void> adopt(const queue_request& request);
  // Deletes the queue and its messages.
  void remove(queues::queue& queue);
  // Makes sure that the queue has a lane of this level. A new one is a new stream, noted in the queue's row.
  void open_level(queues::queue& queue, std::uint8_t level);
  // Returns the queue in which messages wait that are to be routed, or returned, later; makes it when it is first
  // needed. There is one on flash and one in memory. Null if there is no room for it.
  queues::queue* open_delayed(bool in_memory);
  static bool is_delayed(const queues::queue& queue);
  // Notes that the queue is in use: it expires when it was not for as long as its definition says.
  void note_used(const queues::queue& queue);
  // Returns a queue that has expired and is to be deleted; null if there is none.
  queues::queue* find_expired();
  // Returns the time until find_expired() may find one. None = no queue expires.
  std::optional<milliseconds> next_expiry();
  // Checks that the session may use the queue. Error: the queue belongs to another one.
  static result<void> check_owner(const queues::queue& queue, session_id session);
  // The same, for use as an ordinary queue. Error also: messages wait in the queue until they are due.
  static result<void> check_usable(const queues::queue& queue, session_id session);

  // Returns the queues that belong to the session alone.
  std::vector<queues::queue*> owned_by(session_id session) const;
  // Returns null if there is no such queue.
  queues::queue* find(std::string_view name) const;
  queues::queue* find(stream_id stream) const;
  const std::map<std::string, std::unique_ptr<queues::queue>, std::less<>>& all() const { return by_name_; }

 private:
  queues::queue& add(std::unique_ptr<queues::queue> queue);
  result<void> check_new(const queue_request& request, std::size_t coming = 0) const;
  queues::queue& create(queue_request request, session_id session);
  queues::queue& create_transient(queue_definition made, session_id owner);
  queues::queue& create_lasting(queue_definition made);
  void watch_expiry(queues::queue& queue);

  store::store& store_;
  definition_rows& rows_;
  std::map<std::string, std::unique_ptr<queues::queue>, std::less<>> by_name_;
  boost::unordered_flat_map<std::string_view, queues::queue*> index_;  // by name, faster: used for every publish
  boost::unordered_flat_map<stream_id, queues::queue*> by_stream_;
  boost::unordered_flat_map<session_id, std::vector<queues::queue*>> owned_;
  // Of queues that expire, by their first stream: when they were last used, as an age of the store.
  boost::unordered_flat_map<stream_id, std::uint64_t> used_;
  std::set<std::pair<std::uint64_t, stream_id>> expiries_;                    // when to look at a queue that expires
  std::uint32_t next_transient_ = std::numeric_limits<std::uint32_t>::max();  // stream; those of the store count up
};

}  // namespace tidegate::core::catalog
