// Who among the consumers of a queue gets a message: turns, priorities, a single active or an exclusive consumer.
#include <gmock/gmock.h>

#include "broker/core/testing.hpp"

namespace tidegate::core {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class consumers : public testing::Test {
 protected:
  consumers() {
    broker_.declare_queue("q");
    broker_.commit();
  }
  result<consumer_id> consume(const api::consume_options& options) {
    return broker_.try_consume(broker_.session(), "q", options);
  }
  consumer_id with_priority(std::int32_t priority, std::uint32_t prefetch = 0) {
    return consume({prefetch, true, false, priority}).value();
  }
  // Publishes one message and returns which consumers are told of it.
  std::vector<consumer_id> told_of_one() {
    broker_.noted().told.clear();
    broker_.put("q", "m");
    broker_.commit();
    std::vector<consumer_id> told;
    for (const auto& [consumer, times] : broker_.noted().told) told.push_back(consumer);
    return told;
  }

  stepping_broker broker_;
};

// Messages that come one at a time go to each consumer in turn, and wake no other.
TEST_F(consumers, take_turns_for_messages_that_come_singly) {
  constexpr int count = 50;
  std::map<consumer_id, int> served;
  for (int i = 0; i < count; ++i) served[consume({0, true}).value()] = 0;
  for (int i = 0; i < 4 * count; ++i) {
    const auto told = told_of_one();
    ASSERT_THAT(told, SizeIs(1)) << i;
    ASSERT_THAT(broker_.pull_all(told.front()), SizeIs(1));
    ++served[told.front()];
  }
  for (const auto& [consumer, times] : served) EXPECT_EQ(times, 4);
}

TEST_F(consumers, one_that_was_told_and_ends_leaves_the_message_to_another) {
  const auto first = consume({}).value(), second = consume({}).value();
  const auto told = told_of_one();
  ASSERT_THAT(told, SizeIs(1));
  broker_.noted().told.clear();
  broker_.cancel(told.front());
  const auto other = told.front() == first ? second : first;
  EXPECT_EQ(broker_.noted().told[other], 1);
  EXPECT_THAT(broker_.pull_all(other), SizeIs(1));
}

TEST_F(consumers, one_without_credit_for_all_leaves_the_rest_to_others) {
  const auto first = consume({1}).value(), second = consume({0}).value();
  for (int i = 0; i < 10; ++i) broker_.put("q", "m");
  broker_.commit();
  EXPECT_THAT(broker_.pull_all(first), SizeIs(1));
  EXPECT_THAT(broker_.pull_all(second), SizeIs(9));
}

TEST_F(consumers, of_higher_priority_come_first_as_long_as_they_have_credit) {
  const auto low = consume({0, false, false, -1}).value();
  const auto high = consume({2, false, false, 5}).value(), equal = consume({1, false, false, 5}).value();
  for (const char* const body : {"1", "2", "3", "4", "5"}) broker_.put("q", body);
  broker_.commit();
  EXPECT_THAT(broker_.pull_all(low), IsEmpty());
  EXPECT_THAT(broker_.pull_all(high), SizeIs(2));
  EXPECT_THAT(broker_.pull_all(low), IsEmpty()) << "the other of priority 5 has credit";
  broker_.noted().told.clear();
  EXPECT_THAT(broker_.pull_all(equal), SizeIs(1));
  broker_->tell();
  EXPECT_EQ(broker_.noted().told[low], 1) << "nobody above it has credit";
  EXPECT_THAT(bodies(broker_.pull_all(low)), ElementsAre("4", "5"));
  broker_.put("q", "6");
  broker_.commit();
  broker_.ack(high, 0);
  EXPECT_THAT(broker_.pull_all(low), IsEmpty());
  EXPECT_THAT(bodies(broker_.pull_all(high)), ElementsAre("6"));
}

TEST_F(consumers, of_one_priority_take_turns) {
  const auto first = with_priority(1), second = with_priority(1), low = with_priority(0);
  std::map<consumer_id, int> served;
  for (int i = 0; i < 10; ++i) {
    for (const consumer_id told : told_of_one()) served[told] += static_cast<int>(broker_.pull_all(told).size());
  }
  EXPECT_EQ(served[first], 5);
  EXPECT_EQ(served[second], 5);
  EXPECT_EQ(served[low], 0);
}

TEST_F(consumers, a_single_active_one_gets_all_until_it_ends) {
  api::queue_request request{"one"};
  request.single_active = true;
  broker_.defining().declare_queue(request, broker_.next_receipt()).value();
  const auto first = broker_.consume("one", 2), second = broker_.consume("one");
  for (const char* const body : {"1", "2", "3", "4"}) broker_.put("one", body);
  broker_.commit();
  EXPECT_THAT(broker_.pull_all(second), IsEmpty());
  EXPECT_THAT(bodies(broker_.pull_all(first)), ElementsAre("1", "2"));
  EXPECT_THAT(broker_.pull_all(second), IsEmpty()) << "even when the active one has no credit";
  broker_.ack(first, 0);
  EXPECT_THAT(bodies(broker_.pull_all(first)), ElementsAre("3"));
  broker_.noted().told.clear();
  broker_.cancel(first);
  EXPECT_EQ(broker_.noted().told[second], 1);
  EXPECT_THAT(bodies(broker_.pull_all(second)), ElementsAre("2", "3", "4"));
}

TEST_F(consumers, an_exclusive_one_is_alone) {
  const auto first = consume({}).value();
  const auto refused = consume({0, false, true});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::not_allowed);
  EXPECT_EQ(refused.error().field, "exclusive");
  broker_.cancel(first);
  const auto alone = consume({0, false, true});
  ASSERT_TRUE(alone);
  EXPECT_EQ(consume({}).error().field, "exclusive");
  broker_.cancel(*alone);
  EXPECT_TRUE(consume({}));
}

}  // namespace
}  // namespace tidegate::core
