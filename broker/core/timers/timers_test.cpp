// Timers over a real store.
#include "broker/core/timers/timers.hpp"

#include <gmock/gmock.h>

#include <random>

#include "broker/store/scratch_store.hpp"

namespace tidegate::core::timers {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class timing : public testing::Test {
 protected:
  explicit timing(std::uint64_t bytes_max = 64 << 20) : store_({bytes_max, 4 << 20}) {
    work_ = store_.make_queue();
    store_.commit();
    start();
  }
  void start() {
    timers_ = std::make_unique<timers>(store_.get(), now_);
    store_->forget_found();
  }
  offset_t append(std::uint64_t due_ms) {
    message_view message;
    message.body = "m";
    message.due_ms = due_ms;
    const offset_t offset = store_.next(work_);
    store_.set_next(work_, offset + 1);
    store_.open_group().append(work_, offset, 0, message, record_form::queue);
    timers_->add(work_, offset, due_ms);
    return offset;
  }
  // Returns the offsets that are due by `now`.
  std::vector<offset_t> run(std::uint64_t now) {
    now_ = now;
    std::vector<offset_t> offsets;
    for (int turns = 0; turns < 1'000'000; ++turns) {
      for (const alarm& one : timers_->take_due(now, 1'024)) offsets.push_back(one.offset);
      timers_->work(now);
      const auto next = timers_->next(now);
      if (!next || *next > now) return offsets;
    }
    ADD_FAILURE() << "never done";
    return offsets;
  }

  store::scratch_store store_;
  stream_id work_{};
  std::uint64_t now_ = 1'000;
  std::unique_ptr<timers> timers_;
};

TEST_F(timing, tells_what_is_due_and_when_to_ask_again) {
  EXPECT_FALSE(timers_->next(now_));
  append(1'300);
  append(1'100);
  store_.commit();
  EXPECT_EQ(timers_->next(now_), 1'100u);
  EXPECT_THAT(run(1'099), IsEmpty());
  EXPECT_THAT(run(1'100), ElementsAre(1));
  EXPECT_EQ(timers_->next(now_), 1'300u);
  EXPECT_THAT(run(5'000), ElementsAre(0));
  EXPECT_FALSE(timers_->next(now_));
}

TEST_F(timing, what_is_due_before_it_is_durable_comes_after_its_commit) {
  append(1'100);
  EXPECT_THAT(run(1'200), IsEmpty());
  EXPECT_EQ(timers_->next(now_), 1'250u);
  store_.commit();
  EXPECT_THAT(run(1'250), ElementsAre(0));
  append(1'300);
  store_.open_group().drop_appends();
  timers_->void_appends();
  EXPECT_THAT(run(2'000), IsEmpty());
  EXPECT_FALSE(timers_->next(now_)) << "void";
}

TEST_F(timing, finds_its_zones_again_after_a_kill) {
  for (int i = 0; i < 3'000; ++i) append(2'000 + static_cast<std::uint64_t>(i));
  store_.commit();
  append(1'500);
  store_.reopen_killed();  // without the last one
  store_.set_next(work_, 3'000);
  start();
  EXPECT_EQ(timers_->zones(), 3u);
  EXPECT_THAT(run(1'999), IsEmpty());
  EXPECT_THAT(run(2'002), ElementsAre(0, 1, 2));
  EXPECT_EQ(run(10'000).size(), 2'997u);
}

TEST_F(timing, void_facts_are_written_again) {
  append(9'000);
  store_.commit();
  append(5'000);
  store_.open_group().drop_appends();
  timers_->void_appends();
  store_.set_next(work_, 1);
  append(7'000);
  store_.commit();
  store_.reopen_killed();
  store_.set_next(work_, 2);
  start();
  EXPECT_THAT(run(7'000), ElementsAre(1));
  EXPECT_THAT(run(9'000), ElementsAre(0));
}

TEST_F(timing, forgets_zones_below_the_log_start_and_of_deleted_streams) {
  for (int i = 0; i < 2'500; ++i) append(100'000);
  store_.commit();
  store_.ack(work_, {0, 2'048});
  store_.commit();
  timers_->tick();
  EXPECT_EQ(timers_->zones(), 1u);
  store_.commit();
  store_.reopen_killed();
  start();
  EXPECT_EQ(timers_->zones(), 1u);
  timers_->forget(work_);
  EXPECT_EQ(timers_->zones(), 0u);
  EXPECT_THAT(run(200'000), IsEmpty());
}

TEST_F(timing, reaches_beyond_the_range_of_an_alarm) {
  constexpr std::uint64_t day = 24ull * 3'600 * 1'000;
  append(1'000 + 49 * day);
  store_.commit();
  for (std::uint64_t days = 0; days < 30; ++days) EXPECT_THAT(run(1'000 + days * day), IsEmpty());
  append(now_ + 49 * day);
  store_.commit();
  EXPECT_THAT(run(1'000 + 49 * day - 1), IsEmpty());
  EXPECT_THAT(run(1'000 + 49 * day), ElementsAre(0));
  EXPECT_THAT(run(1'000 + 78 * day - 1), IsEmpty());
  EXPECT_THAT(run(1'000 + 78 * day), ElementsAre(1));
}

// Trap: what is due costs by what is due, not by what waits.
class many_dues : public timing {
 protected:
  many_dues() : timing(1ull << 30) {}
};

TEST_F(many_dues, are_read_a_few_times_each_and_take_bounded_memory) {
  const std::size_t count = store::rounds(200'000, 1'000'000);
  constexpr std::uint64_t day = 24ull * 3'600 * 1'000;
  std::mt19937_64 random(1);
  std::vector<std::uint64_t> dues;
  for (std::size_t i = 0; i < count; ++i) {
    dues.push_back(now_ + random() % day);
    append(dues.back());
    if (i % 20'000 == 0) store_.commit();
  }
  store_.commit();
  std::vector<std::uint64_t> came(count, 0);
  for (std::uint64_t at = now_; at < 1'000 + day; at += 60'000) {
    for (const offset_t offset : run(at)) {
      ASSERT_LE(dues[offset], at) << "early";
      if (came[offset] == 0) came[offset] = at;
    }
    ASSERT_LE(timers_->alarms(), timers::alarms_max);
    if (store_.open_group().bytes() > 256 * 1'024) store_.commit();
  }
  for (const offset_t offset : run(1'000 + day)) came[offset] = 1'000 + day;
  for (std::size_t i = 0; i < count; ++i) ASSERT_LT(came[i], dues[i] + 60'000) << "late or never: " << i;
  EXPECT_LE(timers_->records_read(), 10 * count);
}

}  // namespace
}  // namespace tidegate::core::timers
