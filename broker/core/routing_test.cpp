#include "broker/core/routing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>
#include <set>

#include "broker/core/testing.hpp"

namespace tidegate::core {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

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

TEST(topic_matches, follows_the_table) {
  for (const auto& [pattern, key, expected] : wildcards) {
    EXPECT_EQ(topic_matches(pattern, key), expected) << '\'' << pattern << "' and '" << key << '\'';
  }
}

// The plain definition, exponential.
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

TEST(topic_matches, agrees_with_the_definition_for_all_short_patterns) {
  const auto keys = all_of({"a", "b"}, 5);
  for (const auto& pattern : all_of({"#", "*", "a", "b"}, 4)) {
    for (const auto& key : keys) {
      ASSERT_EQ(topic_matches(join(pattern), join(key)), matches_plainly(pattern, key))
          << join(pattern) << ' ' << join(key);
    }
  }
}

class routes : public testing::Test {
 protected:
  std::vector<std::string> queues_for(std::string_view exchange, std::string_view key) {
    std::vector<std::string> names;
    for (const queue* const queue : routing_.find(exchange, key).queues) names.push_back(queue->name());
    return names;
  }
  void bind(std::string_view exchange, queue& queue, std::string_view key) {
    routing_.bind(stepping_broker::binding(exchange, target_kind::queue, queue.name(), key), &queue, nullptr);
  }
  routing routing_;
  queue a_{queue_definition{"a", stream_id{1}}}, b_{queue_definition{"b", stream_id{2}}};
};

TEST_F(routes, direct_compares_bytes) {
  bind("amq.direct", a_, "x.*");
  bind("amq.direct", b_, "X.*");
  EXPECT_THAT(queues_for("amq.direct", "x.*"), ElementsAre("a"));
  EXPECT_THAT(queues_for("amq.direct", "x.y"), ElementsAre());
}

TEST_F(routes, fanout_takes_any_key) {
  bind("amq.fanout", a_, "x");
  bind("amq.fanout", b_, "");
  EXPECT_THAT(queues_for("amq.fanout", "y"), UnorderedElementsAre("a", "b"));
}

TEST_F(routes, each_target_once_however_many_bindings_match) {
  bind("amq.topic", a_, "#");
  bind("amq.topic", a_, "*.b");
  bind("amq.topic", a_, "a.b");
  EXPECT_THAT(queues_for("amq.topic", "a.b"), ElementsAre("a"));
}

TEST_F(routes, a_change_is_seen_by_a_key_that_was_looked_up_before) {
  EXPECT_THAT(queues_for("amq.topic", "k"), ElementsAre());
  bind("amq.topic", a_, "k");
  EXPECT_THAT(queues_for("amq.topic", "k"), ElementsAre("a"));
  bind("amq.topic", b_, "#");
  EXPECT_THAT(queues_for("amq.topic", "k"), UnorderedElementsAre("a", "b"));
  routing_.unbind(stepping_broker::binding("amq.topic", target_kind::queue, "a", "k"));
  EXPECT_THAT(queues_for("amq.topic", "k"), ElementsAre("b"));
}

TEST_F(routes, repeating_a_binding_and_removing_a_missing_one_change_nothing) {
  const auto binding = stepping_broker::binding("amq.direct", target_kind::queue, "a", "k");
  EXPECT_TRUE(routing_.bind(binding, &a_, nullptr));
  EXPECT_FALSE(routing_.bind(binding, &a_, nullptr));
  EXPECT_TRUE(routing_.unbind(binding));
  EXPECT_FALSE(routing_.unbind(binding));
  EXPECT_THAT(queues_for("amq.direct", "k"), ElementsAre());
}

TEST_F(routes, more_keys_than_are_cached_are_routed_all_the_same) {
  bind("amq.topic", a_, "even.#");
  for (std::size_t i = 0; i < limits::cached_route_targets + 1'000; ++i) {
    const std::string key = (i % 2 == 0 ? "even." : "odd.") + std::to_string(i);
    ASSERT_EQ(routing_.find("amq.topic", key).queues.size(), i % 2 == 0 ? 1u : 0u);
  }
}

TEST_F(routes, an_exchange_that_was_never_bound_is_removed) {
  bind("amq.topic", a_, "#");
  routing_.add_exchange({"alarms", exchange_type::direct});
  routing_.remove_exchange("alarms");
  EXPECT_EQ(routing_.find_exchange("alarms"), nullptr);
  EXPECT_THAT(queues_for("amq.topic", "k"), ElementsAre("a"));
}

// Exchanges are declared, bound, unbound and removed in random order, and the routes compared with a plain list of
// bindings after each step.
class random_definitions : public routes {
 protected:
  struct model {
    std::map<std::string, exchange_type, std::less<>> exchanges;
    std::set<binding_definition> bindings;
  };

