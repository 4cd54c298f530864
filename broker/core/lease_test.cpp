#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/core/testing.hpp"

namespace tidegate::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class leases : public testing::Test {
 protected:
  result<void> lease(session_id session, std::string_view owner = {}, bool take_over = false) {
    const auto leased = broker_.sessions().lease(session, {"bridge/readings", owner, "somebody", take_over});
    broker_->tell();
    return leased;
  }
  stepping_broker broker_;
  noting_session first_told_, second_told_;
  session_id first_ = broker_.sessions().attach(first_told_), second_ = broker_.sessions().attach(second_told_);
};

TEST_F(leases, one_session_holds_a_name_and_others_hear_who) {
  EXPECT_TRUE(lease(first_));
  EXPECT_TRUE(lease(first_));
  const auto refused = lease(second_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::precondition);
  EXPECT_EQ(refused.error().field, "lease");
  EXPECT_THAT(refused.error().text, HasSubstr("somebody"));
  EXPECT_TRUE(broker_.sessions().lease(second_, {"bridge/others", {}, {}, false}));
}

TEST_F(leases, it_ends_with_its_session) {
  EXPECT_TRUE(lease(first_));
  broker_.detach(first_);
  EXPECT_TRUE(lease(second_));
}

TEST_F(leases, it_is_taken_over_when_asked_and_the_holder_is_told) {
  EXPECT_TRUE(lease(first_));
  EXPECT_TRUE(lease(second_, {}, true));
  EXPECT_THAT(first_told_.leases_lost, ElementsAre("bridge/readings"));
  EXPECT_FALSE(lease(first_));
  broker_.detach(first_);  // no longer the holder
  EXPECT_FALSE(lease(broker_.session()));
  EXPECT_THAT(second_told_.leases_lost, IsEmpty());
}

// A program must be able to reconnect while its old connection is half open and still holds the lease.
TEST_F(leases, an_owner_takes_over_from_its_older_session) {
  EXPECT_TRUE(lease(first_, "drawn-a"));
  EXPECT_FALSE(lease(second_, "drawn-b"));
  EXPECT_TRUE(lease(second_, "drawn-a"));
  EXPECT_THAT(first_told_.leases_lost, ElementsAre("bridge/readings"));
}

TEST_F(leases, there_is_a_limit_on_one_connection) {
  for (std::size_t i = 0; i < limits::leases_per_connection; ++i) {
    ASSERT_TRUE(broker_.sessions().lease(first_, {std::to_string(i), {}, {}, false}));
  }
  EXPECT_EQ(broker_.sessions().lease(first_, {"one more", {}, {}, false}).error().code, errc::limit);
  EXPECT_FALSE(broker_.sessions().lease(first_, {"", {}, {}, false}));
}

}  // namespace
}  // namespace tidegate::core
