// The topics by name, and their partitions by stream.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/core/catalog/definition_rows.hpp"
#include "broker/core/topics/topic.hpp"

namespace tidegate::core::catalog {

struct topic_request {
  std::string name;
  std::uint32_t partitions = 0;  // 0 = 1 for a new topic, or unchanged
  std::uint64_t retention_bytes = 0;
  milliseconds retention_age{0};
  std::uint64_t retention_records = 0;
  std::optional<tidegate::overflow> overflow = {};  // none = drop-oldest for a new topic, or unchanged
  std::vector<std::string> protect = {};
  std::optional<tidegate::durability> durability = {};  // none = "commit" for a new topic, or unchanged
};

// A topic by name. With an id, only the topic of that UUID, and not one that was declared under the name since.
struct topic_name {
  std::string_view name;
  std::string_view id;
  topic_name(std::string_view name, std::string_view id = {}) : name(name), id(id) {}
  topic_name(const std::string& name) : name(name) {}
  topic_name(const char* name) : name(name) {}
};

class topic_registry {
 public:
  // `retention_bytes`: of a partition whose topic names none.
  topic_registry(store::store& store, definition_rows& rows, std::uint64_t retention_bytes)
      : store_(store), rows_(rows), retention_bytes_(retention_bytes) {}

  // Adds what the store held at the start. Throws store_damaged if the streams' books do not fit.
  void add_found(topic_definition definition, const store::books& books);
  // Makes the topic, or finds it with the same attributes. Errors: other attributes (names the first); the name or a
  // bound; too many topics or partitions; the store is full.
  result<void> declare(const topic_request& request);
  // Makes the topic, or changes it to what the configuration says; partitions are added. Returns whether anything
  // changed. Errors: partitions would be removed; held records would have to move.
  result<bool> adopt(const topic_request& request);
  // Deletes the topic, which exists, with its records. Returns it, so that watchers of its partitions can be notified.
  std::unique_ptr<topics::topic> remove(std::string_view name);

  topics::topic* find(std::string_view name) const;
  topics::partition* find(stream_id stream) const;
  // Errors: NOT_FOUND; PRECONDITION: the name is another topic's by now.
  result<topics::partition*> find(const topic_name& topic, std::uint32_t partition) const;
  const std::map<std::string, std::unique_ptr<topics::topic>, std::less<>>& all() const { return by_name_; }
  const boost::unordered_flat_map<stream_id, topics::partition*>& partitions() const { return by_stream_; }

 private:
  result<void> check(const topic_request& request) const;
  result<void> create(const topic_request& request);
  void grow(topics::topic& topic, std::size_t partitions);

  store::store& store_;
  definition_rows& rows_;
  std::uint64_t retention_bytes_;
  std::map<std::string, std::unique_ptr<topics::topic>, std::less<>> by_name_;
  boost::unordered_flat_map<stream_id, topics::partition*> by_stream_;
};

}  // namespace tidegate::core::catalog
