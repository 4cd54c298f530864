// Closes or kills a store, opens it again and checks its content.
#include <gmock/gmock.h>

#include "broker/store/scratch_store.hpp"

namespace tidegate::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

const stream_ledger& found(scratch_store& store, stream_id id) { return store->found_books().streams.at(id); }

TEST(reopen, what_was_committed_is_there_after_a_kill) {
  scratch_store store;
  const stream_id queue = store.make_queue();
  store.commit();
  store.append(queue, "one");
  store.append(queue, "two");
  store.commit();
  store.append(queue, "only gathered");
  store.reopen_killed();
  EXPECT_THAT(store.bodies(queue), ElementsAre(Pair(0, "one"), Pair(1, "two")));
  EXPECT_FALSE(store->start().stopped_cleanly);
}

TEST(reopen, records_of_the_commit_that_made_their_stream_are_there) {
  scratch_store store;
  const stream_id queue = store.make_queue();
  store.append(queue, "first");
  store.ack(queue, 0);
  store.append(queue, "second");
  store.commit();
  store.reopen_killed();
  EXPECT_THAT(store.bodies(queue), ElementsAre(Pair(1, "second")));
  EXPECT_EQ(store.view(queue).log_start, 1u);
}

TEST(reopen, a_closed_store_has_next_to_nothing_to_replay) {
  scratch_store store({16 << 20, 8 << 20});
  const stream_id log = store.make_log();
  for (int i = 0; i < 600; ++i) {
    store.append_many(log, 1, 10'000);
    store.commit();
  }
  store.reopen_closed();
  EXPECT_TRUE(store->start().stopped_cleanly);
  for (const auto& [id, ledger] : store->found_books().streams) EXPECT_TRUE(ledger.recent.segments.empty());
  EXPECT_EQ(store.bodies(log).size(), 600u);
  store.append(log, "one");
  EXPECT_LE(store.commit().journal_bytes, 4'096u);
}

TEST(reopen, what_may_have_been_delivered_is_marked_until_it_is_gone) {
  scratch_store store;
  const stream_id queue = store.make_queue();
  store.append_many(queue, 3, 10);
  store.commit();
  store.reopen_closed();
  EXPECT_EQ(found(store, queue).maybe_delivered_before, 0u);
  store.reopen_killed();
  EXPECT_EQ(found(store, queue).maybe_delivered_before, 3u);
  store.reopen_closed();
  EXPECT_EQ(found(store, queue).maybe_delivered_before, 3u);
  store.set_next(queue, 3);
  store.append(queue, "later");
  store.commit();
  store.reopen_closed();
  EXPECT_EQ(found(store, queue).maybe_delivered_before, 3u);
  store.reopen_killed();
  EXPECT_EQ(found(store, queue).maybe_delivered_before, 4u);
}

TEST(reopen, delivery_counts_are_kept_until_the_acknowledgement) {
  scratch_store store;
  const stream_id queue = store.make_queue();
  store.append_many(queue, 3, 10);
  store.commit();
  store.open_group().count_delivery(queue, 0, 1);
  store.open_group().count_delivery(queue, 1, 5);
  store.open_group().count_delivery(queue, 2, 2);
  store.commit();
  store.reopen_killed();
  EXPECT_THAT(found(store, queue).marks->deliveries, ElementsAre(Pair(0, 1), Pair(1, 5), Pair(2, 2)));
  store.reopen_closed();
  EXPECT_THAT(found(store, queue).marks->deliveries, ElementsAre(Pair(0, 1), Pair(1, 5), Pair(2, 2)));
  store.ack(queue, 0);
  store.ack(queue, 2);
  store.commit();
  store.reopen_killed();
  EXPECT_THAT(found(store, queue).marks->deliveries, ElementsAre(Pair(1, 5)));
}

TEST(reopen, a_log_start_that_age_moved_in_a_rolling_commit_stays) {
  scratch_store store;
  const stream_id log = store.make_log({0, milliseconds(1'000)});
  store.append(log, std::string(40'000, 'x'));
  store.commit_at(milliseconds(1'000));
  store.open_group().expire();
  store.commit_at(milliseconds(1'100));
  store.append(log, std::string(40'000, 'y'));
  store.open_group().expire();
  store.commit_at(milliseconds(9'000));
  EXPECT_EQ(store.view(log).log_start, 1u);
  store.reopen_killed();
  EXPECT_EQ(store.view(log).log_start, 1u);
}

TEST(reopen, a_purge_takes_what_its_own_commit_brought) {
  for (const std::size_t size : {10, 40'000}) {
    scratch_store store;
    const stream_id queue = store.make_queue();
    store.commit();
    store.append(queue, std::string(size, 'x'));
    store.open_group().trim(queue, 1);
    store.commit();
    EXPECT_THAT(store.bodies(queue), IsEmpty());
    store.reopen_killed();
    EXPECT_EQ(store.view(queue).log_start, 1u);
    EXPECT_EQ(store.view(queue).end, 1u);
  }
}

TEST(reopen, states_and_definitions_are_kept_by_either_end) {
  scratch_store store;
  const stream_id log = store.make_log();
  store.open_group().set_cursor(log, "readers", {7, "note"});
  store.open_group().set_producer("sensor", {2, 40, 1'000});
  store.open_group().set_producer("silent", {1, 1, 1});
  store.open_group().put_definition("qa", "{}");
  store.open_group().put_definition("qb", "{}");
  store.commit();
  store.open_group().erase_producer("silent");
  store.open_group().erase_definition("qb");
  store.commit();
  for (int round = 0; round < 3; ++round) {
    round == 1 ? store.reopen_closed() : store.reopen_killed();
    const contents& found = store->found();
    EXPECT_THAT(definitions_in(found), ElementsAre(Pair("qa", "{}")));
    ASSERT_EQ(cursors_in(found).size(), 1u);
    EXPECT_EQ(cursors_in(found).at(cursor_key(log, "readers")).offset, 7u);
    EXPECT_EQ(cursors_in(found).at(cursor_key(log, "readers")).metadata, "note");
    ASSERT_EQ(producers_in(found).size(), 1u);
    EXPECT_EQ(producers_in(found).at("sensor").sequence, 40u);
    EXPECT_EQ(producers_in(found).at("sensor").epoch, 2u);
  }
}

TEST(reopen, a_dropped_stream_leaves_nothing_behind) {
  scratch_store store;
  const stream_id log = store.make_log();
  store.append_many(log, 100, 1'000);
  store.open_group().set_cursor(log, "readers", {7, ""});
  store.commit();
  store.reopen_closed();
  store.drop(log);
  store.commit_until_idle();
  store.reopen_closed();
  EXPECT_EQ(store->read().find(log), nullptr);
  EXPECT_TRUE(cursors_in(store->found()).empty());
  store.kill();
  raw_file file(store.path());
  EXPECT_THAT(file.rows(&tables::chunk), IsEmpty());
  EXPECT_THAT(file.rows(&tables::state), IsEmpty());
}

TEST(reopen, freeing_a_dropped_stream_goes_on_where_it_was_cut_short) {
  scratch_store store({32 << 20, 256 * 1024});
  const stream_id log = store.make_log();
  for (int i = 0; i < 12; ++i) {
    store.append(log, std::string(900 * 1024, 'x'));
    store.commit();
  }
  store.drop(log);
  EXPECT_TRUE(store.commit().work_left);
  store.reopen_killed();
  store.commit_until_idle();
  store.kill();
  raw_file file(store.path());
  EXPECT_THAT(file.rows(&tables::chunk), IsEmpty());
}

TEST(reopen, stream_ids_are_never_used_again) {
  scratch_store store;
  const stream_id first = store->new_stream_id(), second = store->new_stream_id();
  store.open_group().change_stream({stream_change::what::create, second, stream_kind::queue, {}});
  store.commit();
  store.open_group().change_stream({stream_change::what::create, first, stream_kind::queue, {}});
  store.drop(second);
  store.commit();
  store.reopen_killed();
  EXPECT_GT(store->new_stream_id(), second);
}

TEST(reopen, the_incarnation_stays) {
  scratch_store store;
  const std::string incarnation(store->start().incarnation);
  EXPECT_EQ(incarnation.size(), 36u);
  store.reopen_closed();
  EXPECT_EQ(store->start().incarnation, incarnation);
}

}  // namespace
}  // namespace tidegate::store
