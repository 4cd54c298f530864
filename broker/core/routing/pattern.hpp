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

// Takes time linear in the words in practice, and at most words x pattern words.
bool matches(std::string_view pattern, std::string_view key);

// Many patterns, each with targets. A match takes time by the key's words and the wildcards on the way, not by the
// number of patterns.
class pattern_tree {
 public:
  void insert(std::string_view pattern, const target& target);
  void erase(std::string_view pattern, const target& target);
  // Calls `visit` for each target of each matching pattern. A target with several matching patterns is visited several
  // times.
  void match(std::string_view key, const std::function<void(const target&)>& visit) const;

 private:
  // A word's node; a pattern's targets are at the node of its last word.
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
