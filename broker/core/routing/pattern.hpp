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

// Returns whether the key matches the pattern. Time is linear in the words in practice, and at most words x pattern
// words.
bool matches(std::string_view pattern, std::string_view key);

// A set of patterns with their targets, stored as a tree of words. The time to match a key depends on the key's words
// and the wildcards on their path, not on the number of patterns.
class pattern_tree {
 public:
  void insert(std::string_view pattern, const target& target);
  void erase(std::string_view pattern, const target& target);
  // Calls `visit` for each target of each pattern that matches. A target with several matching patterns is visited
  // several times.
  void match(std::string_view key, const std::function<void(const target&)>& visit) const;

 private:
  // A node is reached by the words of a pattern. The node after a pattern's last word holds the pattern's targets.
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
