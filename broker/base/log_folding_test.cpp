#include "broker/base/log_folding.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace tidegate::log {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class folded : public testing::Test {
 protected:
  bool is_written(std::string_view text, level level = level::warning) {
    return folding_.admit(level, text, clock_.monotonic());
  }
  // Returns the counts that are due, each as "text times seconds".
  std::vector<std::string> counts() {
    std::vector<std::string> all;
    while (const auto found = folding_.take_due(clock_.monotonic())) all.push_back(show(*found));
    return all;
  }
  std::vector<std::string> rest() {
    std::vector<std::string> all;
    while (const auto found = folding_.take_rest(clock_.monotonic())) all.push_back(show(*found));
    return all;
  }
  static std::string show(const repeats& found) {
    return fmt::format("{} {} {}", found.text, found.times,
                       std::chrono::round<std::chrono::seconds>(found.within).count());
  }
  void pass(int seconds) { clock_.advance(std::chrono::seconds(seconds)); }

  manual_clock clock_;
  folding folding_;
};

TEST_F(folded, the_first_line_is_written_and_its_repeats_are_counted) {
  EXPECT_TRUE(is_written("no descriptors"));
  for (int i = 0; i < 99; ++i) EXPECT_FALSE(is_written("no descriptors"));
  pass(9);
  EXPECT_THAT(counts(), IsEmpty());
  pass(1);
  EXPECT_THAT(counts(), ElementsAre("no descriptors 99 10"));
  EXPECT_THAT(counts(), IsEmpty());
}

TEST_F(folded, what_goes_on_is_one_count_each_time) {
  EXPECT_TRUE(is_written("a"));
  for (int round = 0; round < 3; ++round) {
    for (int second = 0; second < 10; ++second, pass(1)) EXPECT_FALSE(is_written("a"));
    EXPECT_THAT(counts(), ElementsAre("a 10 10"));
  }
  pass(10);
  EXPECT_THAT(counts(), IsEmpty());
  EXPECT_TRUE(is_written("a"));  // after a pause it is a first line again
}

TEST_F(folded, lines_repeat_each_other_but_for_the_port_of_an_address) {
  EXPECT_TRUE(is_written("peer 10.0.0.1:5000: no frame; closing"));
  EXPECT_FALSE(is_written("peer 10.0.0.1:61234: no frame; closing"));
  EXPECT_FALSE(is_written("peer 10.0.0.1:7: no frame; closing"));
  EXPECT_TRUE(is_written("peer 10.0.0.2:5000: no frame; closing"));
  EXPECT_TRUE(is_written("peer 10.0.0.1:5000: no frame; closing", level::error));
  EXPECT_TRUE(is_written("peer fe80::1:5000: no frame"));
  EXPECT_TRUE(is_written("peer fe80::2:5000: no frame"));
  EXPECT_TRUE(is_written("records 5 to 7 are damaged"));
  EXPECT_TRUE(is_written("records 5 to 8 are damaged"));
  EXPECT_TRUE(is_written("at 5000"));
  EXPECT_TRUE(is_written("at 5001"));
  EXPECT_TRUE(is_written("at:"));
  EXPECT_TRUE(is_written("at:1"));
}

TEST_F(folded, a_bounded_number_of_lines_is_remembered_and_those_with_repeats_stay) {
  EXPECT_TRUE(is_written("flood"));
  EXPECT_FALSE(is_written("flood"));
  for (int i = 0; i < 1'000; ++i) EXPECT_TRUE(is_written("other " + std::to_string(i)));
  EXPECT_FALSE(is_written("flood"));
  EXPECT_TRUE(is_written("other 0"));  // forgotten in the meantime
  for (std::size_t i = 0; i < 2 * limits::log_lines_remembered; ++i) {
    const std::string line = "both " + std::to_string(i);
    EXPECT_TRUE(is_written(line));
    // If all places have repeats to report, a further line is written every time.
    EXPECT_EQ(is_written(line), i + 1 >= limits::log_lines_remembered) << i;
  }
  pass(10);
  EXPECT_EQ(counts().size(), limits::log_lines_remembered);
}

TEST_F(folded, the_end_reports_what_is_not_due_yet) {
  EXPECT_TRUE(is_written("a"));
  EXPECT_FALSE(is_written("a"));
  EXPECT_TRUE(is_written("b"));
  pass(3);
  EXPECT_THAT(rest(), ElementsAre("a 1 3"));
  EXPECT_THAT(rest(), IsEmpty());
}

}  // namespace
}  // namespace tidegate::log