  std::size_t draw(std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_); }
  std::string draw_name() { return names[draw(names.size())]; }
  binding_definition draw_binding() {
    return stepping_broker::binding(draw_name(), target_kind::queue, draw(2) == 0 ? "a" : "b", keys[draw(keys.size())]);
  }

  void step() {
    switch (draw(4)) {
      case 0: return add();
      case 1: return bind_one();
      case 2: {
        const auto binding = draw_binding();
        EXPECT_EQ(routing_.unbind(binding), model_.bindings.erase(binding) == 1);
        return;
      }
      default: return remove();
    }
  }
  void add() {
    const std::string name = draw_name();
    const auto type = static_cast<exchange_type>(draw(3));
    if (routing_.find_exchange(name) != nullptr) return;
    routing_.add_exchange({name, type});
    model_.exchanges[name] = type;
  }
  void bind_one() {
    const auto binding = draw_binding();
    if (routing_.find_exchange(binding.exchange) == nullptr) return;
    EXPECT_EQ(routing_.bind(binding, binding.target == "a" ? &a_ : &b_, nullptr),
              model_.bindings.insert(binding).second);
  }
  void remove() {
    const std::string name = draw_name();
    if (routing_.find_exchange(name) == nullptr || routing::is_built_in(name)) return;
    routing_.remove_exchange(name);
    model_.exchanges.erase(name);
    std::erase_if(model_.bindings, [&](const auto& binding) { return binding.exchange == name; });
  }

  std::set<std::string> expected(const std::string& exchange, const std::string& key) const {
    std::set<std::string> targets;
    for (const auto& binding : model_.bindings) {
      if (binding.exchange != exchange) continue;
      const auto type = model_.exchanges.at(exchange);
      const bool matches =
          type == exchange_type::fanout ||
          (type == exchange_type::direct ? binding.routing_key == key : topic_matches(binding.routing_key, key));
      if (matches) targets.insert(binding.target);
    }
    return targets;
  }
  void compare() {
    ASSERT_EQ(routing_.exchanges().size(), model_.exchanges.size());
    ASSERT_EQ(routing_.bindings(), model_.bindings);
    for (const auto& [exchange, type] : model_.exchanges) {
      for (const char* const key : keys) {
        const auto found = queues_for(exchange, key);
        ASSERT_EQ(std::set<std::string>(found.begin(), found.end()), expected(exchange, key)) << exchange << ' ' << key;
      }
    }
  }

  // Names that sort before, between and behind those of the built-in exchanges.
  static constexpr std::array names = {"a", "alarms", "amq.direct", "amq.fanout", "amq.topic", "amr", "zones"};
  static constexpr std::array keys = {"k", "k.l", "#", "*.l", ""};
  std::mt19937_64 random_{7};
  model model_{{{"amq.direct", exchange_type::direct},
                {"amq.fanout", exchange_type::fanout},
                {"amq.topic", exchange_type::topic}},
               {}};
};

TEST_F(random_definitions, agree_with_a_plain_list) {
  for (int i = 0; i < 5'000 && !HasFatalFailure(); ++i) {
    step();
    compare();
  }
}

class publishing : public testing::Test {
 protected:
  stepping_broker broker_;
};

TEST_F(publishing, the_default_exchange_routes_to_the_queue_of_that_name) {
  broker_.declare_queue("work");
  EXPECT_EQ(broker_.publish("", "work", "m"), publish_outcome::stored);
  EXPECT_EQ(broker_.publish("", "nowhere", "m"), publish_outcome::unroutable);
  broker_.commit();
  EXPECT_EQ(broker_.ready("work"), 1u);
}

