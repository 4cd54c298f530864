#include "client/tool/bench/checker.hpp"

#include <gmock/gmock.h>

#include "client/tool/bench/body.hpp"

namespace tidegate::tool::bench {
namespace {

using testing::HasSubstr;

constexpr std::uint32_t run = 7;

class checking : public testing::Test {
 protected:
  std::string body(std::uint64_t sequence, std::uint32_t publisher = 0) {
    const stamp stamp{.run = run, .publisher = publisher, .target = 3, .sequence = sequence, .sent_ns = 11};
    return std::string(body_maker(100, true).make(stamp));
  }
  void take(std::initializer_list<std::uint64_t> sequences, std::size_t reader = 0) {
    for (const std::uint64_t sequence : sequences) checker_.take(body(sequence), false, reader);
  }
  const findings& conclude(std::uint64_t sent, std::uint64_t dropped = 0) {
    promises_[0].sent = sent;
    const promise* const both[] = {&promises_[0], &promises_[1]};
    checker_.conclude(both, dropped);
    return checker_.found();
  }

  checker checker_{{.name = "queue q", .run = run, .target = 3, .publishers = 2, .readers = 2, .ordered = true}};
  promise promises_[2];
};

TEST(stamp, comes_back_from_the_body) {
  const stamp sent{.run = run, .publisher = 1, .target = 2, .sequence = 1ull << 40, .sent_ns = 1ull << 60};
  for (const std::size_t size : {stamped_bytes_min, std::size_t{100}}) {
    body_maker maker(size, true);
    maker.make({});
    const std::string body(maker.make(sent));
    EXPECT_EQ(body.size(), size);
    EXPECT_EQ(read_stamp(body), sent);
    EXPECT_TRUE(is_whole(body));
  }
}

TEST(stamp, is_in_no_short_and_in_no_other_body) {
  EXPECT_EQ(body_maker(stamped_bytes_min - 1, true).make({}).size(), stamped_bytes_min - 1);
  EXPECT_FALSE(read_stamp(body_maker(stamped_bytes_min - 1, true).make({})));
  EXPECT_FALSE(read_stamp(std::string(100, 'x')));
  EXPECT_FALSE(read_stamp(""));
}

TEST_F(checking, is_content_with_all_in_order) {
  take({1, 2, 3});
  checker_.take(body(1, 1), false, 0);
  promises_[1].sent = 1;
  const findings& found = conclude(3);
  EXPECT_TRUE(found.is_clean()) << found.first;
  EXPECT_EQ(found.checked, 4u);
}

TEST_F(checking, finds_every_turned_bit) {
  const std::string whole = body(1);
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string turned = whole;
    turned[bit / 8] = static_cast<char>(turned[bit / 8] ^ (1 << bit % 8));
    checker checker({.name = "q", .run = run, .target = 3, .publishers = 2, .readers = 1, .ordered = true});
    checker.take(turned, false, 0);
    EXPECT_EQ(checker.found().damaged + checker.found().foreign, 1u) << bit;
  }
}

TEST_F(checking, finds_what_is_missing) {
  take({1, 2, 5});
  const findings& found = conclude(6);
  EXPECT_EQ(found.lost, 3u);
  EXPECT_THAT(found.first, HasSubstr("queue q: message 3 of publisher 0 was confirmed and never came"));
}

TEST_F(checking, excuses_what_was_refused_or_dropped) {
  take({1, 5});
  promises_[0].excused.insert(2);
  promises_[0].excused.insert(4);
  EXPECT_EQ(conclude(6, 1).lost, 1u);
}

TEST_F(checking, takes_what_was_refused_and_came_all_the_same) {
  take({1, 2});
  promises_[0].excused.insert(2);
  EXPECT_TRUE(conclude(2).is_clean());
}

TEST_F(checking, finds_a_second_delivery_unless_it_says_so) {
  take({1, 2});
  checker_.take(body(1), true, 1);
  EXPECT_EQ(checker_.found().redelivered, 1u);
  EXPECT_TRUE(checker_.found().is_clean());
  take({2});
  EXPECT_EQ(checker_.found().duplicates, 1u);
}

TEST_F(checking, finds_wrong_order_of_one_reader_and_allows_it_between_two) {
  take({2, 4}, 0);
  take({1, 3}, 1);
  EXPECT_TRUE(conclude(4).is_clean()) << checker_.found().first;
  take({6, 5}, 0);
  EXPECT_EQ(checker_.found().out_of_order, 1u);
  EXPECT_EQ(conclude(6).lost, 0u);
}

TEST_F(checking, knows_its_own) {
  for (const stamp& other : {stamp{.run = run + 1, .target = 3, .sequence = 1}, stamp{.run = run, .sequence = 1},
                             stamp{.run = run, .publisher = 2, .target = 3, .sequence = 1}}) {
    checker_.take(body_maker(100, true).make(other), false, 0);
  }
  checker_.take("hello", false, 0);
  EXPECT_EQ(checker_.found().foreign, 4u);
}

TEST_F(checking, says_when_it_lost_track) {
  for (std::uint64_t i = 0; i <= sequence_set::runs_max; ++i) take({2 * i + 1});
  EXPECT_EQ(conclude(2).untraceable, 1u);
  EXPECT_FALSE(checker_.found().is_clean());
}

TEST_F(checking, begins_again_without_forgetting_what_it_found) {
  take({1, 1});
  checker_.begin_again();
  take({1, 2});
  EXPECT_EQ(conclude(2).lost, 0u);
  EXPECT_EQ(checker_.found().duplicates, 1u);
}

TEST(sequence_set, counts_what_is_missing_whatever_the_order) {
  sequence_set set, excused;
  for (const std::uint64_t number : {5, 1, 3, 9, 4, 2}) EXPECT_TRUE(set.insert(number));
  for (const std::uint64_t number : {1, 2, 3, 4, 5, 9}) EXPECT_FALSE(set.insert(number));
  EXPECT_TRUE(set.contains(4));
  EXPECT_FALSE(set.contains(6));
  EXPECT_EQ(set.missing(12, excused).count, 6u);
  EXPECT_EQ(set.missing(12, excused).first, 6u);
  EXPECT_EQ(set.missing(5, excused).count, 0u);
  for (const std::uint64_t number : {2, 6, 7, 11, 12, 20}) excused.insert(number);
  EXPECT_EQ(set.missing(12, excused).count, 2u);
  EXPECT_EQ(set.missing(12, excused).first, 8u);
}

}  // namespace
}  // namespace tidegate::tool::bench
