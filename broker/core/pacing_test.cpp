// Tests of the broker with its pace: when work asks for a call, and when a group goes to the writer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/core/testing.hpp"

namespace tidegate::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t mib = 1 << 20;

durability every(std::int64_t ms) { return durability::every(milliseconds(ms)); }

class hand_meter final : public flash_meter {
 public:
  std::optional<std::uint64_t> bytes_written() const override { return bytes; }
  std::uint64_t bytes = 0;
};

class pacing : public testing::Test {
 protected:
  explicit pacing(commits::pace_options options = {}) : broker_(with(options)) {
    broker_.declare_queue("work");
    broker_.commit();
    listen();
  }
  static stepping_options with(const commits::pace_options& commit) {
    stepping_options options;
    options.core.commit = commit;
    return options;
  }
  void listen() {
    broker_->on_work([this](milliseconds wait) { asked_.push_back(wait.count()); });
  }
  void declare(std::string_view queue, durability durability) {
    broker_.defining().declare_queue({std::string(queue), durability}, broker_.next_receipt()).value();
    broker_.commit();
    asked_.clear();
  }
  void pass(std::int64_t ms) { broker_.clock.advance(milliseconds(ms)); }
  // Runs the timer's call. Returns whether a group is with the writer.
  bool flush() {
    broker_->flush();
    return broker_.storage().is_busy();
  }
  std::vector<std::int64_t> asked() { return std::exchange(asked_, {}); }
  std::size_t stored() { return broker_.noted().stored.size(); }

  stepping_broker broker_;
  std::vector<std::int64_t> asked_;
};

TEST_F(pacing, a_publish_goes_when_the_turn_is_over) {
  broker_.put("work", "m");
  broker_.put("work", "m");
  EXPECT_THAT(asked(), ElementsAre(0));
  EXPECT_TRUE(flush());
}

TEST_F(pacing, what_comes_while_the_writer_is_busy_goes_with_its_result) {
  broker_.put("work", "m");
  flush();
  asked();
  broker_.put("work", "m");
  EXPECT_THAT(asked(), IsEmpty());
  EXPECT_TRUE(flush());
  broker_.finish();
  EXPECT_TRUE(broker_.storage().is_busy());
}

TEST_F(pacing, an_acknowledgement_waits_for_company_and_no_longer) {
  const consumer_id consumer = broker_.consume("work");
  broker_.put("work", "m");
  broker_.commit();
  asked();
  broker_.pull(consumer);
  broker_.ack(consumer, 0);
  EXPECT_THAT(asked(), ElementsAre(50));
  pass(49);
  EXPECT_FALSE(flush());
  EXPECT_THAT(asked(), ElementsAre(1));
  pass(1);
  EXPECT_TRUE(flush());
}

TEST_F(pacing, an_acknowledgement_rides_on_a_publish) {
  const consumer_id consumer = broker_.consume("work");
  broker_.put("work", "m");
  broker_.commit();
  broker_.pull(consumer);
  broker_.ack(consumer, 0);
  asked();
  broker_.put("work", "n");
  EXPECT_THAT(asked(), ElementsAre(0));
  EXPECT_TRUE(flush());
}

TEST_F(pacing, an_interval_forces_no_commit_before_its_time_and_confirms_after_it) {
  declare("lazy", every(500));
  const std::size_t before = stored();
  broker_.put("lazy", "m");
  pass(300);
  broker_.put("lazy", "n");
  EXPECT_THAT(asked(), ElementsAre(500));
  EXPECT_FALSE(flush());
  EXPECT_EQ(stored(), before);
  EXPECT_THAT(asked(), ElementsAre(200));
  pass(200);
  EXPECT_TRUE(flush());
  EXPECT_EQ(stored(), before);
  broker_.finish();
  EXPECT_EQ(stored(), before + 2);
}

TEST_F(pacing, an_interval_rides_on_any_commit) {
  declare("lazy", every(500));
  broker_.put("lazy", "m");
  broker_.put("work", "n");
  EXPECT_THAT(asked(), ElementsAre(500, 0));
  EXPECT_TRUE(flush());
  broker_.finish();
  EXPECT_FALSE(flush());
  EXPECT_EQ(broker_.ready("lazy"), 1u);
}

