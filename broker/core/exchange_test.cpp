// Exchanges through the whole of core: attributes, redeclaring, links between exchanges, and what is found again.
#include <gmock/gmock.h>

#include "broker/core/testing.hpp"
#include "broker/model/properties.hpp"

namespace tidegate::core {
namespace {

using api::publish_outcome;
using api::sameness;
using testing::ElementsAre;

class exchange : public testing::Test {
 protected:
  result<void> declare(const api::exchange_request& request, sameness sameness = sameness::lenient) {
    return broker_.defining().declare_exchange(request, broker_.next_receipt(), sameness);
  }
  result<void> bind(std::string_view from, target_kind kind, std::string_view to, std::string_view key = {},
                    std::string arguments = {}) {
    auto binding = stepping_broker::binding(from, kind, to, key);
    binding.arguments = std::move(arguments);
    return broker_.defining().bind(binding, broker_.next_receipt());
  }
  void unbind(std::string_view from, target_kind kind, std::string_view to, std::string_view key = {}) {
    broker_.defining().unbind(stepping_broker::binding(from, kind, to, key), broker_.next_receipt()).value();
  }
  bool exists(std::string_view name) { return broker_.inspecting().routes().find_definition(name) != nullptr; }

  stepping_broker broker_;
};

TEST_F(exchange, declared_again_leniently_only_what_is_set_has_to_be_the_same) {
  ASSERT_TRUE(declare({"x", exchange_type::topic, true, true, "rest"}));
  EXPECT_TRUE(declare({"x", exchange_type::topic}));
  EXPECT_TRUE(declare({"x", exchange_type::topic, true, true, "rest"}));
  EXPECT_EQ(declare({"x", exchange_type::headers}).error().field, "type");
  EXPECT_EQ(declare({"x", exchange_type::topic, false}).error().field, "auto_delete");
  EXPECT_EQ(declare({"x", exchange_type::topic, {}, false}).error().field, "internal");
  EXPECT_EQ(declare({"x", exchange_type::topic, {}, {}, "other"}).error().field, "alternate");
}

TEST_F(exchange, declared_again_exactly_all_has_to_be_the_same) {
  ASSERT_TRUE(declare({"x", exchange_type::topic, true, true, "rest"}));
  EXPECT_TRUE(declare({"x", exchange_type::topic, true, true, "rest"}, sameness::exact));
  const auto missing = declare({"x", exchange_type::topic, true, {}, "rest"}, sameness::exact);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, errc::precondition);
  EXPECT_EQ(missing.error().field, "internal");
  EXPECT_EQ(missing.error().received, "false");
  EXPECT_EQ(missing.error().current, "true");
  EXPECT_EQ(declare({"x", exchange_type::topic, true, true}, sameness::exact).error().field, "alternate");
  EXPECT_TRUE(declare({"amq.topic", exchange_type::topic}, sameness::exact));
}

TEST_F(exchange, names_and_arguments_have_bounds) {
  EXPECT_EQ(declare({"", exchange_type::direct}).error().code, errc::not_allowed);
  EXPECT_EQ(declare({"amq.mine", exchange_type::direct}).error().code, errc::not_allowed);
  EXPECT_EQ(declare({"x", exchange_type::direct, {}, {}, "a\nb"}).error().field, "alternate");
  EXPECT_TRUE(declare({"x", exchange_type::direct, {}, {}, ""})) << "the default exchange may be the alternate";
  EXPECT_EQ(
      declare({"y", exchange_type::direct, {}, {}, {}, std::string(limits::arguments_bytes + 1, 'a')}).error().code,
      errc::too_large);
  EXPECT_EQ(declare({"y", exchange_type::direct, {}, {}, {}, "\x05xx"}).error().field, "arguments");
}

TEST_F(exchange, an_internal_one_takes_messages_from_other_exchanges_only) {
  broker_.declare_queue("q");
  ASSERT_TRUE(declare({"inside", exchange_type::fanout, {}, true}));
  broker_.bind_queue("inside", "q");
  const auto refused = broker_.try_publish("inside", "k", "m");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::not_allowed);
  EXPECT_EQ(refused.error().field, "exchange");
  ASSERT_TRUE(bind("amq.fanout", target_kind::exchange, "inside"));
  EXPECT_EQ(broker_.publish("amq.fanout", "k", "m"), publish_outcome::stored);
  broker_.commit();
  EXPECT_EQ(broker_.ready("q"), 1u);
}

TEST_F(exchange, an_auto_delete_one_ends_with_its_last_binding) {
  broker_.declare_queue("q");
  ASSERT_TRUE(declare({"x", exchange_type::direct, true}));
  EXPECT_TRUE(exists("x")) << "it was never bound";
  broker_.bind_queue("x", "q", "a");
  broker_.bind_queue("x", "q", "b");
  unbind("x", target_kind::queue, "q", "a");
  EXPECT_TRUE(exists("x"));
  unbind("x", target_kind::queue, "q", "b");
  EXPECT_FALSE(exists("x"));
  ASSERT_TRUE(declare({"x", exchange_type::direct, true}));
  broker_.bind_queue("x", "q", "a");
  broker_.defining().remove_queue("q", broker_.next_receipt()).value();
  EXPECT_FALSE(exists("x")) << "deleting the queue removes the binding";
  broker_.commit();
  broker_.reopen_killed();
  EXPECT_FALSE(exists("x"));
}

