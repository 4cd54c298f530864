#include "broker/core/api/deliveries.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

namespace tidegate::core::api {
namespace {

using testing::ElementsAre;

class deliveries_test : public testing::Test {
 protected:
  deliveries_test() { first_.source = second_.source = &queue_; }
  std::uint64_t add(queues::consumer& consumer) { return out_.add(queue_, &consumer, {out_.last() + 1, 10, 0}); }
  std::vector<std::uint64_t> through(std::uint64_t number) {
    std::vector<std::uint64_t> numbers;
    out_.take_through(number, [&](const delivery& taken) { numbers.push_back(taken.number); });
    return numbers;
  }
  std::vector<std::uint64_t> take_of(const queues::consumer& consumer) {
    std::vector<std::uint64_t> numbers;
    out_.take_if([&](const delivery& one) { return one.consumer == &consumer; },
                 [&](const delivery& taken) { numbers.push_back(taken.number); });
    return numbers;
  }

  queues::queue queue_{queue_definition{"work"}};
  queues::consumer first_, second_;
  deliveries out_;
};

TEST_F(deliveries_test, are_found_by_number_once) {
  EXPECT_EQ(add(first_), 1u);
  EXPECT_EQ(out_.count(), 2u);  // settled already
  EXPECT_EQ(add(second_), 3u);
  EXPECT_FALSE(out_.take(2));
  const auto taken = out_.take(3);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->consumer, &second_);
  EXPECT_EQ(taken->from, &queue_);
  EXPECT_EQ(taken->message.offset, 3u);
  EXPECT_FALSE(out_.take(3));
  EXPECT_FALSE(out_.take(4));
  EXPECT_TRUE(out_.take(1));
  EXPECT_EQ(out_.places(), 0u);
}

TEST_F(deliveries_test, all_up_to_a_number_come_in_order) {
  for (int i = 0; i < 3; ++i) {
    add(first_);
    add(second_);
  }
  out_.take(3);
  EXPECT_THAT(through(4), ElementsAre(1, 2, 4));
  EXPECT_THAT(through(4), ElementsAre());
  EXPECT_THAT(take_of(second_), ElementsAre(6));
  EXPECT_THAT(through(100), ElementsAre(5));
  EXPECT_EQ(out_.places(), 0u);
}

TEST_F(deliveries_test, outlive_a_consumer) {
  add(first_);
  add(second_);
  out_.forget(first_);
  EXPECT_THAT(take_of(first_), ElementsAre());
  const auto taken = out_.take(1);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->consumer, nullptr);
  EXPECT_EQ(out_.take(2)->consumer, &second_);
}

TEST_F(deliveries_test, one_that_stays_keeps_no_memory_for_the_others) {
  add(first_);
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_TRUE(out_.take(add(first_)));
    ASSERT_LE(out_.places(), 130u);
  }
  EXPECT_TRUE(out_.take(1));
}

// Compares random calls with a map.
TEST_F(deliveries_test, a_random_life) {
  std::mt19937 random(1);
  std::map<std::uint64_t, queues::consumer*> told;
  for (int step = 0; step < 100'000; ++step) {
    const std::uint64_t next = out_.last() + 1;
    const std::uint64_t number = next <= 40 ? random() % 40 : next - random() % 40;
    switch (random() % 64) {
      case 0: {
        std::vector<std::uint64_t> expected;
        for (auto one = told.begin(); one != told.end() && one->first <= number; one = told.erase(one)) {
          expected.push_back(one->first);
        }
        ASSERT_EQ(through(number), expected);
        break;
      }
      case 1: {
        queues::consumer* const gone = random() % 2 == 0 ? &first_ : &second_;
        std::vector<std::uint64_t> expected;
        for (const auto& [one, consumer] : told) {
          if (consumer == gone) expected.push_back(one);
        }
        ASSERT_EQ(take_of(*gone), expected);
        std::erase_if(told, [&](const auto& one) { return one.second == gone; });
        break;
      }
      case 2: out_.count(); break;
      default: {
        if (random() % 2 == 0) {
          queues::consumer* const consumer = random() % 2 == 0 ? &first_ : &second_;
          told.emplace(add(*consumer), consumer);
        } else {
          const auto taken = out_.take(number);
          ASSERT_EQ(taken.has_value(), told.contains(number));
          if (taken) {
            ASSERT_EQ(taken->consumer, told.at(number));
          }
          told.erase(number);
        }
      }
    }
    ASSERT_LE(out_.places(), 2 * told.size() + 66);
  }
}

}  // namespace
}  // namespace tidegate::core::api
