// The queues, by name and by stream.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "broker/core/catalog/definition_rows.hpp"
#include "broker/core/queues/queue.hpp"

namespace tidegate::core::catalog {

struct queue_request {
  std::string name;
  std::optional<tidegate::durability> durability = {};  // none = "commit" for a new queue, or unchanged
  std::uint64_t messages_max = 0;                       // of ready messages; 0 = no bound for a new queue, or unchanged
  std::uint64_t bytes_max = 0;
  std::optional<tidegate::overflow> overflow = {};  // none = drop-oldest for a new queue, or unchanged
};

class queue_registry {
 public:
  queue_registry(store::store& store, definition_rows& rows) : store_(store), rows_(rows) {}

  // Adds what the store held at the start. Throws store_damaged if the stream's books do not fit.
  void add_found(queue_definition definition, const store::books& books);
  // Makes the queue, or finds it with the same attributes. Errors: other attributes (names the first); the name or a
  // bound; too many queues; the store is full.
  result<void> declare(const queue_request& request);
  // Makes the queue, or changes it to what the configuration says. Error: held messages would have to move.
  result<void> adopt(const queue_request& request);
  // Deletes the queue, which exists, with its messages.
  void remove(std::string_view name);

  queues::queue* find(std::string_view name) const;
  queues::queue* find(stream_id stream) const;
  const std::map<std::string, std::unique_ptr<queues::queue>, std::less<>>& all() const { return by_name_; }

 private:
  void add(std::unique_ptr<queues::queue> queue);
  result<void> create(const queue_request& request);

  store::store& store_;
  definition_rows& rows_;
  std::map<std::string, std::unique_ptr<queues::queue>, std::less<>> by_name_;
  boost::unordered_flat_map<std::string_view, queues::queue*> index_;  // index of by_name_, for every publish
  boost::unordered_flat_map<stream_id, queues::queue*> by_stream_;
};

}  // namespace tidegate::core::catalog
