#include "client/tool/bench/report.hpp"

#include <gmock/gmock.h>

namespace tidegate::tool::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class reporting : public testing::Test {
 protected:
  reporting() { seen_->streams = {"queue"}; }

  void second(double seconds, std::uint64_t published, std::uint64_t confirmed) {
    sample taken;
    taken.seconds = seconds;
    at(taken.streams[0], tally::published) = published;
    at(taken.streams[0], tally::confirmed) = confirmed;
    seen_->totals = taken.streams;
    seen_->samples.push_back(taken);
  }
  boost::json::object rate(const char* name) {
    return to_json(asked_, *seen_).at("rates").at("queue").at(name).as_object();
  }

  bench_arguments asked_;
  std::unique_ptr<outcome> seen_ = std::make_unique<outcome>();
};

TEST_F(reporting, takes_rates_from_whole_seconds_and_the_mean_from_all) {
  second(1, 100, 100);
  second(2, 300, 300);
  second(3, 400, 400);
  second(4, 900, 900);
  second(4.2, 901, 901);
  const auto confirmed = rate("confirmed");
  EXPECT_EQ(confirmed.at("total"), 901);
  EXPECT_NEAR(confirmed.at("per_second").to_number<double>(), 801 / 3.2, 1);
  EXPECT_EQ(confirmed.at("median").to_number<double>(), 200);
  EXPECT_EQ(confirmed.at("worst").to_number<double>(), 100);
  EXPECT_NEAR(confirmed.at("mb_per_second").to_number<double>(), 801 / 3.2 * 100 / 1e6, 0.01);
}

TEST_F(reporting, knows_no_worst_second_of_a_shorter_run) {
  second(0, 0, 0);
  second(0.5, 100, 100);
  EXPECT_EQ(rate("confirmed").at("per_second").to_number<double>(), 200);
  EXPECT_TRUE(rate("confirmed").at("worst").is_null());
  EXPECT_THAT(to_text(asked_, *seen_), HasSubstr("confirmed"));
}

TEST_F(reporting, tells_of_a_run_that_never_began) {
  EXPECT_EQ(rate("published").at("total"), 0);
  EXPECT_THAT(objections(*seen_), IsEmpty());
}

TEST_F(reporting, tells_latency_in_milliseconds) {
  seen_->latencies[0][static_cast<std::size_t>(timing::round_trip)].add(2'500'000);
  const auto times = to_json(asked_, *seen_).at("latency_ms").at("queue").as_object();
  EXPECT_EQ(times.at("round_trip").at("max").to_number<double>(), 2.5);
  EXPECT_EQ(times.at("round_trip").at("count"), 1);
  EXPECT_FALSE(times.contains("fetch"));
  EXPECT_THAT(to_text(asked_, *seen_), HasSubstr("round trip"));
}

TEST_F(reporting, objects_to_what_was_refused_or_never_confirmed) {
  second(1, 10, 7);
  at(seen_->totals[0], tally::refused) = 2;
  EXPECT_THAT(objections(*seen_),
              ElementsAre("queue: 2 publishes were refused", HasSubstr("queue: 1 publishes without a confirm")));
}

TEST_F(reporting, objects_to_every_breach_and_to_losses_only_when_all_was_waited_for) {
  for (std::uint64_t findings::*breach : {&findings::lost, &findings::duplicates, &findings::out_of_order,
                                          &findings::damaged, &findings::foreign, &findings::untraceable}) {
    seen_->verified = findings{};
    (*seen_->verified).*breach = 1;
    EXPECT_THAT(objections(*seen_), ElementsAre(HasSubstr("verification failed")));
  }
  seen_->verified = findings{};
  seen_->verified->redelivered = 1;
  EXPECT_THAT(objections(*seen_), IsEmpty());
  seen_->verified->lost = 1;
  seen_->complete = false;
  EXPECT_THAT(objections(*seen_), IsEmpty());
  EXPECT_EQ(to_json(asked_, *seen_).at("verification").at("not_come_yet"), 1);
}

TEST_F(reporting, compares_with_the_raw_disk) {
  second(0, 0, 0);
  second(1, 500, 500);
  seen_->reference = {raw_rate{.bytes_at_a_time = 1'000, .syncs_per_second = 150},  // of 10 messages each
                      raw_rate{.bytes_at_a_time = 1'000, .syncs_per_second = 50}};
  const auto raw = to_json(asked_, *seen_).at("reference").as_object();
  EXPECT_EQ(raw.at("messages_per_second"), (boost::json::array{1'500.0, 500.0}));
  EXPECT_EQ(raw.at("confirmed_of_raw").to_number<double>(), 0.5);
}

TEST_F(reporting, says_what_kind_of_loop_latency_is_of) {
  EXPECT_THAT(to_text(asked_, *seen_), HasSubstr("closed loop"));
  asked_.rate = 10;
  at(seen_->totals[0], tally::unsent) = 3;
  EXPECT_THAT(to_text(asked_, *seen_), HasSubstr("open loop of 10 a second, from the time to leave; 3 were due"));
}

}  // namespace
}  // namespace tidegate::tool::bench
