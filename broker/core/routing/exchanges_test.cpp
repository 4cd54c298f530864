#include "broker/core/routing/exchanges.hpp"

#include <gmock/gmock.h>

#include <optional>

#include "broker/base/limits.hpp"

namespace tidegate::core::routing {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

class routes : public testing::Test {
 protected:
  std::vector<std::string> queues_for(std::string_view exchange, std::string_view key) {
    std::vector<std::string> names;
    message_view message;
    message.exchange = exchange;
    message.routing_key = key;
    for (const queues::queue* const queue : exchanges_.find(message)->queues) {
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
  // Stand-ins for queues: routing never dereferences its targets.
  char places_[2];
  target a_{reinterpret_cast<queues::queue*>(&places_[0])}, b_{reinterpret_cast<queues::queue*>(&places_[1])};
  queues::queue* by_default_ = a_.queue;  // where the default exchange routes the key "a"
  exchanges exchanges_{[this](std::string_view key) { return key == "a" ? by_default_ : nullptr; }};
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
    ASSERT_EQ(queues_for("amq.topic", key).size(), i % 2 == 0 ? 1u : 0u);
  }
}

TEST_F(routes, an_exchange_that_was_never_bound_is_removed) {
  bind("amq.topic", a_, "#");
  exchanges_.add({"alarms", exchange_type::direct});
  exchanges_.remove("alarms");
  EXPECT_EQ(exchanges_.find_definition("alarms"), nullptr);
  EXPECT_THAT(queues_for("amq.topic", "k"), ElementsAre("a"));
}

// Links from exchange to exchange, and alternates.
class linked_exchanges : public routes {
 protected:
  void add(const char* name, exchange_type type, std::optional<std::string> alternate = {}) {
    exchange_definition exchange{name, type};
    exchange.alternate = std::move(alternate);
    exchanges_.add(std::move(exchange));
  }
  void link(std::string_view from, std::string_view to, std::string_view key = {}) {
    const binding_definition link{std::string(from), target_kind::exchange, std::string(to), std::string(key)};
    exchanges_.bind(link, {nullptr, nullptr, exchanges_.find_table(to)});
  }
};

TEST_F(linked_exchanges, pass_messages_on_and_end_in_a_circle) {
  add("first", exchange_type::topic);
  add("second", exchange_type::fanout);
  link("first", "second", "a.#");
  link("second", "first");
  link("second", "second");
  bind("second", a_, "");
  bind("first", b_, "*.b");
  EXPECT_THAT(queues_for("first", "a.b"), UnorderedElementsAre("a", "b"));
  EXPECT_THAT(queues_for("first", "z.b"), ElementsAre("b"));
  EXPECT_THAT(queues_for("second", "z.b"), UnorderedElementsAre("a", "b"));
}

TEST_F(linked_exchanges, a_change_behind_a_link_is_seen_in_front_of_it) {
  add("first", exchange_type::fanout);
  add("second", exchange_type::fanout);
  add("third", exchange_type::direct);
  link("first", "second");
  link("second", "third");
  EXPECT_THAT(queues_for("first", "k"), ElementsAre());
  bind("third", a_, "k");
  EXPECT_THAT(queues_for("first", "k"), ElementsAre("a"));
  exchanges_.unbind(binding("third", "a", "k"));
  EXPECT_THAT(queues_for("first", "k"), ElementsAre());
}

TEST_F(linked_exchanges, an_alternate_gets_what_no_binding_matches) {
  add("readings", exchange_type::direct, "rest");
  EXPECT_THAT(queues_for("readings", "k"), ElementsAre());
  add("rest", exchange_type::fanout, "readings");  // a circle
  EXPECT_THAT(queues_for("readings", "k"), ElementsAre());
  bind("rest", b_, "");
  EXPECT_THAT(queues_for("readings", "k"), ElementsAre("b"));
  bind("readings", a_, "k");
  EXPECT_THAT(queues_for("readings", "k"), ElementsAre("a"));
  EXPECT_THAT(queues_for("readings", "other"), ElementsAre("b"));
  exchanges_.remove("rest");
  EXPECT_THAT(queues_for("readings", "other"), ElementsAre());
}

TEST_F(linked_exchanges, a_binding_to_an_exchange_without_bindings_keeps_the_alternate_out) {
  add("rest", exchange_type::fanout);
  add("nowhere", exchange_type::direct);
  add("readings", exchange_type::fanout, "rest");
  bind("rest", b_, "");
  EXPECT_THAT(queues_for("readings", "k"), ElementsAre("b"));
  link("readings", "nowhere");
  EXPECT_THAT(queues_for("readings", "k"), ElementsAre());
}

TEST_F(linked_exchanges, the_default_exchange_may_be_the_alternate) {
  add("readings", exchange_type::direct, "");
  EXPECT_THAT(queues_for("readings", "a"), ElementsAre("a"));
  EXPECT_THAT(queues_for("readings", "other"), ElementsAre());
  by_default_ = {};
  EXPECT_THAT(queues_for("readings", "a"), ElementsAre());
}

TEST_F(routes, bindings_that_differ_in_arguments_are_two) {
  auto plain = binding("amq.direct", "a", "k"), other = plain;
  append_number(other.arguments, "version", 2);
  EXPECT_TRUE(exchanges_.bind(plain, a_));
  EXPECT_TRUE(exchanges_.bind(other, a_));
  exchanges_.unbind(plain);
  EXPECT_THAT(queues_for("amq.direct", "k"), ElementsAre("a"));
  exchanges_.unbind(other);
  EXPECT_THAT(queues_for("amq.direct", "k"), ElementsAre());
}

}  // namespace
}  // namespace tidegate::core::routing
