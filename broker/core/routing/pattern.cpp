#include "broker/core/routing/pattern.hpp"

#include <algorithm>
#include <set>

namespace tidegate::core::routing {
namespace {

constexpr std::string_view one_word = "*";
constexpr std::string_view any_words = "#";

// The first word of a key or pattern, and the rest after its dot.
struct word {
  std::string_view text;
  std::string_view rest;
  bool more = false;  // words follow
};

word first_word(std::string_view words) {
  const auto dot = words.find('.');
  if (dot == std::string_view::npos) return {words, {}, false};
  return {words.substr(0, dot), words.substr(dot + 1), true};
}

std::vector<std::string_view> split(std::string_view words) {
  std::vector<std::string_view> out;
  if (words.empty()) return out;
  for (word next = first_word(words);; next = first_word(next.rest)) {
    out.push_back(next.text);
    if (!next.more) return out;
  }
}

}  // namespace

// Greedy with one step back: when a word does not match, the latest `#` is extended by one word. An earlier `#` need
// not be tried again.
bool matches(std::string_view pattern, std::string_view key) {
  const auto rules = split(pattern), words = split(key);
  std::size_t rule = 0, at = 0, hash = rules.size(), hash_at = 0;
  while (at < words.size()) {
    if (rule < rules.size() && rules[rule] == "#") {
      hash = rule++;
      hash_at = at;
    } else if (rule < rules.size() && (rules[rule] == "*" || rules[rule] == words[at])) {
      ++rule;
      ++at;
    } else if (hash < rules.size()) {
      rule = hash + 1;
      at = ++hash_at;
    } else {
      return false;
    }
  }
  while (rule < rules.size() && rules[rule] == "#") ++rule;
  return rule == rules.size();
}

void pattern_tree::insert(std::string_view pattern, const target& target) {
  node* at = &root_;
  for (const std::string_view word : split(pattern)) {
    auto found = at->words.find(word);
    if (found == at->words.end()) found = at->words.emplace(word, std::make_unique<node>()).first;
    at = found->second.get();
  }
  at->targets.push_back(target);
}

void pattern_tree::erase(std::string_view pattern, const target& target) { erase(root_, split(pattern), 0, target); }

// Nodes that become empty are removed as well.
void pattern_tree::erase(node& at, const std::vector<std::string_view>& words, std::size_t next, const target& target) {
  if (next == words.size()) {
    const auto found = std::find(at.targets.begin(), at.targets.end(), target);
    if (found != at.targets.end()) at.targets.erase(found);
    return;
  }
  const auto child = at.words.find(words[next]);
  if (child == at.words.end()) return;
  erase(*child->second, words, next + 1, target);
  if (child->second->empty()) at.words.erase(child);
}

// Matches one key against the tree. Patterns with several `#` reach the same node with the same rest of the key many
// times, so each pair of node and rest is entered once.
class pattern_tree::walk {
 public:
  walk(std::string_view key, const std::function<void(const target&)>& visit) : words_(split(key)), visit_(visit) {}

  void enter(const node& at, std::size_t next) {
    if (!entered_.emplace(&at, next).second) return;
    if (next == words_.size()) {
      for (const target& target : at.targets) visit_(target);
    }
    if (const auto any = at.words.find(any_words); any != at.words.end()) {
      for (std::size_t behind = next; behind <= words_.size(); ++behind) enter(*any->second, behind);
    }
    if (next == words_.size()) return;
    if (const auto one = at.words.find(one_word); one != at.words.end()) enter(*one->second, next + 1);
    const std::string_view word = words_[next];
    if (word == one_word || word == any_words) return;  // these children are wildcards and were entered above
    if (const auto same = at.words.find(word); same != at.words.end()) enter(*same->second, next + 1);
  }

 private:
  std::vector<std::string_view> words_;
  const std::function<void(const target&)>& visit_;
  std::set<std::pair<const node*, std::size_t>> entered_;
};

void pattern_tree::match(std::string_view key, const std::function<void(const target&)>& visit) const {
  walk(key, visit).enter(root_, 0);
}

}  // namespace tidegate::core::routing
