// The check finds nothing in a used store, however its process ended, and finds each kind of damage.
#include "broker/store/offline/inspection.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "broker/store/offline/lived_store.hpp"

namespace tidegate::store::offline {
namespace {

using testing::HasSubstr;

// Inspects a store. A store that cannot be opened counts as one damage.
inspection inspected_somehow(const std::filesystem::path& directory) {
  try {
    return inspected(directory);
  } catch (const storage_failure& failure) {
    inspection closed;
    closed.damages = 1;
    closed.findings.push_back({severity::damaged, "store", failure.what()});
    return closed;
  }
}

class inspection_test : public testing::TestWithParam<std::uint32_t> {};

TEST_P(inspection_test, nothing_is_found_however_a_life_ends) {
  lived_store store(GetParam());
  for (int round = 0; round < 8; ++round) {
    store.live(25);
    round % 2 == 0 ? store.store().kill() : store.store().close();
    const inspection found = inspected(store.path());
    ASSERT_EQ(lines_of(found), "") << round;
    ASSERT_EQ(found.verdict(), severity::note);
    ASSERT_TRUE(found.overview.has_value());
    EXPECT_EQ(found.identity->stopped_cleanly, round % 2 != 0);
    store.store().open();
    EXPECT_EQ(found.overview->streams.size(), 5u);
  }
}

INSTANTIATE_TEST_SUITE_P(seeds, inspection_test, testing::Range(1u, 9u));

// Flips one random bit of every row of every table.
TEST(inspection, a_flipped_bit_is_found_in_every_row) {
  std::mt19937 random(7);
  lived_store store(3);
  store.live(60);
  store.store().kill();
  raw_file(store.path()).put_row(&tables::loss, loss_key(0), encode(loss_record{}));
  for (const auto table : {&tables::chunk, &tables::state, &tables::catalog, &tables::loss, &tables::meta}) {
    const auto rows = raw_file(store.path()).rows(table);
    ASSERT_FALSE(rows.empty());
    for (const auto& [key, value] : rows) {
      std::string damaged = value;
      const std::size_t bit = random() % (8 * value.size());
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
      raw_file(store.path()).put(table, key, damaged);
      ASSERT_EQ(inspected_somehow(store.path()).verdict(), severity::damaged) << key << " bit " << bit;
      raw_file(store.path()).put(table, key, value);
    }
  }
  EXPECT_EQ(lines_of(inspected(store.path())), "");
}

// Adds, erases or changes a row of a store, and compares what the check reports.
class changed_store : public testing::Test {
 protected:
  changed_store() : store_(11) {
    store_.live(40);
    store_.store().close();
  }
  std::string first_key(lmdb::table tables::*table, char kind = '\0') {
    for (const auto& [key, value] : raw_file(store_.path()).rows(table)) {
      if (kind == '\0' || key[0] == kind) return key;
    }
    return "";
  }
  std::string found() { return lines_of(last_ = inspected(store_.path())); }
  severity verdict() const { return last_.verdict(); }
  void erase(lmdb::table tables::*table, std::string_view key) {
    lmdb::env env(store_.path(), 32 << 20);
    const tables tables = open_tables(env);
    lmdb::txn txn(env, lmdb::access::write);
    ASSERT_TRUE(txn.erase(tables.*table, key));
    txn.commit();
  }

