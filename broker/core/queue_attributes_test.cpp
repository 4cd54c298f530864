// Queues through the whole of core: redeclaring, names, exclusive and auto-delete queues, deleting, purging, getting.
#include <gmock/gmock.h>

#include "broker/core/testing.hpp"

namespace tidegate::core {
namespace {

using api::queue_request;
using api::sameness;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class queue_attributes : public testing::Test {
 protected:
  result<const queues::queue*> declare(const queue_request& request, session_id session = {},
                                       sameness sameness = sameness::lenient) {
    const session_id asking = session == session_id{} ? broker_.session() : session;
    return broker_.defining().declare_queue(request, {asking, ++token_}, sameness);
  }
  static queue_request exclusive(std::string name) {
    queue_request request{std::move(name)};
    request.exclusive = true;
    return request;
  }
  const queues::queue* find(std::string_view name) { return broker_.inspecting().find_queue(name); }
  struct got {
    std::string body;
    std::uint64_t number = 0, left = 0;
    bool redelivered = false;
  };
  std::optional<got> get(std::string_view queue, bool auto_ack = false) {
    got one;
    const auto left = broker_.consuming().get(broker_.session(), queue, auto_ack, [&](const delivery_view& delivery) {
      one = {std::string(delivery.message.body), delivery.number, 0, delivery.redelivered};
      return false;
    });
    if (!*left) return std::nullopt;
    one.left = **left;
    return one;
  }
  bool settle(std::uint64_t number, api::outcome outcome) {
    return broker_.consuming().settle(broker_.session(), number, outcome);
  }

  stepping_broker broker_;
  noting_session other_events_;
  session_id other_ = broker_.sessions().attach(other_events_);
  std::uint64_t token_ = 1'000'000;
};

// ------------------------------------------------------------------------------------------------ declaring

TEST_F(queue_attributes, declared_again_exactly_all_has_to_be_the_same) {
  queue_request request{"q", durability::every(milliseconds(50)), 10, 1'000, overflow::reject};
  request.auto_delete = true;
  request.single_active = true;
  ASSERT_TRUE(declare(request));
  EXPECT_TRUE(declare(request, {}, sameness::exact));
  EXPECT_TRUE(declare({"q"}));
  const auto field = [&](auto change) {
    queue_request changed = request;
    change(changed);
    const auto declared = declare(changed, {}, sameness::exact);
    return declared ? std::string("none") : declared.error().field;
  };
  EXPECT_EQ(field([](auto& one) { one.durability = {}; }), "durability");
  EXPECT_EQ(field([](auto& one) { one.messages_max = 0; }), "messages_max");
  EXPECT_EQ(field([](auto& one) { one.bytes_max = 0; }), "bytes_max");
  EXPECT_EQ(field([](auto& one) { one.overflow = {}; }), "overflow");
  EXPECT_EQ(field([](auto& one) { one.auto_delete = {}; }), "auto_delete");
  EXPECT_EQ(field([](auto& one) { one.single_active = {}; }), "single_active");
  EXPECT_EQ(field([](auto& one) { one.exclusive = true; }), "exclusive");
  request.auto_delete = false;
  const auto refused = declare(request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::precondition);
  EXPECT_EQ(refused.error().received, "false");
  EXPECT_EQ(refused.error().current, "true");
}

TEST_F(queue_attributes, survive_a_restart) {
  queue_request request{"q"};
  request.auto_delete = true;
  request.single_active = true;
  request.arguments = "\x01kV";
  ASSERT_TRUE(declare(request));
  broker_.commit();
  broker_.reopen_killed();
  ASSERT_NE(find("q"), nullptr);
  EXPECT_TRUE(find("q")->definition().auto_delete);
  EXPECT_TRUE(find("q")->definition().single_active);
  EXPECT_EQ(find("q")->definition().arguments, "\x01kV");
}

TEST_F(queue_attributes, a_queue_without_a_name_gets_one_that_no_other_has) {
  const auto first = declare({""}), second = declare({""});
  ASSERT_TRUE(first && second);
  EXPECT_TRUE((*first)->name().starts_with("amq.gen-"));
  EXPECT_NE((*first)->name(), (*second)->name());
  EXPECT_TRUE(declare({(*first)->name()})) << "its name may be declared again";
  EXPECT_EQ(declare({"amq.mine"}).error().code, errc::not_allowed);
}

// ------------------------------------------------------------------------------------------------ exclusive

TEST_F(queue_attributes, an_exclusive_queue_belongs_to_its_session) {
  ASSERT_TRUE(declare(exclusive("mine")));
  EXPECT_TRUE(declare(exclusive("mine")));
  EXPECT_EQ(declare({"mine"}, other_).error().code, errc::locked);
  EXPECT_EQ(broker_.consuming().consume(other_, "mine", {}).error().code, errc::locked);
  EXPECT_EQ(broker_.consuming().purge("mine", {other_, 1}).error().code, errc::locked);
  const auto none = [](const delivery_view&) { return true; };
  EXPECT_EQ(broker_.consuming().get(other_, "mine", true, none).error().code, errc::locked);
  EXPECT_EQ(broker_.defining().remove_queue("mine", {other_, 1}).error().code, errc::locked);
  const auto binding = stepping_broker::binding("amq.topic", target_kind::queue, "mine", "k");
  EXPECT_EQ(broker_.defining().bind(binding, {other_, 1}).error().code, errc::locked);
  ASSERT_TRUE(broker_.defining().bind(binding, broker_.next_receipt()));
  EXPECT_EQ(broker_.defining().unbind(binding, {other_, 1}).error().code, errc::locked);
  EXPECT_EQ(broker_.publish("amq.topic", "k", "m"), api::publish_outcome::in_memory) << "anybody may publish to it";
  broker_.commit();
  EXPECT_EQ(get("mine")->body, "m");
}

TEST_F(queue_attributes, an_exclusive_queue_writes_nothing_and_ends_with_its_session) {
  broker_.declare_queue("kept");
  broker_.commit();
  const auto written = broker_->commits().figures().bytes_written;
  ASSERT_TRUE(declare(exclusive("theirs"), other_));
  broker_->flush();
  EXPECT_THAT(other_events_.stored, SizeIs(1));
  ASSERT_TRUE(
      broker_.defining().bind(stepping_broker::binding("amq.fanout", target_kind::queue, "theirs", ""), {other_, 1}));
  for (int i = 0; i < 100; ++i) broker_.publish("amq.fanout", "", "m");
  broker_.commit();
  EXPECT_EQ(broker_.ready("theirs"), 100u);
  const auto consumer = broker_.consume_as(other_, "theirs");
  EXPECT_THAT(broker_.pull_all(consumer), SizeIs(100));
  broker_.detach(other_);
  broker_.commit();
  EXPECT_EQ(find("theirs"), nullptr);
  EXPECT_TRUE(broker_.inspecting().routes().bindings().empty());
  EXPECT_EQ(broker_.publish("amq.fanout", "", "m"), api::publish_outcome::unroutable);
  EXPECT_EQ(broker_.inspecting().status().store.memory_bytes_used, 0u);
  EXPECT_EQ(broker_->commits().figures().bytes_written, written);
}

TEST_F(queue_attributes, a_killed_broker_has_no_exclusive_queue) {
  ASSERT_TRUE(declare(exclusive("mine")));
  broker_.bind_queue("amq.fanout", "mine");
  broker_.declare_queue("kept");
  broker_.publish("amq.fanout", "", "m");
  broker_.commit();
  broker_.reopen_killed();
  EXPECT_EQ(find("mine"), nullptr);
  EXPECT_NE(find("kept"), nullptr);
  EXPECT_TRUE(broker_.inspecting().routes().bindings().empty());
  broker_.reopen_closed();
  EXPECT_NE(find("kept"), nullptr);
}

TEST_F(queue_attributes, an_exclusive_queue_and_one_on_flash_are_one_publish) {
  broker_.declare_queue("kept");
  ASSERT_TRUE(declare(exclusive("mine")));
  broker_.bind_queue("amq.fanout", "mine");
  broker_.bind_queue("amq.fanout", "kept");
  broker_.commit();
  EXPECT_EQ(broker_.publish("amq.fanout", "", "m"), api::publish_outcome::stored);
  EXPECT_EQ(broker_.ready("mine"), 0u) << "not before the commit";
  broker_.commit();
  EXPECT_EQ(broker_.ready("mine"), 1u);
  EXPECT_EQ(broker_.ready("kept"), 1u);
}

// ------------------------------------------------------------------------------------------------ auto-delete

TEST_F(queue_attributes, an_auto_delete_queue_ends_with_its_last_consumer) {
  queue_request request{"q"};
  request.auto_delete = true;
  ASSERT_TRUE(declare(request));
  broker_.put("q", "m");
  broker_.commit();
  get("q");
  EXPECT_NE(find("q"), nullptr) << "it was never consumed";
  const auto first = broker_.consume("q"), second = broker_.consume_as(other_, "q");
  broker_.cancel(first);
  EXPECT_NE(find("q"), nullptr);
  EXPECT_THAT(other_events_.ended, IsEmpty());
  broker_.detach(other_);
  EXPECT_EQ(find("q"), nullptr);
  broker_.cancel(second);
  broker_.commit();
  broker_.reopen_killed();
  EXPECT_EQ(find("q"), nullptr);
}

// ------------------------------------------------------------------------------------------------ deleting

TEST_F(queue_attributes, deleting_a_queue_ends_its_consumers_and_forgets_its_deliveries) {
  broker_.declare_queue("q");
  for (const char* const body : {"1", "2", "3"}) broker_.put("q", body);
  broker_.commit();
  const auto mine = broker_.consume("q", 1), theirs = broker_.consume_as(other_, "q", 1);
  EXPECT_THAT(broker_.pull(mine), SizeIs(1));
  EXPECT_THAT(broker_.pull(theirs), SizeIs(1));
  const auto removed = broker_.defining().remove_queue("q", broker_.next_receipt());
  EXPECT_EQ(removed.value(), 1u) << "one message was ready";
  broker_->tell();
  EXPECT_THAT(broker_.noted().ended, ElementsAre(mine));
  EXPECT_THAT(other_events_.ended, ElementsAre(theirs));
  EXPECT_FALSE(broker_.ack(mine, 0));
  EXPECT_THAT(broker_.pull(mine), IsEmpty());
  broker_.declare_queue("q");
  broker_.commit();
  EXPECT_EQ(broker_.ready("q"), 0u);
  broker_.detach(other_);
}

TEST_F(queue_attributes, conditions_of_deleting) {
  broker_.declare_queue("q");
  broker_.put("q", "m");
  broker_.commit();
  const auto remove = [&](bool unused, bool empty) {
    return broker_.defining().remove_queue("q", broker_.next_receipt(), {unused, empty});
  };
  EXPECT_EQ(remove(false, true).error().field, "if_empty");
  const auto consumer = broker_.consume("q");
  EXPECT_EQ(remove(true, false).error().field, "if_unused");
  EXPECT_EQ(remove(true, false).error().code, errc::precondition);
  EXPECT_THAT(broker_.pull(consumer), SizeIs(1));
  EXPECT_EQ(remove(true, true).error().field, "if_unused");
  broker_.ack(consumer, 0);
  broker_.cancel(consumer);
  EXPECT_TRUE(remove(true, true));
  EXPECT_EQ(remove(true, true).value(), 0u) << "what is missing is fine";
}

// ------------------------------------------------------------------------------------------------ purging

TEST_F(queue_attributes, purging_leaves_what_is_delivered) {
  broker_.declare_queue("q");
  for (const char* const body : {"1", "2", "3", "4", "5"}) broker_.put("q", body);
  broker_.commit();
  const auto consumer = broker_.consume("q", 2);
  EXPECT_THAT(broker_.pull(consumer), SizeIs(2));
  broker_.requeue(consumer, 1);
  const std::uint64_t token = broker_.last_token() + 1;
  EXPECT_EQ(broker_.consuming().purge("q", broker_.next_receipt()).value(), 4u);
  EXPECT_EQ(broker_.ready("q"), 0u);
  EXPECT_EQ(find("q")->figures().ready_bytes, 0u);
  broker_.commit();
  EXPECT_THAT(broker_.noted().stored, testing::Contains(token));
  broker_.put("q", "6");
  broker_.commit();
  EXPECT_THAT(bodies(broker_.pull_all(consumer)), ElementsAre("6"));
  broker_.reopen_killed();
  EXPECT_THAT(bodies(broker_.pull_all(broker_.consume("q"))), ElementsAre("1", "6"));
}

TEST_F(queue_attributes, purging_leaves_what_is_on_its_way) {
  broker_.declare_queue("q");
  broker_.put("q", "1");
  broker_.commit();
  broker_.put("q", "2");
  EXPECT_EQ(broker_.consuming().purge("q", broker_.next_receipt()).value(), 1u);
  broker_.commit();
  EXPECT_THAT(bodies(broker_.pull_all(broker_.consume("q"))), ElementsAre("2"));
  EXPECT_EQ(broker_.consuming().purge("none", broker_.next_receipt()).error().code, errc::not_found);
}

TEST_F(queue_attributes, what_was_settled_before_a_start_is_not_purged_again) {
  broker_.declare_queue("q");
  for (const char* const body : {"1", "22", "3"}) broker_.put("q", body);
  broker_.commit();
  const auto consumer = broker_.consume("q");
  broker_.pull_all(consumer);
  broker_.ack(consumer, 1);
  broker_.commit();
  broker_.reopen_killed();
  EXPECT_EQ(broker_.consuming().purge("q", broker_.next_receipt()).value(), 2u);
  EXPECT_EQ(find("q")->figures().ready_bytes, 0u);
  broker_.commit();
  broker_.reopen_killed();
  EXPECT_EQ(broker_.ready("q"), 0u);
}

// ------------------------------------------------------------------------------------------------ getting

TEST_F(queue_attributes, getting_takes_one_message_without_a_consumer) {
  broker_.declare_queue("q");
  EXPECT_FALSE(get("q"));
  for (const char* const body : {"1", "2", "3"}) broker_.put("q", body);
  broker_.commit();
  const auto first = get("q");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->body, "1");
  EXPECT_EQ(first->left, 2u);
  EXPECT_EQ(find("q")->figures().unsettled, 1u);
  EXPECT_EQ(get("q", true)->body, "2");
  EXPECT_TRUE(settle(first->number, api::outcome::requeue));
  const auto again = get("q");
  EXPECT_EQ(again->body, "1");
  EXPECT_TRUE(again->redelivered);
  EXPECT_TRUE(settle(again->number, api::outcome::ack));
  EXPECT_FALSE(settle(again->number, api::outcome::ack));
  broker_.commit();
  broker_.reopen_killed();
  EXPECT_THAT(bodies(broker_.pull_all(broker_.consume("q"))), ElementsAre("3"));
}

TEST_F(queue_attributes, what_a_session_got_returns_when_it_ends) {
  broker_.declare_queue("q");
  broker_.put("q", "m");
  broker_.commit();
  const auto taken = broker_.consuming().get(other_, "q", false, [](const delivery_view&) { return false; });
  EXPECT_EQ(*taken.value(), 0u);
  EXPECT_EQ(broker_.ready("q"), 0u);
  broker_.detach(other_);
  EXPECT_EQ(broker_.ready("q"), 1u);
  EXPECT_TRUE(get("q")->redelivered);
  EXPECT_EQ(broker_.consuming().get(broker_.session(), "none", true, {}).error().code, errc::not_found);
}

}  // namespace
}  // namespace tidegate::core