TEST_F(pacing, the_strictest_target_counts) {
  declare("lazy", every(500));
  broker_.defining()
      .declare_topic({"log", 1, 0, {}, 0, overflow::drop_oldest, {}, every(200)}, broker_.next_receipt())
      .value();
  broker_.bind_queue("amq.fanout", "lazy");
  broker_.bind_topic("amq.fanout", "log");
  broker_.commit();
  asked();
  broker_.publish("amq.fanout", "", "m");
  EXPECT_THAT(asked(), ElementsAre(200));
  broker_.bind_queue("amq.fanout", "work");
  broker_.commit();
  asked();
  broker_.publish("amq.fanout", "", "m");
  EXPECT_THAT(asked(), ElementsAre(0));
}

TEST_F(pacing, a_produced_batch_goes_by_its_topic) {
  broker_.defining()
      .declare_topic({"log", 1, 0, {}, 0, overflow::drop_oldest, {}, every(200)}, broker_.next_receipt())
      .value();
  broker_.commit();
  asked();
  batch_builder builder;
  builder.add(record_view{0, 1, {}, "m", {}});
  broker_.publishing().produce("log", 0, builder.finish(), broker_.next_receipt()).value();
  EXPECT_THAT(asked(), ElementsAre(200));
}

TEST_F(pacing, a_duplicate_of_what_is_on_flash_forces_no_commit) {
  broker_.publish_as({"p", 1}, 1, "work", "m").value();
  broker_.commit();
  const auto commits = broker_->commits().figures().commits;
  asked();
  EXPECT_EQ(broker_.publish_as({"p", 1}, 1, "work", "m").value(), api::publish_outcome::duplicate);
  EXPECT_THAT(asked(), ElementsAre(0));
  EXPECT_FALSE(flush());
  EXPECT_EQ(broker_.noted().stored.back(), broker_.last_token());
  EXPECT_EQ(broker_->commits().figures().commits, commits);
}

TEST_F(pacing, durability_is_an_attribute) {
  declare("lazy", every(500));
  const auto receipt = broker_.next_receipt();
  EXPECT_TRUE(broker_.defining().declare_queue({"lazy"}, receipt));
  EXPECT_TRUE(broker_.defining().declare_queue({"lazy", every(500)}, receipt));
  const auto refused = broker_.defining().declare_queue({"lazy", durability{}}, receipt);
  EXPECT_EQ(refused.error().code, errc::precondition);
  EXPECT_EQ(refused.error().text, "queue 'lazy' has durability interval:500, not commit");
  broker_.defining().declare_topic({"log", 1, 0, {}, 0, overflow::drop_oldest, {}, every(200)}, receipt).value();
  EXPECT_EQ(broker_.defining()
                .declare_topic({"log", 0, 0, {}, 0, overflow::drop_oldest, {}, every(201)}, receipt)
                .error()
                .field,
            "durability");
  EXPECT_TRUE(broker_.defining().declare_topic({"log", 0, 0, {}, {}}, receipt));
}

TEST_F(pacing, the_configurations_durability_is_adopted_and_kept) {
  broker_.defining().declare_topic({"log", 1, 0, {}, {}}, broker_.next_receipt()).value();
  broker_.defining().adopt_queue({"work", every(500)}).value();
  broker_.defining().adopt_queue({"new", every(700)}).value();
  broker_.defining().adopt_topic({"log", 0, 0, {}, 0, overflow::drop_oldest, {}, every(200)}).value();
  broker_.reopen_closed();
  EXPECT_EQ(broker_.inspecting().find_queue("work")->definition().durability, every(500));
  EXPECT_EQ(broker_.inspecting().find_queue("new")->definition().durability, every(700));
  EXPECT_EQ(broker_.inspecting().find_topic("log")->definition().durability, every(200));
  EXPECT_EQ(broker_.inspecting().list_queues()[0].definition->durability, every(700));
  broker_.defining().adopt_queue({"work"}).value();
  broker_.defining().adopt_topic({"log"}).value();
  broker_.reopen_closed();
  EXPECT_EQ(broker_.inspecting().find_queue("work")->definition().durability, durability{});
  EXPECT_EQ(broker_.inspecting().find_topic("log")->definition().durability, durability{});
}