  lived_store store_;
  inspection last_;
};

TEST_F(changed_store, wrong_counter_is_inconsistent) {
  raw_file file(store_.path());
  const std::string key = stream_key(store_.queues()[0]);
  checkpoint changed = decode_checkpoint(file.row(&tables::state, key));
  changed.chunk_bytes += 1;
  file.put_row(&tables::state, key, encode(changed));
  EXPECT_THAT(found(), HasSubstr("inconsistent: stream 1: has"));
  EXPECT_EQ(verdict(), severity::inconsistent);
}

TEST_F(changed_store, missing_chunk_is_damage) {
  erase(&tables::chunk, first_key(&tables::chunk));
  EXPECT_THAT(found(), HasSubstr("damaged: stream 1: holds"));
}

TEST_F(changed_store, stream_without_definition_is_inconsistent) {
  erase(&tables::catalog, "qalarms");
  EXPECT_EQ(found(), "inconsistent: stream 2: has no definition\n");
  EXPECT_EQ(verdict(), severity::inconsistent);
}

TEST_F(changed_store, definition_without_stream_is_damage) {
  raw_file(store_.path()).put_row(&tables::catalog, "qlost", encode(queue_definition{"lost", stream_id{99}}));
  EXPECT_THAT(found(), HasSubstr("damaged: queue lost: is defined, and its stream 99 is not there"));
}

TEST_F(changed_store, streams_of_priorities_are_their_queues) {
  erase(&tables::catalog, "qalarms");
  queue_definition calls{"calls", store_.queues()[1]};
  calls.levels = {{}, stream_id{98}};
  raw_file(store_.path()).put_row(&tables::catalog, "qcalls", encode(calls));
  EXPECT_THAT(found(), HasSubstr("damaged: queue calls: is defined, and its stream 98 is not there"));
  calls = {"alarms", stream_id{97}};
  calls.levels = {store_.queues()[1]};
  erase(&tables::catalog, "qcalls");
  raw_file(store_.path()).put_row(&tables::catalog, "qalarms", encode(calls));
  EXPECT_THAT(found(), testing::Not(HasSubstr("has no definition")));
}

TEST_F(changed_store, definition_under_another_name_is_damage) {
  raw_file(store_.path()).put_row(&tables::catalog, "xone", encode(exchange_definition{"two", {}}));
  EXPECT_THAT(found(), HasSubstr("damaged: definition of exchange one: the definition of two"));
}

TEST_F(changed_store, binding_to_nowhere_is_damage) {
  erase(&tables::catalog, "xplant");
  EXPECT_THAT(found(), HasSubstr("damaged: catalog: a binding leads from exchange plant, which is not there"));
}

TEST_F(changed_store, left_overs_are_notes) {
  erase(&tables::catalog, "qalarms");
  erase(&tables::state, stream_key(store_.queues()[1]));
  std::string block;
  while (!(block = first_key(&tables::state, state_block)).empty()) erase(&tables::state, block);
  raw_file file(store_.path());
  for (const stream_id id : {store_.queues()[0]}) {
    const std::string key = stream_key(id);
    checkpoint changed = decode_checkpoint(file.row(&tables::state, key));
    changed.log_start = changed.next_offset;
    file.put_row(&tables::state, key, encode(changed));
  }
  const std::string lines = found();
  EXPECT_THAT(lines, HasSubstr("note: stream 2: is deleted, and "));
  EXPECT_EQ(verdict(), severity::note) << lines;
}

TEST_F(changed_store, acknowledged_future_is_damage) {
  ack_block block;
  block.bits[0] = '\x01';
  raw_file(store_.path()).put_row(&tables::state, block_key(store_.queues()[0], 1'000), encode(block));
  EXPECT_THAT(found(), HasSubstr("a message that is still to come would be lost"));
}

TEST_F(changed_store, what_stands_for_no_stream_is_inconsistent) {
  raw_file file(store_.path());
  file.put_row(&tables::state, cursor_key(stream_id{77}, "g"), encode(cursor_state{1, ""}));
  file.put_row(&tables::state, block_key(stream_id{78}, 0), encode(ack_block{}));
  const std::string lines = found();
  EXPECT_THAT(lines, HasSubstr("inconsistent: stream 77: is not there, and 1 facts"));
  EXPECT_THAT(lines, HasSubstr("inconsistent: stream 78: is not there, and acknowledgements"));
  EXPECT_EQ(verdict(), severity::inconsistent);
}

TEST_F(changed_store, misplaced_rows_are_damage) {
  raw_file file(store_.path());
  const auto chunk = *file.rows(&tables::chunk).begin();
  file.put(&tables::chunk, chunk_key(store_.logs()[0], 1'000'000), chunk.second);
  file.put(&tables::chunk, "short", chunk.second);
  file.put(&tables::state, "S", "");
  const std::string lines = found();
  EXPECT_THAT(lines, HasSubstr("damaged: chunk of stream 3 up to offset 1000000: the chunk of"));
  EXPECT_THAT(lines, HasSubstr("damaged: a chunk without a place"));
  EXPECT_THAT(lines, HasSubstr("damaged: a state row without a name"));
}

TEST_F(changed_store, missing_meta_row_is_damage) {
  erase(&tables::meta, meta_incarnation);
  EXPECT_THAT(found(), HasSubstr("damaged: meta row incarnation: is missing"));
}

TEST_F(changed_store, number_that_would_be_given_again_is_inconsistent) {
  raw_file(store_.path()).put_row(&tables::meta, meta_next_stream, std::string("\0\0\0\x02", 4));
  EXPECT_THAT(found(), HasSubstr("inconsistent: stream 5: has a number that would be given to another stream"));
}

bool starts(const lived_store& store) {
  try {
    const class store opened({store.path(), 32 << 20, {8 << 20}, false});
    return true;
  } catch (const storage_failure& failure) {
    EXPECT_THAT(failure.what(), HasSubstr("damaged: the journal "));
    return false;
  }
}

// Four commits take a block each. One of the blocks is wiped, or one of its bits is flipped; the check and a start
// report it.
TEST(inspection, what_the_journal_lacks_is_found) {
  constexpr std::uint64_t header_bytes = 8'192, block_bytes = 4'096;
  const auto look_without = [](commit_number commit, std::size_t at, std::string_view bytes) {
    lived_store store(5, {32 << 20, 8 << 20});
    for (int i = 0; i < 3; ++i) {
      store.store().commit_offset(store.logs()[0], "readers", 1);
      store.store().commit();
    }
    store.store().kill();
    {
      std::fstream file(store.path() / journal_file, std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(static_cast<std::streamoff>(header_bytes + (commit - 1) * block_bytes + at));
      file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
    const std::string found = lines_of(inspected(store.path()));
    EXPECT_EQ(starts(store), found.empty() || found.starts_with("note: "));
    return found;
  };
  const std::string nothing(block_bytes, '\0');
  EXPECT_EQ(look_without(9, 0, nothing), "");
  for (const commit_number lost : {1, 2, 3}) {
    const std::string told =
        fmt::format("damaged: the journal: the journal lacks commit {}, and has commit {} behind it\n", lost, lost + 1);
    EXPECT_EQ(look_without(lost, 0, nothing), told);
    EXPECT_EQ(look_without(lost, 70, "x"), told);
  }
  EXPECT_THAT(look_without(4, 70, "x"), HasSubstr("note: commit 4 of the journal: is not whole"));
}

TEST(inspection, looking_changes_nothing_and_needs_no_right_to_write) {
  lived_store store(2);
  store.live(20);
  store.store().kill();
  std::filesystem::remove(store.path() / "lock.mdb");
  const auto content = [&] {
    std::ifstream file(store.path() / store_file, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string before = content();
  EXPECT_EQ(lines_of(inspected(store.path())), "");
  EXPECT_TRUE(before == content());
  EXPECT_FALSE(std::filesystem::exists(store.path() / "lock.mdb"));
}

std::string refusal(const std::filesystem::path& directory) {
  try {
    offline_store store(directory);
  } catch (const storage_failure& failure) {
    return failure.what();
  }
  return "";
}

TEST(inspection, what_is_no_resting_store_is_refused) {
  lived_store store(2);
  EXPECT_THAT(refusal(store.path()), HasSubstr("is in use: stop its broker first"));
  store.store().kill();
  EXPECT_EQ(refusal(store.path()), "");
  std::filesystem::resize_file(store.path() / store_file, 20'000);
  EXPECT_THAT(refusal(store.path()), HasSubstr("was cut short"));
  std::ofstream(store.path() / store_file) << std::string(40'000, 'x');
  EXPECT_THAT(refusal(store.path()), HasSubstr("no LMDB file"));
  std::filesystem::remove(store.path() / store_file);
  EXPECT_THAT(refusal(store.path()), HasSubstr("no store in"));
}

TEST(inspection, another_format_is_refused) {
  lived_store store(2);
  store.store().kill();
  raw_file(store.path()).put(&tables::meta, meta_format, std::string("\0\0\0\x09", 4));
  EXPECT_THAT(refusal(store.path()), HasSubstr("has format 9, this version reads format 5: use the version"));
}

}  // namespace
}  // namespace tidegate::store::offline