TEST_F(publishing, a_queue_and_a_topic_get_it_in_one_commit) {
  broker_.declare_queue("work");
  broker_.declare_topic("log");
  broker_.bind_queue("amq.topic", "work", "s.#");
  broker_.bind_topic("amq.topic", "log", "*.t");
  broker_.commit();
  const auto before = broker_->commit_figures().commits;
  EXPECT_EQ(broker_.publish("amq.topic", "s.t", "21.5"), publish_outcome::stored);
  broker_.commit();
  EXPECT_EQ(broker_->commit_figures().commits, before + 1);
  EXPECT_EQ(broker_.ready("work"), 1u);
  ASSERT_EQ(broker_.read("log", 0, 0).size(), 1u);
  EXPECT_EQ(broker_.read("log", 0, 0)[0].body, "21.5");
}

TEST_F(publishing, nothing_is_settled_or_seen_before_the_commit) {
  broker_.declare_queue("work");
  broker_.commit();
  const auto consumer = broker_.consume("work");
  broker_.noted().stored.clear();
  broker_.put("work", "m");
  broker_.flush();
  EXPECT_TRUE(broker_.noted().stored.empty());
  EXPECT_TRUE(broker_.pull(consumer).empty());
  broker_.finish();
  EXPECT_THAT(broker_.noted().stored, ElementsAre(broker_.last_token()));
  EXPECT_THAT(bodies(broker_.pull(consumer)), ElementsAre("m"));
}

TEST_F(publishing, an_unknown_exchange_is_named) {
  const auto published = broker_.try_publish("none", "k", "m");
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().code, errc::not_found);
  EXPECT_EQ(published.error().field, "exchange");
}

TEST_F(publishing, sizes_over_their_limits_are_refused) {
  broker_.declare_queue("work");
  EXPECT_EQ(broker_.try_publish("", std::string(limits::routing_key_bytes + 1, 'k'), "m").error().field, "routing_key");
  EXPECT_EQ(broker_.try_publish("", "work", "m", std::string(limits::partition_key_bytes + 1, 'k')).error().field,
            "key");
  EXPECT_EQ(broker_.try_publish("", "work", std::string(limits::body_bytes + 1, 'b')).error().code, errc::too_large);
  EXPECT_EQ(broker_.publish("", "work", std::string(limits::body_bytes, 'b')), publish_outcome::stored);
}

TEST_F(publishing, a_large_message_for_many_targets_is_refused_and_stored_nowhere) {
  for (int i = 0; i < 10; ++i) {
    const std::string name = "q" + std::to_string(i);
    broker_.declare_queue(name);
    broker_.bind_queue("amq.fanout", name);
  }
  EXPECT_EQ(broker_.try_publish("amq.fanout", "", std::string(900'000, 'b')).error().code, errc::too_large);
  broker_.publish("amq.fanout", "", "small");
  broker_.commit();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(broker_.ready("q" + std::to_string(i)), 1u);
}

TEST_F(publishing, a_full_group_holds_publishers_back_until_the_writer_takes_it) {
  broker_.declare_queue("work");
  broker_.commit();
  const std::string body(100'000, 'b');
  while (broker_->accepts()) broker_.put("work", body);
  EXPECT_EQ(broker_.noted().resumptions, 0);
  broker_.flush();
  EXPECT_TRUE(broker_->accepts());
  EXPECT_EQ(broker_.noted().resumptions, 1);
  broker_.commit();
}

TEST_F(publishing, many_small_requests_hold_publishers_back_too) {
  broker_.declare_queue("work");
  broker_.put("work", "m");
  broker_.flush();  // with the writer now
  std::size_t asked = 0;
  for (; broker_->accepts(); ++asked) broker_.declare_queue("work");
  EXPECT_EQ(asked, limits::receipts_gathering);
  broker_.finish();
  EXPECT_TRUE(broker_->accepts());
  EXPECT_EQ(broker_.noted().resumptions, 1);
  EXPECT_EQ(broker_.noted().stored.size(), asked + 2);
}

}  // namespace
}  // namespace tidegate::core
