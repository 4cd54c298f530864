// Tests of a commit's way through the pipeline, without queues or topics: gathering, handing over, and the results of
// the steps.
#include "broker/core/commits/pipeline.hpp"

#include <gmock/gmock.h>

#include "broker/store/scratch_store.hpp"

namespace tidegate::core::commits {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::pair<std::uint64_t, bool>> tokens(const progress& progress) {
  std::vector<std::pair<std::uint64_t, bool>> found;
  for (const auto& [answer, is_refused] : progress.receipts) found.emplace_back(answer.token, is_refused);
  return found;
}

class pipelines : public testing::Test {
 protected:
  pipelines() {
    pipeline_.on_work([this](milliseconds wait) { asked_.push_back(wait.count()); });
  }
  receipt receipt_of(std::uint64_t token) { return {session_id{1}, token}; }
  void append(stream_id stream, std::size_t bytes = 10) {
    message_view message;
    const std::string body(bytes, 'x');
    message.body = body;
    pipeline_.gathering().append(stream, next_[stream]++, 0, message);
  }
  progress commit() {
    pipeline_.hand_over();
    store_->step();
    return pipeline_.collect().value();
  }

  manual_clock clock_;
  store::scratch_store store_{{2 << 20, 256 * 1024, 10'000, 1 << 20}};
  pipeline pipeline_{store_.get(), clock_, {.linger = milliseconds(5)}, 64 * 1024};
  std::map<stream_id, offset_t> next_;
  std::vector<std::int64_t> asked_;
};

TEST_F(pipelines, what_gathers_goes_when_it_may_wait_no_longer) {
  const stream_id queue = store_.make_queue();
  append(queue);
  pipeline_.answer_later(receipt_of(7), course::written, milliseconds(5));
  EXPECT_THAT(asked_, ElementsAre(5));
  EXPECT_FALSE(pipeline_.is_due());
  clock_.advance(milliseconds(5));
  EXPECT_TRUE(pipeline_.is_due());
  EXPECT_THAT(tokens(pipeline_.hand_over()), IsEmpty());
  EXPECT_TRUE(pipeline_.is_busy());
  EXPECT_FALSE(pipeline_.collect().has_value());
  store_->step();
  const auto brought = pipeline_.collect();
  ASSERT_TRUE(brought.has_value());
  EXPECT_THAT(tokens(*brought), ElementsAre(std::pair(7, false)));
  ASSERT_EQ(brought->streams.size(), 1u);
  EXPECT_EQ(brought->streams[0].end, 1u);
  EXPECT_FALSE(brought->is_void);
  EXPECT_TRUE(pipeline_.is_idle());
  EXPECT_EQ(pipeline_.figures().commits, 1u);
}

TEST_F(pipelines, without_anything_to_write_receipts_are_settled_at_once) {
  pipeline_.answer_later(receipt_of(1), false);
  EXPECT_THAT(tokens(pipeline_.hand_over()), ElementsAre(std::pair(1, false)));
  EXPECT_EQ(pipeline_.figures().commits, 0u);
}

TEST_F(pipelines, a_full_group_takes_no_more_until_it_goes) {
  const stream_id queue = store_.make_queue();
  while (pipeline_.accepts()) append(queue, 10'000);
  EXPECT_TRUE(pipeline_.hand_over().has_room_again);
  EXPECT_TRUE(pipeline_.accepts());
}

// If the store has no room, appends are void and their receipts refused, also in the group that gathers meanwhile. All
// other changes are stored.
TEST_F(pipelines, where_the_store_has_no_room_appends_are_refused) {
  const stream_id queue = store_.make_queue(), log = store_.make_log();
  commit();
  bool is_void = false;
  for (std::uint64_t token = 1; token < 1'000 && !is_void; ++token) {
    append(queue, 60'000);
    pipeline_.answer_later(receipt_of(token), true);
    pipeline_.gathering().set_cursor(log, "group", {token, ""});
    pipeline_.answer_later(receipt_of(10'000 + token), false);
    pipeline_.hand_over();
    append(queue);
    pipeline_.answer_later(receipt_of(20'000 + token), true);
    pipeline_.answer_later(receipt_of(30'000 + token), false);
    store_->step();
    const progress brought = pipeline_.collect().value();
    is_void = brought.is_void;
    if (is_void) {
      EXPECT_THAT(tokens(brought), ElementsAre(std::pair(token, true), std::pair(10'000 + token, false),
                                               std::pair(20'000 + token, true)));
      EXPECT_THAT(tokens(commit()), ElementsAre(std::pair(30'000 + token, false)));
      break;
    }
    commit();
  }
  EXPECT_TRUE(is_void);
}

TEST_F(pipelines, of_memory_alone_is_there_when_the_turn_is_over) {
  const stream_id stream = store_.make(store::stream_kind::log, {1 << 20}, true);
  commit();
  message_view message;
  message.body = "body";
  asked_.clear();
  pipeline_.group_of(durability::memory(), course::at_once).append(stream, 0, 0, message);
  pipeline_.answer_later(receipt_of(3), course::at_once, milliseconds(5));
  EXPECT_THAT(asked_, ElementsAre(0));
  ASSERT_TRUE(pipeline_.has_memory_group());
  EXPECT_THAT(tokens(pipeline_.apply_memory()), ElementsAre(std::pair(3, false)));
  EXPECT_EQ(store_.view(stream).end, 1u);
}

}  // namespace
}  // namespace tidegate::core::commits
