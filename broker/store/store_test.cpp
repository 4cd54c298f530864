// A store opened rightly and wrongly, and the writer on a thread of its own.
#include "broker/store/store.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <semaphore>

#include "broker/store/scratch_store.hpp"

namespace tidegate::store {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::string failure_of(const store_options& options) {
  try {
    store opened(options);
  } catch (const storage_failure& failure) {
    return failure.what();
  }
  return "none";
}

store_options in(const std::filesystem::path& directory) { return {directory, 8 << 20, {256 * 1024}, false}; }

TEST(store, fills_its_file_to_its_bound) {
  scratch_store store({5 << 20, 256 * 1024});
  EXPECT_EQ(std::filesystem::file_size(store.path() / "data.mdb"), 5u << 20);
  store.make_queue();
  store.commit();
  store.kill();
  EXPECT_EQ(std::filesystem::file_size(store.path() / "data.mdb"), 5u << 20);
}

TEST(store, one_commit_does_all_of_a_group) {
  scratch_store store;
  const stream_id queue = store.make_queue(), log = store.make_log();
  store.append(queue, "q");
  store.append(log, "l");
  store->submit();
  EXPECT_TRUE(store->is_busy());
  EXPECT_FALSE(store->collect());
  EXPECT_EQ(store->read().find(queue), nullptr);
  store->step();
  const auto result = store->collect();
  ASSERT_TRUE(result);
  EXPECT_FALSE(store->is_busy());
  EXPECT_TRUE(result->appends_stored);
  EXPECT_EQ(result->streams.size(), 2u);
  EXPECT_THAT(store.bodies(queue), ElementsAre(Pair(0, "q")));
  EXPECT_THAT(store.bodies(log), ElementsAre(Pair(0, "l")));
}

TEST(store, a_share_for_a_dropped_stream_is_let_go) {
  scratch_store store;
  const stream_id queue = store.make_queue();
  store.commit();
  store.append(queue, "late");
  store.ack(queue, 0);
  store.drop(queue);
  const auto result = store.commit();
  ASSERT_EQ(result.streams.size(), 1u);
  EXPECT_TRUE(result.streams[0].dropped);
  EXPECT_EQ(store->read().find(queue), nullptr);
}

TEST(store, the_writer_works_on_its_own_thread) {
  scratch_directory directory;
  store_options options = in(directory.path());
  options.own_thread = true;
  stream_id queue{};
  {
    store store(options);
    std::counting_semaphore<> told(0);
    store.on_result([&] { told.release(); });
    queue = store.new_stream_id();
    store.open_group().change_stream({stream_change::what::create, queue, stream_kind::queue, {}});
    for (offset_t offset = 0; offset < 200; ++offset) {
      message_view message;
      message.body = "m";
      store.open_group().append(queue, offset, 0, message);
      store.submit();
      told.acquire();
      ASSERT_TRUE(store.collect());
    }
    // On its way when the store ends: finished all the same.
    message_view message;
    message.body = "last";
    store.open_group().append(queue, 200, 0, message);
    store.submit();
  }
  const store again(options);
  EXPECT_EQ(again.read().find(queue)->end, 201u);
}

TEST(store_open, a_directory_belongs_to_one_store) {
  scratch_store store;
  EXPECT_THAT(failure_of(in(store.path())), AllOf(HasSubstr("in use by another process"), HasSubstr("store.path")));
}

TEST(store_open, a_failed_opening_lets_go_of_the_directory) {
  scratch_store store;
  store.kill();
  std::string version;
  append_be(version, format_version + 1);
  raw_file(store.path()).put(&tables::meta, meta_format, version);
  EXPECT_THAT(failure_of(in(store.path())), AllOf(HasSubstr("has format 3"), HasSubstr("reads format 2")));
  version.clear();
  append_be(version, format_version);
  raw_file(store.path()).put(&tables::meta, meta_format, version);
  EXPECT_EQ(failure_of(in(store.path())), "none");
}

TEST(store_open, garbage_is_not_taken_for_a_store) {
  scratch_directory directory;
  std::ofstream(directory.path() / "data.mdb") << std::string(100'000, 'x');
  EXPECT_THAT(failure_of(in(directory.path())), AllOf(HasSubstr("data.mdb"), HasSubstr("no LMDB file")));
}

TEST(store_open, another_programs_file_is_left_alone) {
  scratch_directory directory;
  {
    lmdb::env env(directory.path(), 1 << 20);
    lmdb::txn txn(env, lmdb::access::write);
    env.open_table(txn, "somebody's");
    txn.commit();
  }
  EXPECT_THAT(failure_of(in(directory.path())), HasSubstr("another program's"));
}

TEST(store_open, a_file_in_the_directorys_place_is_told) {
  scratch_directory directory;
  std::ofstream(directory.path() / "store") << "not a directory";
  EXPECT_THAT(failure_of(in(directory.path() / "store")), AllOf(HasSubstr("directory"), HasSubstr("store.path")));
}

// Every value that the store keeps, damaged in one byte: told at the start or where it is read, never taken for true.
TEST(store_open, a_flipped_byte_in_any_row_is_told) {
  scratch_store store;
  const stream_id queue = store.make_queue();
  store.append_many(queue, 30, 1'000);
  store.open_group().set_cursor(queue, "g", {1, "m"});
  store.open_group().set_producer("p", {1, 1, 1});
  store.open_group().put_definition("qa", "{}");
  store.commit();
  store.ack(queue, 3);
  store.commit();
  store.reopen_closed();
  store.set_next(queue, 30);
  store.append(queue, "in the journal");
  store.commit();
  store.kill();
  std::mt19937 random(1);
  for (const auto table : {&tables::state, &tables::catalog, &tables::meta, &tables::journal}) {
    for (const auto& [key, value] : raw_file(store.path()).rows(table)) {
      std::string damaged = value;
      const std::size_t at = random() % damaged.size();
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
      raw_file(store.path()).put(table, key, damaged);
      EXPECT_THAT(failure_of(in(store.path())), testing::AnyOf(HasSubstr("damaged"), HasSubstr("has format"))) << key;
      raw_file(store.path()).put(table, key, value);
    }
  }
  EXPECT_EQ(failure_of(in(store.path())), "none");
}

}  // namespace
}  // namespace tidegate::store
