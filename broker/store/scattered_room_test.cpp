// A store whose free pages lie one by one between pages in use. The free pages can be used, whatever is to be stored.
#include <gmock/gmock.h>

#include "broker/store/scratch_store.hpp"

namespace tidegate::store {
namespace {

constexpr double almost_refused = refuse_above - 0.03;

// Fills many queues in turn, so that their chunks lie between each other's. Then empties every second queue.
class scattered_room : public ::testing::Test {
 protected:
  scattered_room() {
    for (int i = 0; i < 64; ++i) queues_.push_back(store_.make_queue());
    store_.commit();
    while (store_->pages().used_share() < almost_refused) {
      for (const stream_id queue : queues_) store_.append(queue, std::string(3'000, 'x'));
      require(store_.commit().appends_stored, "no room for the first ones");
    }
    for (std::size_t i = 0; i < queues_.size(); i += 2) store_.ack(queues_[i], {0, store_.next(queues_[i])});
    store_.commit_until_idle();
    require(store_->pages().used_share() < 0.5, "half of it is not free");
  }

  // Appends to the queue until the store is almost full. Returns the sizes of the bodies.
  std::vector<std::size_t> fill_up(stream_id queue, std::size_t body_bytes) {
    std::vector<std::size_t> taken;
    while (store_->pages().used_share() < almost_refused) {
      const std::size_t size = body_bytes + taken.size() % 7;
      store_.append(queue, std::string(size, 'y'));
      if (!store_.commit().appends_stored) break;
      taken.push_back(size);
    }
    return taken;
  }

  std::vector<std::size_t> sizes(stream_id queue) {
    std::vector<std::size_t> found;
    for (const auto& [offset, body] : store_.bodies(queue)) found.push_back(body.size());
    return found;
  }

  scratch_store store_{{32 << 20, 256 * 1024}};
  std::vector<stream_id> queues_;
};

TEST_F(scattered_room, messages_of_any_size_are_taken_while_much_is_free) {
  for (const std::size_t body_bytes : {300u, 3'000u, 15'000u, 60'000u, 900'000u}) {
    const stream_id queue = store_.make_queue();
    store_.commit();
    const auto taken = fill_up(queue, body_bytes);
    EXPECT_GE(store_->pages().used_share(), almost_refused) << body_bytes;
    EXPECT_EQ(sizes(queue), taken);
    store_.reopen_killed();
    EXPECT_EQ(sizes(queue), taken);
    store_.reopen_closed();
    EXPECT_TRUE(store_->start().stopped_cleanly);
    EXPECT_EQ(sizes(queue), taken);
    store_.drop(queue);
    store_.commit_until_idle();
  }
  for (std::size_t i = 1; i < queues_.size(); i += 2) {
    EXPECT_EQ(sizes(queues_[i]), std::vector<std::size_t>(store_.next(queues_[i]), 3'000));
  }
}

// The store is above the mark at which logs give way, each commit's blob takes a page, and the journal has megabytes.
TEST_F(scattered_room, logs_stay_within_their_bounds_and_the_journal_goes) {
  store_.set_journal_bytes_max(4 << 20);
  store_.reopen_closed();
  std::vector<stream_id> logs;
  for (int i = 0; i < 32; ++i) logs.push_back(store_.make_log({400'000}));
  const stream_id queue = store_.make_queue();
  store_.commit();
  for (int i = 0; i < 3'000; ++i) {
    if (i % 50 == 0) {
      for (const stream_id log : logs) store_.append(log, std::string(30'000, 'l'));
    }
    store_.append(queue, std::string(2'100, 'q'));
    ASSERT_TRUE(store_.commit().appends_stored) << i << " at " << store_->pages().used_share();
    if (i > 0) store_.ack(queue, static_cast<offset_t>(i - 1));
  }
  store_.commit();
  for (const stream_id log : logs) EXPECT_LE(store_.view(log).bytes, 400'000u);
  EXPECT_LT(store_->pages().used_share(), almost_refused);
  store_.reopen_closed();
  EXPECT_TRUE(store_->start().stopped_cleanly);
  EXPECT_EQ(store_.bodies(queue).size(), 1u);
}

TEST_F(scattered_room, large_commits_are_taken_while_much_is_free) {
  while (store_->pages().used_share() < almost_refused) {
    for (std::size_t i = 0; i < queues_.size(); i += 2) store_.append(queues_[i], std::string(10'000, 'x'));
    ASSERT_TRUE(store_.commit().appends_stored) << store_->pages().used_share();
  }
  for (const stream_id queue : queues_) store_.ack(queue, {0, store_.next(queue)});
  store_.commit_until_idle();
  EXPECT_LT(store_->pages().used_share(), 0.1);
}

}  // namespace
}  // namespace tidegate::store
