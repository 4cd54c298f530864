// The names of streams, read from the catalog's definitions, for the offline tools, which show names beside numbers.
// Core writes the definitions (broker/core/catalog).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/model/definitions.hpp"
#include "broker/store/format.hpp"

namespace tidegate::store::offline {

// The queue or partition whose records a stream holds.
struct stream_owner {
  target_kind kind = target_kind::queue;
  std::string name;
  std::uint32_t partition = 0;  // of a topic; the priority of a queue's stream
  bool in_memory = false;
};

class catalog {
 public:
  // Adds a row. Throws storage_failure if a start would refuse the row.
  void add(std::string_view key, std::string_view definition);
  // Returns a sentence for each missing exchange or target of a binding. A start refuses such bindings too.
  std::vector<std::string> dangling() const;
  bool is_dangling(const binding_definition& binding) const {
    return !has_exchange(binding.exchange) || !has_target(binding);
  }

  const std::map<stream_id, stream_owner>& streams() const { return streams_; }
  std::size_t exchanges() const { return exchanges_.size(); }
  std::size_t queues() const { return queues_.size(); }
  std::size_t topics() const { return topics_.size(); }
  std::size_t bindings() const { return bindings_.size(); }

 private:
  void own(stream_id stream, stream_owner owner);
  bool has_exchange(const std::string& name) const;
  bool has_target(const binding_definition& binding) const;

  std::map<stream_id, stream_owner> streams_;
  std::set<std::string> exchanges_, queues_, topics_;
  std::vector<binding_definition> bindings_;
};

}  // namespace tidegate::store::offline
