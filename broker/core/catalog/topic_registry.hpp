// The topics, by name; and their partitions, by stream.
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
  std::uint32_t partitions = 0;  // 0 = 1, or as it is
  std::uint64_t retention_bytes = 0;
  milliseconds retention_age{0};
  std::uint64_t retention_records = 0;
  std::optional<tidegate::overflow> overflow = {};  // none = drop-oldest, or as it is
  std::vector<std::string> protect = {};
  std::optional<tidegate::durability> durability = {};  // none = "commit", or as it is
};

// A topic by its name; with an id only the one whose UUID that is, and none that was declared under the name since.
struct topic_name {
  std::string_view name;
  std::string_view id;
  topic_name(std::string_view name, std::string_view id = {}) : name(name), id(id) {}
  topic_name(const std::string& name) : name(name) {}
  topic_name(const char* name) : name(name) {}
};

class topic_registry {
 public:
  // `retention_bytes`: of a partition that names none.
  topic_registry(store::store& store, definition_rows& rows, std::uint64_t retention_bytes)
      : store_(store), rows_(rows), retention_bytes_(retention_bytes) {}

  // Adds what the store held at the start. Throws store_damaged where the streams' books do not fit.
  void add_found(topic_definition definition, const store::books& books);
  // Makes it, or finds it as it is wanted. Errors: it has other attributes (names the first); the name or a bound; too
  // many topics or partitions; the store is full.
  result<void> declare(const topic_request& request);
  // Makes it, or changes it to what the configuration says: partitions are added. Errors: partitions would go; what it
  // holds would have to move. Returns whether anything changed.
  result<bool> adopt(const topic_request& request);
  // Deletes the topic, which exists, and what it holds; returns it, for who still waits for its partitions.
  std::unique_ptr<topics::topic> remove(std::string_view name);

  topics::topic* find(std::string_view name) const;
  topics::partition* find(stream_id stream) const;
  // Errors: not_found; precondition: the name is another topic's by now.
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
