// The registry of topics: declares, adopts and removes them, and finds topics by name and partitions by stream.
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

// A topic as a client or the configuration asks for it. A field that is not set stands for the default, except that
// declaring an existing topic then accepts the topic's own value. Adopting keeps the number of partitions and
// retention_bytes of an existing topic if they are not set.
struct topic_request {
  std::string name;
  std::uint32_t partitions = 0;                         // 0 = not set (one)
  std::uint64_t retention_bytes = 0;                    // of each partition; 0 = not set (the broker's default)
  milliseconds retention_age{0};                        // 0 = not set (unlimited)
  std::uint64_t retention_records = 0;                  // of each partition; 0 = not set (unlimited)
  std::optional<tidegate::overflow> overflow = {};      // default: drop_oldest
  std::vector<std::string> protect = {};                // groups whose unread records are dropped last
  std::optional<tidegate::durability> durability = {};  // default: commit
};

// Names a topic. If `id` is set, only the topic with that UUID is meant, and not one that was declared later under the
// same name.
struct topic_name {
  std::string_view name;
  std::string_view id;
  topic_name(std::string_view name, std::string_view id = {}) : name(name), id(id) {}
  topic_name(const std::string& name) : name(name) {}
  topic_name(const char* name) : name(name) {}
};

class topic_registry {
 public:
  // `retention_bytes`: default retention of a partition whose topic sets none.
  topic_registry(store::store& store, definition_rows& rows, std::uint64_t retention_bytes)
      : store_(store), rows_(rows), retention_bytes_(retention_bytes) {}

  // Adds a topic that the store held at start. Throws store_damaged if `books` lacks a matching ledger of a partition.
  void add_found(topic_definition definition, const store::books& books);
  // Checks what declare() would do; errors as there. `coming`: topics and partitions that are to be made before.
  struct amount {
    std::size_t topics = 0, partitions = 0;
  };
  result<void> check_declared(const topic_request& request, const amount& coming) const;
  // Creates the topic; an existing one with the same attributes succeeds. Errors: the topic has other attributes (the
  // first one is named); the name or a bound is invalid; too many topics or partitions; the store is full.
  result<void> declare(const topic_request& request);
  // Creates the topic, or changes an existing one to what the configuration says; partitions are only ever added.
  // Returns whether anything changed. Errors: partitions would have to be removed; records would have to move into
  // memory or out of it; as declare().
  result<bool> adopt(const topic_request& request);
  // Deletes the topic and its records, and returns the topic. The topic must exist.
  std::unique_ptr<topics::topic> remove(std::string_view name);

  // Returns null if there is no such topic, or no partition with that stream.
  topics::topic* find(std::string_view name) const;
  topics::partition* find(stream_id stream) const;
  // Errors: not_found if there is no such topic or partition; precondition if the name now belongs to a topic with
  // another UUID.
  result<topics::partition*> find(const topic_name& topic, std::uint32_t partition) const;
  const std::map<std::string, std::unique_ptr<topics::topic>, std::less<>>& all() const { return by_name_; }
  const boost::unordered_flat_map<stream_id, topics::partition*>& partitions() const { return by_stream_; }

 private:
  result<void> check(const topic_request& request, std::size_t coming_partitions = 0) const;
  void create(const topic_request& request);
  void grow(topics::topic& topic, std::size_t partitions);

  store::store& store_;
  definition_rows& rows_;
  std::uint64_t retention_bytes_;
  std::map<std::string, std::unique_ptr<topics::topic>, std::less<>> by_name_;
  boost::unordered_flat_map<stream_id, topics::partition*> by_stream_;
};

}  // namespace tidegate::core::catalog
