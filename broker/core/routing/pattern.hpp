// Patterns of topic exchanges. AMQP 0-9-1, "topic exchange": keys are words split at '.'; in a pattern `*` stands for
// exactly one word and `#` for zero or more. An empty key has zero words.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/core/routing/target.hpp"

namespace tidegate::core::routing {

// Takes time linear in the words in practice, and never more than words x pattern words.
bool matches(std::string_view pattern, std::string_view key);

// Many patterns, each with targets. Finding the ones that match a key takes time by the key's words and the wildcards
// on the way, not by the number of patterns.
class pattern_tree {
 public:
  void insert(std::string_view pattern, const target& target);
  void erase(std::string_view pattern, const target& target);
  // Calls `visit` for each target of each pattern that matches: a target with several patterns, several times.
  void match(std::string_view key, const std::function<void(const target&)>& visit) const;

 private:
  // Where a pattern's words lead. A pattern's targets are at the end of its words.
  struct node {
    std::map<std::string, std::unique_ptr<node>, std::less<>> words;  // `*` and `#` among them
    std::vector<target> targets;
    bool empty() const { return words.empty() && targets.empty(); }
  };
  class walk;
  static void erase(node& at, const std::vector<std::string_view>& words, std::size_t next, const target& target);

  node root_;
};

}  // namespace tidegate::core::routing
