// Salvages damaged stores and imports the archives. The result is a sound store.
#include "broker/store/offline/salvage.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "broker/store/offline/importing.hpp"
#include "broker/store/offline/lived_store.hpp"
#include "broker/store/offline/ring_walk.hpp"
#include "broker/store/offline/salvaged_rows.hpp"

namespace tidegate::store::offline {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

// Live messages and records, by stream and offset.
using content = std::map<std::pair<stream_id, offset_t>, std::string>;

content content_of(const std::filesystem::path& directory) {
  content found;
  offline_store store(directory);
  const books books = store.read_books();
  const reader reader(store.env(), store.rows(), store.journal(), books);
  for (const auto& [id, ledger] : books.streams) {
    const auto scanned = reader.scan(
        id, 0,
        [&, &id = id, &ledger = ledger](const batch_view& batch) {
          if (batch.compressed()) {
            found.emplace(std::pair(id, batch.base_offset), batch.bytes);
            return true;
          }
          record_reader records(batch);
          record_view record;
          while (records.next(record)) {
            if (ledger.is_live(record.offset)) found.emplace(std::pair(id, record.offset), record.body);
          }
          return true;
        },
        [](offset_range) {});
    EXPECT_TRUE(scanned);
  }
  return found;
}

// A store whose process was killed, and copies of its files to damage.
class salvaging : public testing::Test {
 protected:
  salvaging() {
    lived_.live(150);
    lived_.store().kill();
    whole_ = content_of(lived_.path());
    tables_ = bytes_of(lived_.path() / store_file);
    ring_ = bytes_of(lived_.path() / journal_file);
  }
  static std::string bytes_of(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void put(const char* name, std::string_view bytes) {
    std::ofstream(damaged_.path() / name, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  void put_both() {
    put(store_file, tables_);
    put(journal_file, ring_);
  }
  // Salvages the damaged files and imports the archive, which checks the new store. Returns the new store's content.
  content salvaged() {
    std::ostringstream out;
    report_ = salvage_store(damaged_.path(), out);
    std::istringstream in(out.str());
    scratch_directory elsewhere;
    new_store_place place(elsewhere.path() / "new");
    const import_outcome outcome = import_archive(in, place, {16ull << 20, false}, {});
    EXPECT_EQ(lines_of(outcome.found), "");
    return content_of(elsewhere.path() / "new");
  }
  // Counts the messages that are not found. Expects that those found are unchanged; acknowledged ones may be back.
  std::uint64_t missing_in(const content& found) {
    std::uint64_t missing = 0;
    for (const auto& [place, body] : whole_) {
      const auto same = found.find(place);
      missing += same == found.end() ? 1 : 0;
      const bool is_right = same == found.end() || same->second == body;
      EXPECT_TRUE(is_right) << place.second;
    }
    return missing;
  }
  void expect_told(const content& found) { EXPECT_LE(missing_in(found), report_.records_missing); }

  lived_store lived_{3, {16 << 20, 256 * 1024}};
  content whole_;
  std::string tables_, ring_;
  scratch_directory damaged_;
  salvage_report report_;
};

TEST_F(salvaging, of_a_whole_store_takes_all) {
  put_both();
  const bool is_same = salvaged() == whole_;
  EXPECT_TRUE(is_same);
  EXPECT_THAT(report_.missing, IsEmpty());
  EXPECT_EQ(report_.records_missing, 0u);
  EXPECT_GT(report_.blobs, 0u);
}

TEST_F(salvaging, one_meta_page_is_enough) {
  for (const std::size_t page : {0, 1}) {
    const std::string before = tables_;
    std::fill_n(tables_.begin() + static_cast<std::ptrdiff_t>(page * 4'096), 4'096, '\0');
    put_both();
    expect_told(salvaged());
    tables_ = before;
  }
}

TEST_F(salvaging, a_damaged_blob_costs_its_commit_alone) {
  const ring_walk_result walked = walk_ring(ring_);
  ASSERT_GT(walked.blobs.size(), 4u);
  ring_[walked.blobs[walked.blobs.size() - 3].at + blob_head_bytes] ^= 1;
  put_both();
  EXPECT_THROW(offline_store(damaged_.path()).read_books(), storage_failure);
  expect_told(salvaged());
  EXPECT_EQ(report_.blobs_damaged, 1u);
  EXPECT_THAT(report_.missing, Contains(HasSubstr("of the journal")));
}

TEST_F(salvaging, without_a_journal_the_tables_are_left) {
  put(store_file, tables_);
  EXPECT_LT(missing_in(salvaged()), whole_.size() / 2);  // the content of the newest commits is unknown
  EXPECT_THAT(report_.missing, Contains(HasSubstr("the journal's headers")));
}

TEST_F(salvaging, without_the_tables_the_journal_is_left) {
  put(journal_file, ring_);
  EXPECT_LT(missing_in(salvaged()), whole_.size());
  EXPECT_THAT(report_.missing, Contains(HasSubstr("table state cannot be reached")));
}

TEST_F(salvaging, what_is_missing_stands_in_the_ledger_of_the_new_store) {
  // Flips a bit of the first batch in every chunk of stream 3, the first log.
  put_both();
  std::string damaged = tables_;
  std::size_t turned = 0;
  const std::string magic("TGC2\0\0\0\x03", 8);
  for (auto at = damaged.find(magic); at != std::string::npos; at = damaged.find(magic, at + 1)) {
    damaged[at + 60] ^= 1;
    ++turned;
  }
  ASSERT_GT(turned, 0u);
  put(store_file, damaged);
  std::ostringstream out;
  report_ = salvage_store(damaged_.path(), out);
  EXPECT_GT(report_.records_missing, 0u);
  std::istringstream in(out.str());
  scratch_directory elsewhere;
  new_store_place place(elsewhere.path() / "new");
  import_archive(in, place, {16ull << 20, false}, {});
  offline_store made(elsewhere.path() / "new");
  std::uint64_t told = 0;
  for (const auto& loss : survey(made).losses) {
    if (loss.record.reason == loss_reason::damaged) told += loss.record.records;
  }
  EXPECT_EQ(told, report_.records_missing);
}

TEST_F(salvaging, a_stream_without_its_row_keeps_its_records) {
  for (const stream_id id : {lived_.queues()[0], lived_.queues()[1], lived_.logs()[0]}) {
    put_both();
    raw_file(damaged_.path()).erase(&tables::state, stream_key(id));
    const content found = salvaged();
    expect_told(found);
    const auto is_of_it = [&](const auto& message) { return message.first.first == id; };
    const auto kept = std::count_if(found.begin(), found.end(), is_of_it);
    EXPECT_GE(kept, std::count_if(whole_.begin(), whole_.end(), is_of_it));
    EXPECT_THAT(report_.missing, Contains(HasSubstr("the state of ")));
    // Messages that are acknowledged in blocks that were found stay acknowledged.
    EXPECT_LT(kept, std::count_if(whole_.begin(), whole_.end(), is_of_it) + 400);
  }
}

// Offsets that later blobs name were used: they are reported missing, and are not assigned again.
TEST_F(salvaging, of_a_lost_commit_later_ones_tell_the_end) {
  scratch_store& store = lived_.store();
  store.open();
  const stream_id queue = lived_.queues()[0], log = lived_.logs()[0];
  store.append_many(queue, 100, 10);
  store.append_many(log, 100, 10);
  const offset_t end = store.next(queue), log_end = store.next(log);
  store.commit();
  store.ack(queue, {end - 60, end - 1});
  store.open_group().count_delivery(queue, end - 1, 2);
  store.commit_offset(log, "late", log_end + 5);
  store.commit();
  store.kill();
  ring_ = bytes_of(lived_.path() / journal_file);
  tables_ = bytes_of(lived_.path() / store_file);
  const ring_walk_result walked = walk_ring(ring_);
  ring_[walked.blobs[walked.blobs.size() - 2].at + blob_head_bytes] ^= 1;
  put_both();
  std::ostringstream out;
  report_ = salvage_store(damaged_.path(), out);
  EXPECT_GE(report_.records_missing, 41u);
  EXPECT_THAT(report_.missing, Contains(HasSubstr("what group late had read")));
  std::istringstream in(out.str());
  scratch_directory elsewhere;
  new_store_place place(elsewhere.path() / "new");
  EXPECT_EQ(lines_of(import_archive(in, place, {16ull << 20, false}, {}).found), "");
  offline_store made(elsewhere.path() / "new");
  const books books = made.read_books();
  EXPECT_EQ(books.streams.at(queue).next, end);
}

TEST_F(salvaging, a_queue_s_bytes_are_counted) {
  put_both();
  salvaged();
  std::ostringstream out;
  salvage_store(damaged_.path(), out);
  std::istringstream in(out.str());
  scratch_directory elsewhere;
  new_store_place place(elsewhere.path() / "new");
  import_archive(in, place, {16ull << 20, false}, {});
  offline_store made(elsewhere.path() / "new");
  const books books = made.read_books();
  for (const stream_id queue : lived_.queues()) {
    std::uint64_t bytes = 0;
    for (const auto& [at, body] : whole_) bytes += at.first == queue ? body.size() : 0;
    EXPECT_EQ(books.streams.at(queue).held_bytes, bytes);
  }
}

// The first page found is on no tree and has a chunk from before it was thinned. The newer version of the chunk, which
// has its neighbour's records too, has the same key.
TEST_F(salvaging, every_version_of_a_chunk_is_looked_at) {
  salvaged_rows rows;
  const auto chunk = [](offset_t covered_from, offset_t first) {
    batch_builder records;
    records.add(record_view{first, 0, {}, "body", {}});
    records.add(record_view{9, 0, {}, "body", {}});
    return seal_chunk({{stream_id{3}, 9}, covered_from, 0, 0, true}, records.finish());
  };
  const std::string old_one = chunk(5, 5), newer = chunk(0, 1), key = chunk_key(stream_id{3}, 9);
  rows.take({"", key, old_one, false, true});
  rows.take({"", key, newer, false, true});
  salvaged_stream stream{checkpoint{}};
  rows.each_chunk(origin::old_copy, [&](const salvaged_rows::found_chunk& found) {
    const std::string bytes = found.bytes.text();
    stream.offer(read_chunk(found.place, bytes).value(), found.bytes, origin::old_copy);
  });
  std::vector<offset_t> offsets;
  stream.close();
  stream.each_batch([&](std::string_view bytes) {
    const batch_view batch = read_batch(bytes).value();
    record_reader records(batch);
    record_view record;
    while (records.next(record)) offsets.push_back(record.offset);
  });
  EXPECT_THAT(offsets, testing::ElementsAre(1, 5, 9));
}

// Zeroes or overwrites random places and flips bits in both files. The result is always a sound store, and each message
// is there or reported missing.
TEST_F(salvaging, whatever_is_damaged) {
  std::mt19937 random(17);
  for (int round = 0; round < 30; ++round) {
    std::string tables = tables_, ring = ring_;
    const std::size_t used = tables.find_last_not_of('\0') + 1;
    for (std::size_t left = 1 + random() % 3; left > 0; --left) {
      std::string& file = random() % 3 == 0 ? ring : tables;
      const std::size_t at = random() % (&file == &tables ? used : file.size());
      switch (random() % 3) {
        case 0: file[at] = static_cast<char>(file[at] ^ (1 << random() % 8)); break;
        case 1: std::fill_n(file.begin() + static_cast<std::ptrdiff_t>(at / 4'096 * 4'096), 4'096, '\0'); break;
        default:
          file.replace(at / 4'096 * 4'096, 4'096, tables.substr(random() % (used / 4'096) * 4'096, 4'096));
          break;
      }
    }
    put(store_file, tables);
    put(journal_file, ring);
    const std::uint64_t missing = missing_in(salvaged());
    // If the journal ends too early, nothing is known of the commits after its end.
    EXPECT_LE(missing, ring == ring_ ? report_.records_missing : whole_.size()) << round;
  }
}

}  // namespace
}  // namespace tidegate::store::offline