TEST_F(pacing, the_count_of_bytes_written_survives) {
  hand_meter meter;
  meter.bytes = 64 * mib;
  broker_->flash().measure_by(meter);
  meter.bytes = 65 * mib;
  pass(10'000);
  broker_->tick();
  broker_.put("work", "m");
  broker_.commit();
  broker_.reopen_killed();
  EXPECT_EQ(broker_.storage().start().flash_bytes_before, 65 * mib);
  meter.bytes = mib;
  broker_->flash().measure_by(meter);
  EXPECT_EQ(broker_->flash().since_made(), 66 * mib);
  broker_.storage().close(broker_->flash().since_made());
  broker_.reopen_killed();
  EXPECT_EQ(broker_.storage().start().flash_bytes_before, 66 * mib);
}

TEST_F(pacing, the_count_alone_makes_no_commit) {
  hand_meter meter;
  broker_->flash().measure_by(meter);
  meter.bytes = 64 * mib;
  pass(10'000);
  const auto commits = broker_->commits().figures().commits;
  broker_->tick();
  EXPECT_THAT(asked(), IsEmpty());
  broker_.commit();
  EXPECT_EQ(broker_->commits().figures().commits, commits);
}

commits::pace_options lingering() {
  commits::pace_options options;
  options.linger = milliseconds(20);
  return options;
}

class lingering_pace : public pacing {
 protected:
  lingering_pace() : pacing(lingering()) {}
};

TEST_F(lingering_pace, a_publish_waits_for_company) {
  broker_.put("work", "m");
  pass(15);
  broker_.put("work", "n");
  EXPECT_THAT(asked(), ElementsAre(20));
  EXPECT_FALSE(flush());
  EXPECT_THAT(asked(), ElementsAre(5));
  pass(5);
  EXPECT_TRUE(flush());
  EXPECT_EQ(broker_->commits().pace().lately().wait_max, milliseconds(0));
  broker_.finish();
  EXPECT_EQ(broker_->commits().pace().lately().wait_max, milliseconds(20));
}

TEST_F(lingering_pace, the_result_of_one_group_does_not_hurry_the_next) {
  broker_.put("work", "m");
  pass(20);
  flush();
  broker_.put("work", "n");
  pass(5);
  asked();
  broker_.finish();
  EXPECT_FALSE(broker_.storage().is_busy());
  EXPECT_THAT(asked(), ElementsAre(15));
}

TEST_F(lingering_pace, a_full_group_does_not_wait) {
  const std::string body(100'000, 'x');
  while (broker_.publishing().accepts(broker_.session())) broker_.put("work", body);
  EXPECT_THAT(asked(), ElementsAre(20, 0));
  EXPECT_TRUE(flush());
}

TEST_F(lingering_pace, a_declaration_does_not_wait) {
  broker_.declare_queue("other");
  EXPECT_THAT(asked(), ElementsAre(0));
  EXPECT_TRUE(flush());
}

commits::pace_options twenty_a_second() {
  commits::pace_options options;
  options.per_second_max = 20;
  return options;
}

class limited_pace : public pacing {
 protected:
  limited_pace() : pacing(twenty_a_second()) {}
};

TEST_F(limited_pace, holds_for_everything_that_commits) {
  pass(1'000);
  broker_.put("work", "m");
  EXPECT_TRUE(flush());
  broker_.finish();
  asked();
  broker_.put("work", "n");
  broker_.declare_queue("other");
  EXPECT_THAT(asked(), ElementsAre(49));
  EXPECT_FALSE(flush());
  pass(49);
  EXPECT_TRUE(flush());
}

TEST_F(limited_pace, gives_way_when_the_broker_stops) {
  broker_.put("work", "m");
  broker_->flush_now();
  broker_.put("work", "n");
  broker_->flush_now();
  broker_.finish();
  broker_.finish();
  EXPECT_TRUE(broker_->is_idle());
}

}  // namespace
}  // namespace tidegate::core