TEST_F(exchange, a_chain_of_auto_delete_ones_ends_as_a_whole) {
  constexpr int links = 2'000;
  broker_.declare_queue("q");
  for (int i = 0; i < links; ++i) {
    ASSERT_TRUE(declare({"x" + std::to_string(i), exchange_type::fanout, true}));
    if (i == 0) continue;
    ASSERT_TRUE(bind("x" + std::to_string(i - 1), target_kind::exchange, "x" + std::to_string(i)));
  }
  ASSERT_TRUE(bind("x" + std::to_string(links - 1), target_kind::queue, "q"));
  EXPECT_EQ(broker_.publish("x0", "", "m"), publish_outcome::stored);
  unbind("x" + std::to_string(links - 1), target_kind::queue, "q");
  for (int i = 0; i < links; ++i) EXPECT_FALSE(exists("x" + std::to_string(i))) << i;
  EXPECT_TRUE(broker_.inspecting().routes().bindings().empty());
}

TEST_F(exchange, deleting_one_removes_bindings_to_it_and_if_unused_minds_those_from_it) {
  broker_.declare_queue("q");
  ASSERT_TRUE(declare({"x", exchange_type::fanout}));
  ASSERT_TRUE(bind("amq.fanout", target_kind::exchange, "x"));
  ASSERT_TRUE(bind("x", target_kind::exchange, "x"));
  const auto in_use = broker_.defining().remove_exchange("x", broker_.next_receipt(), true);
  ASSERT_FALSE(in_use);
  EXPECT_EQ(in_use.error().code, errc::precondition);
  unbind("x", target_kind::exchange, "x");
  EXPECT_TRUE(broker_.defining().remove_exchange("x", broker_.next_receipt(), true));
  EXPECT_FALSE(exists("x"));
  EXPECT_TRUE(broker_.inspecting().routes().bindings().empty());
  EXPECT_EQ(broker_.publish("amq.fanout", "k", "m"), publish_outcome::unroutable);
}

TEST_F(exchange, what_it_cannot_route_goes_to_its_alternate_after_a_restart_too) {
  broker_.declare_queue("rest");
  ASSERT_TRUE(declare({"x", exchange_type::direct, {}, {}, "unmatched"}));
  EXPECT_EQ(broker_.publish("x", "k", "early"), publish_outcome::unroutable) << "the alternate need not exist";
  ASSERT_TRUE(declare({"unmatched", exchange_type::fanout}));
  broker_.bind_queue("unmatched", "rest");
  ASSERT_TRUE(bind("amq.fanout", target_kind::exchange, "x"));
  broker_.commit();
  broker_.reopen_killed();
  EXPECT_EQ(broker_.publish("amq.fanout", "k", "m"), publish_outcome::stored);
  broker_.commit();
  EXPECT_EQ(broker_.ready("rest"), 1u);
  broker_.defining().remove_queue("rest", broker_.next_receipt()).value();
  EXPECT_EQ(broker_.publish("x", "k", "m"), publish_outcome::unroutable);
}

TEST_F(exchange, headers_of_a_message_choose_the_queues) {
  broker_.declare_queue("high");
  std::string high;
  append_text(high, "level", "high");
  ASSERT_TRUE(bind("amq.headers", target_kind::queue, "high", "", high));
  std::string wrong;
  append_text(wrong, "x-match", "most");
  EXPECT_EQ(bind("amq.headers", target_kind::queue, "high", "", wrong).error().field, "x-match");
  EXPECT_EQ(bind("amq.headers", target_kind::queue, "high", "", "\x05xx").error().field, "arguments");
  EXPECT_TRUE(bind("amq.direct", target_kind::queue, "high", "", wrong)) << "others do not read them";
  broker_.commit();
  broker_.reopen_killed();
  message_view message;
  message.exchange = "amq.headers";
  const auto publish = [&] { return broker_.publishing().publish(message, {broker_.next_receipt(), {}, 0}); };
  EXPECT_EQ(publish().value(), publish_outcome::unroutable);
  message.headers = {{"level", "high"}};
  EXPECT_EQ(publish().value(), publish_outcome::stored);
  message.headers.clear();
  properties typed;
  typed.headers = high;
  const std::string encoded = encode(typed);
  message.properties = encoded;
  EXPECT_EQ(publish().value(), publish_outcome::stored);
  broker_.commit();
  EXPECT_EQ(broker_.ready("high"), 2u);
}

TEST_F(exchange, properties_that_do_not_decode_are_refused) {
  broker_.declare_queue("q");
  message_view message;
  message.routing_key = "q";
  message.properties = "\x80";
  const auto refused = broker_.publishing().publish(message, {broker_.next_receipt(), {}, 0});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().field, "properties");
  const std::string longest(limits::properties_bytes + 1, 'p');
  message.properties = longest;
  EXPECT_EQ(broker_.publishing().publish(message, {broker_.next_receipt(), {}, 0}).error().code, errc::too_large);
}

}  // namespace
}  // namespace tidegate::core
