#include "broker/core/routing/exchanges.hpp"

#include <gmock/gmock.h>

#include <array>
#include <map>
#include <random>
#include <set>

#include "broker/base/limits.hpp"

namespace tidegate::core::routing {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

class routes : public testing::Test {
 protected:
  std::vector<std::string> queues_for(std::string_view exchange, std::string_view key) {
    std::vector<std::string> names;
    for (const queues::queue* const queue : exchanges_.find(exchange, key)->queues) {
      names.emplace_back(queue == a_.queue ? "a" : "b");
    }
    return names;
  }
  static binding_definition binding(std::string_view exchange, std::string_view queue, std::string_view key) {
    return {std::string(exchange), target_kind::queue, std::string(queue), std::string(key)};
  }
  void bind(std::string_view exchange, const target& queue, std::string_view key) {
    exchanges_.bind(binding(exchange, queue == a_ ? "a" : "b", key), queue);
  }
  exchanges exchanges_;
  // Stand-ins for queues: routing never dereferences its targets.
  char places_[2];
  target a_{reinterpret_cast<queues::queue*>(&places_[0])}, b_{reinterpret_cast<queues::queue*>(&places_[1])};
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
  exchanges_.unbind(binding("amq.topic", "a", "k"));
  EXPECT_THAT(queues_for("amq.topic", "k"), ElementsAre("b"));
}

TEST_F(routes, repeating_a_binding_and_removing_a_missing_one_change_nothing) {
  const auto bound = binding("amq.direct", "a", "k");
  EXPECT_TRUE(exchanges_.bind(bound, a_));
  EXPECT_FALSE(exchanges_.bind(bound, a_));
  EXPECT_TRUE(exchanges_.unbind(bound));
  EXPECT_FALSE(exchanges_.unbind(bound));
  EXPECT_THAT(queues_for("amq.direct", "k"), ElementsAre());
}

TEST_F(routes, more_keys_than_are_cached_are_routed_all_the_same) {
  bind("amq.topic", a_, "even.#");
  for (std::size_t i = 0; i < limits::cached_route_targets + 1'000; ++i) {
    const std::string key = (i % 2 == 0 ? "even." : "odd.") + std::to_string(i);
    ASSERT_EQ(exchanges_.find("amq.topic", key)->queues.size(), i % 2 == 0 ? 1u : 0u);
  }
}

TEST_F(routes, an_exchange_that_was_never_bound_is_removed) {
  bind("amq.topic", a_, "#");
  exchanges_.add({"alarms", exchange_type::direct});
  exchanges_.remove("alarms");
  EXPECT_EQ(exchanges_.find_definition("alarms"), nullptr);
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
  binding_definition draw_binding() { return binding(draw_name(), draw(2) == 0 ? "a" : "b", keys[draw(keys.size())]); }

  void step() {
    switch (draw(4)) {
      case 0: return add();
      case 1: return bind_one();
      case 2: {
        const auto binding = draw_binding();
        EXPECT_EQ(exchanges_.unbind(binding), model_.bindings.erase(binding) == 1);
        return;
      }
      default: return remove();
    }
  }
  void add() {
    const std::string name = draw_name();
    const auto type = static_cast<exchange_type>(draw(3));
    if (exchanges_.find_definition(name) != nullptr) return;
    exchanges_.add({name, type});
    model_.exchanges[name] = type;
  }
  void bind_one() {
    const auto binding = draw_binding();
    if (exchanges_.find_definition(binding.exchange) == nullptr) return;
    EXPECT_EQ(exchanges_.bind(binding, binding.target == "a" ? a_ : b_), model_.bindings.insert(binding).second);
  }
  void remove() {
    const std::string name = draw_name();
    if (exchanges_.find_definition(name) == nullptr || exchanges::is_built_in(name)) return;
    exchanges_.remove(name);
    model_.exchanges.erase(name);
    std::erase_if(model_.bindings, [&](const auto& binding) { return binding.exchange == name; });
  }

  std::set<std::string> expected(const std::string& exchange, const std::string& key) const {
    std::set<std::string> targets;
    for (const auto& binding : model_.bindings) {
      if (binding.exchange != exchange) continue;
      const auto type = model_.exchanges.at(exchange);
      const bool is_match =
          type == exchange_type::fanout ||
          (type == exchange_type::direct ? binding.routing_key == key : routing::matches(binding.routing_key, key));
      if (is_match) targets.insert(binding.target);
    }
    return targets;
  }
  void compare() {
    ASSERT_EQ(exchanges_.definitions().size(), model_.exchanges.size());
    ASSERT_EQ(exchanges_.bindings(), model_.bindings);
    for (const auto& [exchange, type] : model_.exchanges) {
      for (const char* const key : keys) {
        const auto found = queues_for(exchange, key);
        ASSERT_EQ(std::set<std::string>(found.begin(), found.end()), expected(exchange, key)) << exchange << ' ' << key;
      }
    }
  }

  // Names that sort before, between and after those of the built-in exchanges.
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

}  // namespace
}  // namespace tidegate::core::routing
