#include "broker/core/routing/pattern.hpp"

#include <gmock/gmock.h>

#include <array>
#include <random>
#include <set>

namespace tidegate::core::routing {
namespace {

struct wildcard {
  const char* pattern;
  const char* key;
  bool matches;
};

// AMQP 0-9-1, 3.1.3.3, and RabbitMQ's reading of empty words.
constexpr wildcard wildcards[] = {
    {"a.b.c", "a.b.c", true},
    {"a.b.c", "a.b", false},
    {"a.b", "a.b.c", false},
    {"a.*.c", "a.b.c", true},
    {"a.*.c", "a.c", false},
    {"a.*.c", "a.b.b.c", false},
    {"*", "a", true},
    {"*", "", false},
    {"*", "a.b", false},
    {"*", "*", true},
    {"a.*", "a.", true},
    {"*.a", ".a", true},
    {"*.*", ".", true},
    {"a.*.b", "a..b", true},
    {"#", "", true},
    {"#", "a", true},
    {"#", "a.b.c", true},
    {"#", ".", true},
    {"a.#", "a", true},
    {"a.#", "a.b.c", true},
    {"a.#", "b", false},
    {"#.a", "a", true},
    {"#.a", "b.c.a", true},
    {"#.a", "b.c", false},
    {"a.#.b", "a.b", true},
    {"a.#.b", "a.x.y.b", true},
    {"a.#.b", "a.x.b.y", false},
    {"#.#", "", true},
    {"#.#.a.#.#", "a", true},
    {"#.a.#.b.#", "x.a.y.b.z", true},
    {"#.a.#.b.#", "b.a", false},
    {"#.a.b", "a.a.b", true},
    {"#.*", "", false},
    {"#.*", "a", true},
    {"#.*.#", "a.b.c", true},
    {"*.#", "a", true},
    {"*.#", "", false},
    {"#.*.a.*", "x.y.a.z", true},
    {"#.*.a.*", "a.z", false},
    {"", "", true},
    {"", "a", false},
    {"a", "", false},
    {"#.a.*.#.c", "a.a.b.c", true},
    {"a*", "ab", false},
    {"#a", "ba", false},
};

// Matches with a tree that holds this pattern alone.
bool tree_matches(std::string_view pattern, std::string_view key) {
  pattern_tree tree;
  tree.insert(pattern, {});
  bool found = false;
  tree.match(key, [&](const target&) { found = true; });
  return found;
}

TEST(patterns, follow_the_table) {
  for (const auto& [pattern, key, expected] : wildcards) {
    EXPECT_EQ(matches(pattern, key), expected) << '\'' << pattern << "' and '" << key << '\'';
    EXPECT_EQ(tree_matches(pattern, key), expected) << '\'' << pattern << "' and '" << key << '\'';
  }
}

// The plain definition of matching, which takes exponential time.
bool matches_plainly(std::vector<std::string> rules, std::vector<std::string> words) {
  if (rules.empty()) return words.empty();
  const std::vector<std::string> rest(rules.begin() + 1, rules.end());
  if (rules.front() == "#") {
    for (std::size_t skip = 0; skip <= words.size(); ++skip) {
      if (matches_plainly(rest, {words.begin() + static_cast<std::ptrdiff_t>(skip), words.end()})) return true;
    }
    return false;
  }
  if (words.empty() || (rules.front() != "*" && rules.front() != words.front())) return false;
  return matches_plainly(rest, {words.begin() + 1, words.end()});
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ".") + word;
  return out;
}

std::vector<std::vector<std::string>> all_of(const std::vector<std::string>& letters, std::size_t length_max) {
  std::vector<std::vector<std::string>> out{{}};
  for (std::size_t begin = 0, length = 0; length < length_max; ++length) {
    const std::size_t end = out.size();
    for (; begin < end; ++begin) {
      for (const auto& letter : letters) {
        auto longer = out[begin];
        longer.push_back(letter);
        out.push_back(longer);
      }
    }
  }
  return out;
}

TEST(patterns, agree_with_the_definition_where_they_are_short) {
  const auto keys = all_of({"a", "b"}, 5);
  for (const auto& pattern : all_of({"#", "*", "a", "b"}, 4)) {
    for (const auto& key : keys) {
      const bool expected = matches_plainly(pattern, key);
      ASSERT_EQ(matches(join(pattern), join(key)), expected) << join(pattern) << ' ' << join(key);
      if (pattern.size() > 3) continue;
      ASSERT_EQ(tree_matches(join(pattern), join(key)), expected) << join(pattern) << ' ' << join(key);
    }
  }
}

queues::queue* place(std::size_t number) {
  static std::array<char, 64> places;
  return reinterpret_cast<queues::queue*>(&places.at(number));
}

// Inserts and erases patterns at random, and compares the tree with a list of patterns.
TEST(pattern_tree, agrees_with_a_list_of_patterns) {
  const auto patterns = all_of({"#", "*", "a", "b"}, 3), keys = all_of({"a", "b", "*"}, 4);
  std::mt19937 random(3);
  pattern_tree tree;
  std::vector<std::pair<std::string, target>> list;
  for (int step = 0; step < 3'000; ++step) {
    if (random() % 3 > 0 || list.empty()) {
      list.emplace_back(join(patterns[random() % patterns.size()]), target{place(random() % 64)});
      tree.insert(list.back().first, list.back().second);
    } else {
      const auto gone = list.begin() + static_cast<std::ptrdiff_t>(random() % list.size());
      tree.erase(gone->first, gone->second);
      list.erase(gone);
    }
    const std::string key = join(keys[random() % keys.size()]);
    std::multiset<const void*> expected, found;
    for (const auto& [pattern, target] : list) {
      if (matches(pattern, key)) expected.insert(target.queue);
    }
    tree.match(key, [&](const target& target) { found.insert(target.queue); });
    ASSERT_EQ(found, expected) << key;
  }
}

// Would take for ever if each `#` tried each rest of the key again.
TEST(pattern_tree, of_many_wildcards_ends_soon) {
  pattern_tree tree;
  std::string pattern = "#", key = "a";
  for (int i = 0; i < 40; ++i) pattern += ".a.#";
  for (int i = 0; i < 120; ++i) key += ".a";
  tree.insert(pattern + ".b", {});
  tree.insert(pattern, {});
  int found = 0;
  tree.match(key, [&](const target&) { ++found; });
  EXPECT_EQ(found, 1);
}

}  // namespace
}  // namespace tidegate::core::routing
