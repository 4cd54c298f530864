// Opens stores whose files are right, wrong or damaged, and runs the writer on a thread of its own.
#include "broker/store/store.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <semaphore>

#include "broker/store/new_file.hpp"
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

store_options setting_aside(const scratch_store& store) {
  store_options options = in(store.path());
  options.sets_damaged_aside = true;
  return options;
}

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
    // This commit is in progress when the store is destroyed. It is finished all the same.
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
  append_be(version, format_version - 1);
  raw_file(store.path()).put(&tables::meta, meta_format, version);
  EXPECT_THAT(failure_of(in(store.path())), AllOf(HasSubstr("has format 4"), HasSubstr("reads format 5"),
                                                  HasSubstr("store export"), HasSubstr("store import")));
  EXPECT_THAT(failure_of(setting_aside(store)), HasSubstr("has format 4"));
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

// Damages one byte of every stored value. The damage is reported at the start or when the value is read, and the value
// is never used.
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
  for (const auto table : {&tables::state, &tables::catalog, &tables::meta}) {
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

void overwrite(const std::filesystem::path& file, std::string_view bytes) {
  std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::vector<std::string> names_in(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) names.push_back(entry.path().filename());
  return names;
}

// Makes a store with a message that is only in its journal.
std::unique_ptr<scratch_store> used_store(const std::string& body) {
  auto store = std::make_unique<scratch_store>();
  const stream_id queue = store->make_queue();
  store->append(queue, body);
  store->commit();
  store->kill();
  return store;
}

void put_back(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
}

TEST(store_open, the_journal_of_another_store_is_refused) {
  const auto one = used_store("one"), two = used_store("two");
  put_back(two->path() / journal_file, one->path() / journal_file);
  EXPECT_THAT(failure_of(in(one->path())), AllOf(HasSubstr("are of two different stores"), HasSubstr("put back")));
}

TEST(store_open, a_file_of_another_time_is_refused) {
  for (const char* const old : {store_file, journal_file}) {
    const auto store = used_store("early");
    put_back(store->path() / old, store->path() / "old");
    for (int i = 0; i < 3; ++i) store->open(), store->kill();
    put_back(store->path() / "old", store->path() / old);
    EXPECT_THAT(failure_of(in(store->path())), HasSubstr("at different times (start")) << old;
  }
}

// A start was interrupted after writing the journal's header and before writing the tables.
TEST(store_open, the_journal_may_be_a_start_ahead) {
  const auto store = used_store("kept");
  {
    ring journal(store->path() / journal_file, ring_access::write);
    journal.begin_generation(journal.generation() + 1);
  }
  for (int i = 0; i < 2; ++i) {
    store->open();
    EXPECT_THAT(store->bodies(stream_id{1}), ElementsAre(Pair(0, "kept")));
    store->kill();
  }
}

// A start that fails changes nothing. When the right files are put back the store opens, however often it was tried.
TEST(store_open, the_right_files_serve_after_the_wrong_ones) {
  const auto one = used_store("one"), two = used_store("two");
  for (const char* const file : {store_file, journal_file}) {
    std::filesystem::rename(one->path() / file, one->path() / "right");
    put_back(two->path() / file, one->path() / file);
    for (int i = 0; i < 3; ++i) EXPECT_NE(failure_of(in(one->path())), "none");
    std::filesystem::remove(one->path() / file);
    for (int i = 0; i < 3; ++i) EXPECT_THAT(failure_of(in(one->path())), HasSubstr("missing"));
    std::filesystem::rename(one->path() / "right", one->path() / file);
    one->open();
    EXPECT_THAT(one->bodies(stream_id{1}), ElementsAre(Pair(0, "one")));
    one->kill();
  }
}

TEST(store_open, a_missing_journal_is_told) {
  const auto store = used_store("gone");
  std::filesystem::remove(store->path() / journal_file);
  EXPECT_THAT(failure_of(in(store->path())), AllOf(HasSubstr("journal.ring is missing"), HasSubstr("put it back")));
}

TEST(store_open, a_journal_grows_and_shrinks_with_the_configuration) {
  scratch_store store;
  const stream_id queue = store.make_queue();
  std::map<offset_t, std::string> kept;
  for (const std::uint64_t kib : {256, 1'024, 64, 300}) {
    kept[store.append(queue, fmt::format("{} KiB", kib))] = fmt::format("{} KiB", kib);
    store.commit();
    store.set_journal_bytes_max(kib * 1'024);
    store.reopen_killed();
    EXPECT_EQ(std::filesystem::file_size(store.path() / journal_file), kib * 1'024 / 4'096 * 4'096);
    EXPECT_EQ(store.bodies(queue), kept);
  }
}

TEST(store_open, a_change_of_journals_that_was_cut_short_is_finished) {
  const auto store = used_store("kept");
  const std::filesystem::path next = store->path() / next_journal_file;
  // The process ended before the tables name the new ring: the new ring is removed.
  make_ring(next, 128 * 1'024, new_ring_id(), {});
  store->open();
  EXPECT_FALSE(std::filesystem::exists(next));
  EXPECT_THAT(store->bodies(stream_id{1}), ElementsAre(Pair(0, "kept")));
  // The process ended after the tables name the new ring: the start renames it.
  store->set_journal_bytes_max(128 * 1'024);
  put_back(store->path() / journal_file, store->path() / "before");
  store->reopen_killed();
  store->kill();
  std::filesystem::rename(store->path() / journal_file, next);
  std::filesystem::rename(store->path() / "before", store->path() / journal_file);
  store->open();
  EXPECT_FALSE(std::filesystem::exists(next));
  EXPECT_THAT(store->bodies(stream_id{1}), ElementsAre(Pair(0, "kept")));
}

TEST(store_open, a_last_commit_that_is_not_whole_is_left_out_and_told) {
  const auto store = used_store("whole");
  store->open();
  EXPECT_EQ(store->get().start().incomplete_commit, 0u);
  store->append(stream_id{1}, std::string(2'000, 'x'));
  store->commit();
  store->kill();
  {
    std::fstream file(store->path() / journal_file, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(8'192 + 4'096 + 600);
    file.put('y');
  }
  store->open();
  EXPECT_EQ(store->get().start().incomplete_commit, 2u);
  EXPECT_THAT(store->bodies(stream_id{1}), ElementsAre(Pair(0, "whole")));
}

TEST(store_open, the_format_is_told_to_those_who_do_not_know_lmdb) {
  scratch_store store;
  std::ifstream file(store.path() / format_file);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "5\n");
}

TEST(store_open, what_cannot_be_used_stops_a_start_and_stays_as_it_is) {
  scratch_store store;
  store.kill();
  overwrite(store.path() / store_file, std::string(8'192, 'x'));
  EXPECT_THAT(failure_of(in(store.path())), AllOf(HasSubstr("store check"), HasSubstr("set-aside")));
  EXPECT_THAT(names_in(store.path()),
              testing::UnorderedElementsAre("data.mdb", "journal.ring", "lock.mdb", "owner.lock", "format"));
}

TEST(store_open, what_cannot_be_used_is_set_aside_on_request) {
  scratch_store scratch;
  const stream_id queue = scratch.make_queue();
  scratch.append(queue, "gone with the file");
  scratch.commit();
  for (int times = 1; times <= 3; ++times) {
    scratch.kill();
    overwrite(scratch.path() / store_file, std::string(8'192, 'x'));
    store store(setting_aside(scratch));
    EXPECT_EQ(store.read().find(queue), nullptr);
    EXPECT_TRUE(definitions_in(store.found()).empty());
    store.submit();
    store.step();
    store.collect();
    const auto losses = store.read().losses().value();
    ASSERT_EQ(losses.size(), 1u);
    EXPECT_EQ(losses.at(1).reason, loss_reason::damaged);
    EXPECT_TRUE(std::filesystem::exists(scratch.path() / losses.at(1).source));
  }
  overwrite(scratch.path() / store_file, std::string(8'192, 'x'));
  EXPECT_THAT(failure_of(setting_aside(scratch)), HasSubstr("3 damaged files"));
}

TEST(store_open, a_file_that_was_not_finished_is_made_anew) {
  scratch_directory directory;
  std::filesystem::create_directory(directory.path() / "unfinished");
  std::ofstream(directory.path() / "unfinished" / store_file) << "half";
  const store store(in(directory.path()));
  EXPECT_TRUE(definitions_in(store.found()).empty());
  EXPECT_THAT(names_in(directory.path()),
              testing::UnorderedElementsAre("data.mdb", "journal.ring", "lock.mdb", "owner.lock", "format"));
  EXPECT_EQ(std::filesystem::file_size(directory.path() / store_file), in(directory.path()).bytes_max);
}

TEST(store_open, a_disk_too_small_is_told_at_once_and_nothing_is_left) {
  scratch_directory directory;
  store_options options = in(directory.path());
  options.bytes_max = 1ull << 46;
  EXPECT_THAT(failure_of(options), AllOf(HasSubstr("MiB free"), HasSubstr("store.bytes_max")));
  EXPECT_FALSE(std::filesystem::exists(directory.path() / "unfinished"));
}

// Another process has a read transaction open and does not end it.
TEST(store_open, a_stuck_reader_is_seen_and_what_it_pins_is_not_free) {
  scratch_store scratch({8 << 20, 64 * 1024});
  const stream_id queue = scratch.make_queue();
  scratch.append_many(queue, 100, 1'000);
  scratch.commit();
  int ready[2], done[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(done), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    {
      lmdb::env env(scratch.path(), 8 << 20);
      const lmdb::txn reading(env, lmdb::access::read);
      if (::write(ready[1], &byte, 1) != 1 || ::read(done[0], &byte, 1) != 1) ::_exit(1);
    }
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  scratch.get().watch();
  EXPECT_FALSE(scratch.get().stuck_reader());
  scratch.get().watch();
  ASSERT_TRUE(scratch.get().stuck_reader());
  EXPECT_EQ(scratch.get().stuck_reader()->pid, child);
  for (offset_t offset = 0; offset < 100; ++offset) scratch.ack(queue, offset);
  scratch.commit();
  for (int i = 0; i < 20; ++i) scratch.append_many(queue, 1, 10), scratch.commit();
  const auto pinned = scratch->pages().used_pages;
  ASSERT_EQ(::write(done[1], &byte, 1), 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  scratch.get().watch();
  EXPECT_FALSE(scratch.get().stuck_reader());
  scratch.append_many(queue, 1, 10);
  EXPECT_LT(scratch.commit().pages.used_pages + 20, pinned);
  for (const int end : {ready[0], ready[1], done[0], done[1]}) ::close(end);
}

// LMDB marks a reading process by a lock on the byte of its PID. A process in another PID namespace, such as a
// container's, may have the same PID as this one.
TEST(store, a_reader_of_the_same_number_in_another_container_is_named) {
  scratch_store scratch;
  scratch.close();
  const pid_t number = ::getpid();
  int ready[2], done[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(done), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    const int file = ::open((scratch.path() / "lock.mdb").c_str(), O_RDWR);
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = number;
    lock.l_len = 1;
    if (::fcntl(file, F_SETLK, &lock) != 0) ::_exit(1);
    if (::write(ready[1], &byte, 1) != 1 || ::read(done[0], &byte, 1) != 1) ::_exit(2);
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_THAT(failure_of(in(scratch.path())),
              AllOf(HasSubstr("a process of another container has the same number, " + std::to_string(number)),
                    HasSubstr("end it"), HasSubstr("start again")));
  ASSERT_EQ(::write(done[1], &byte, 1), 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(store(in(scratch.path())).start().stopped_cleanly);  // nothing was changed
  for (const int end : {ready[0], ready[1], done[0], done[1]}) ::close(end);
}

TEST(store, as_many_readers_as_may_be_are_named) {
  scratch_store scratch;
  scratch.close();
  const auto options = in(scratch.path());
  lmdb::env env(scratch.path(), options.bytes_max);
  std::vector<std::unique_ptr<lmdb::txn>> readers;
  const auto read_until_full = [&] {
    while (readers.size() < 1'000) readers.push_back(std::make_unique<lmdb::txn>(env, lmdb::access::read));
  };
  try {
    read_until_full();
  } catch (const storage_failure& failure) {
    EXPECT_THAT(failure.what(), AllOf(HasSubstr("as many as may at a time"), HasSubstr("end them")));
  }
  EXPECT_LT(readers.size(), 1'000u);
}

TEST(store, every_failure_has_its_cause_and_a_way_out) {
  for (const int code : {EAGAIN, ENOSPC, EDQUOT, EFBIG, EROFS, EACCES, EPERM, EIO, ENOMEM, EMFILE, ENFILE, ENOLCK,
                         EINVAL, ENODEV, ENOENT, EISDIR, ENOTDIR, ESTALE, ENOTRECOVERABLE}) {
    EXPECT_NE(lmdb::advice(code), "") << std::strerror(code);
  }
  for (int lmdbs_own = -30'799; lmdbs_own <= -30'780; ++lmdbs_own) EXPECT_NE(lmdb::advice(lmdbs_own), "");
}

TEST(store, a_removed_directory_is_reported_once_and_the_open_file_serves_on) {
  scratch_store scratch;
  const stream_id queue = scratch.make_queue();
  testing::internal::CaptureStderr();
  scratch.get().watch();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  std::filesystem::remove_all(scratch.path());
  testing::internal::CaptureStderr();
  scratch.get().watch();
  scratch.get().watch();
  scratch.append(queue, "m");
  scratch.commit();
  scratch.close();
  const std::string reported = testing::internal::GetCapturedStderr();
  EXPECT_THAT(reported, HasSubstr("data.mdb was removed or replaced"));
  EXPECT_EQ(std::count(reported.begin(), reported.end(), '\n'), 1);
  EXPECT_FALSE(std::filesystem::exists(scratch.path()));
}

}  // namespace
}  // namespace tidegate::store
