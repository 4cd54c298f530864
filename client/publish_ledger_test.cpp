#include "client/publish_ledger.hpp"

#include <gmock/gmock.h>

namespace tidegate::client {
namespace {

using testing::ElementsAre;

class publish_ledger_test : public testing::Test {
 protected:
  void open(int count) {
    for (int i = 0; i < count; ++i) ledger_.open();
  }

  std::vector<std::uint64_t> settle(std::uint64_t id, bool multiple = false) {
    std::vector<std::uint64_t> told;
    EXPECT_TRUE(ledger_.settle({.id = id, .multiple = multiple}, [&](const confirmation& c) { told.push_back(c.id); }));
    return told;
  }

  publish_ledger ledger_;
};

TEST_F(publish_ledger_test, counts_from_one) {
  EXPECT_TRUE(ledger_.settled());
  EXPECT_EQ(ledger_.open(), 1u);
  EXPECT_EQ(ledger_.open(), 2u);
  EXPECT_EQ(ledger_.span(), 2u);
}

TEST_F(publish_ledger_test, settles_all_up_to_a_cumulative_confirm) {
  open(5);
  EXPECT_THAT(settle(3, true), ElementsAre(1, 2, 3));
  EXPECT_EQ(ledger_.span(), 2u);
  EXPECT_THAT(settle(5, true), ElementsAre(4, 5));
  EXPECT_TRUE(ledger_.settled());
}

TEST_F(publish_ledger_test, tells_each_once_in_any_order) {
  open(4);
  EXPECT_THAT(settle(2), ElementsAre(2));
  EXPECT_THAT(settle(2), ElementsAre());
  EXPECT_EQ(ledger_.span(), 4u);
  EXPECT_THAT(settle(3, true), ElementsAre(1, 3));
  EXPECT_THAT(settle(1), ElementsAre());
  EXPECT_EQ(ledger_.span(), 1u);
}

TEST_F(publish_ledger_test, refuses_ids_that_were_never_sent) {
  open(1);
  EXPECT_FALSE(ledger_.settle({.id = 2}, {}));
  EXPECT_FALSE(ledger_.settle({.id = 0, .multiple = true}, {}));
  EXPECT_FALSE(ledger_.unroutable(2));
}

TEST_F(publish_ledger_test, remembers_what_came_back) {
  open(2);
  EXPECT_TRUE(ledger_.unroutable(2));
  std::vector<bool> came_back;
  ledger_.settle({.id = 2, .multiple = true}, [&](const confirmation& c) { came_back.push_back(c.unroutable); });
  EXPECT_THAT(came_back, ElementsAre(false, true));
}

TEST_F(publish_ledger_test, gives_a_withdrawn_id_again) {
  open(2);
  ledger_.withdraw();
  EXPECT_EQ(ledger_.open(), 2u);
}

}  // namespace
}  // namespace tidegate::client
