// Exports and imports stores. The content is the same afterwards, and a damaged archive is refused.
#include "broker/store/offline/archive.hpp"

#include <gmock/gmock.h>

#include <sstream>

#include "broker/store/offline/archive_of_format_2.hpp"
#include "broker/store/offline/importing.hpp"
#include "broker/store/offline/lived_store.hpp"
#include "broker/store/offline/overview.hpp"

namespace tidegate::store::offline {
namespace {

using testing::HasSubstr;

std::string exported(const std::filesystem::path& directory) {
  offline_store store(directory);
  std::ostringstream out;
  export_archive(store, out);
  return out.str();
}

import_outcome imported(const std::string& archive, const std::filesystem::path& directory,
                        const import_options& options = {{}, true}) {
  std::istringstream in(archive);
  new_store_place place(directory);
  import_outcome outcome = import_archive(in, place, options);
  place.keep();
  return outcome;
}

// Returns everything that a broker would see of a store, as text.
std::string seen(store& opened, const std::vector<stream_id>& streams) {
  std::string text = fmt::format("{} {} {}\n", opened.start().incarnation, opened.start().stopped_cleanly,
                                 opened.found_books().last_commit);
  for (const auto& [key, value] : definitions_in(opened.found())) text += key + " " + value + "\n";
  for (const auto& [key, state] : cursors_in(opened.found())) text += fmt::format("{} {}\n", key, state.offset);
  const auto& producers = producers_in(opened.found());
  for (const auto& [name, state] : std::map(producers.begin(), producers.end())) {
    text += fmt::format("{} {} {} {}\n", name, state.epoch, state.sequence, state.timestamp_ms);
  }
  for (const stream_id id : streams) {
    const stream_ledger& ledger = opened.found_books().streams.at(id);
    text += fmt::format("{} {} {} {} {} {}\n", static_cast<std::uint32_t>(id), static_cast<int>(ledger.kind),
                        ledger.log_start, ledger.next, ledger.newest_timestamp_ms, ledger.maybe_delivered_before);
    for (auto range = ledger.marks->acked.range_from(0); range; range = ledger.marks->acked.range_from(range->end)) {
      text += fmt::format("acked {} {}\n", range->begin, range->end);
    }
    for (const auto& [offset, count] : ledger.marks->deliveries) text += fmt::format("counted {} {}\n", offset, count);
    const auto scanned = opened.read().scan(id, 0, [&](const batch_view& batch) {
      if (batch.compressed()) text += fmt::format("{} {}\n", batch.base_offset, batch.records);
      record_reader records(batch);
      record_view record;
      while (records.next(record)) {
        if (!ledger.is_live(record.offset)) continue;
        text += fmt::format("{} {} {}\n", record.offset, record.timestamp_ms, record.body);
      }
      return true;
    });
    if (!scanned) text += scanned.error().text;
  }
  return text;
}

std::string seen_in(const std::filesystem::path& directory, const lived_store& like) {
  store opened({directory, 32 << 20, {256 * 1024}, false});
  std::vector<stream_id> streams = like.queues();
  streams.insert(streams.end(), like.logs().begin(), like.logs().end());
  return seen(opened, streams);
}

class transfer_test : public testing::TestWithParam<std::uint32_t> {};

TEST_P(transfer_test, an_imported_store_is_seen_as_the_old_one) {
  lived_store store(GetParam());
  scratch_directory elsewhere;
  store.live(static_cast<int>(GetParam() % 3 * 70));
  if (GetParam() % 2 == 0) store.store().reopen_killed();
  store.live(30);
  GetParam() % 4 < 2 ? store.store().kill() : store.store().close();
  const std::string archive = exported(store.path());
  const import_outcome outcome = imported(archive, elsewhere.path() / "new");
  EXPECT_EQ(lines_of(outcome.found), "");
  EXPECT_TRUE(archive == exported(elsewhere.path() / "new"));
  EXPECT_EQ(seen_in(elsewhere.path() / "new", store), seen_in(store.path(), store));
}

INSTANTIATE_TEST_SUITE_P(seeds, transfer_test, testing::Range(1u, 13u));

TEST(transfer, of_blocks_that_are_acknowledged_whole) {
  lived_store store(1);
  scratch_directory elsewhere;
  const stream_id queue = store.queues()[0];
  store.store().append_many(queue, 9'000, 10);
  store.store().commit();
  store.store().ack(queue, {1, 5'000});
  store.store().ack(queue, {6'200, 6'300});
  store.store().close();
  EXPECT_EQ(lines_of(inspected(store.path())), "");
  const std::string archive = exported(store.path());
  EXPECT_EQ(lines_of(imported(archive, elsewhere.path() / "new").found), "");
  EXPECT_TRUE(archive == exported(elsewhere.path() / "new"));
  EXPECT_EQ(seen_in(elsewhere.path() / "new", store), seen_in(store.path(), store));
}

TEST(transfer, life_goes_on_in_the_new_store) {
  lived_store old(4);
  scratch_directory elsewhere;
  old.live(80);
  old.store().close();
  imported(exported(old.path()), elsewhere.path());
  const auto go_on = [&](const std::filesystem::path& directory) {
    store opened({directory, 32 << 20, {256 * 1024}, false});
    std::map<stream_id, offset_t> next;
    for (const stream_id id : {old.queues()[0], old.logs()[0], old.logs()[2]}) {
      next[id] = opened.found_books().streams.at(id).next;
    }
    for (int commit = 0; commit < 100; ++commit) {
      for (auto& [id, offset] : next) {
        message_view message;
        const std::string body(3'000, static_cast<char>('a' + commit % 26));
        message.body = body;
        opened.open_group().append(id, offset++, commit, message);
      }
      opened.open_group().ack(old.queues()[0], next.at(old.queues()[0]) - 10);
      opened.submit();
      opened.step();
      opened.collect();
    }
    opened.close();
  };
  go_on(old.path());
  go_on(elsewhere.path());
  EXPECT_EQ(lines_of(inspected(elsewhere.path())), "");
  EXPECT_EQ(seen_in(elsewhere.path(), old), seen_in(old.path(), old));
}

// Two stores imported from one archive may both be used, and assign the same offset to different records.
TEST(transfer, an_imported_store_is_a_new_incarnation_unless_told_otherwise) {
  lived_store old(6);
  scratch_directory elsewhere;
  old.live(100);
  old.store().close();
  const std::string archive = exported(old.path());
  imported(archive, elsewhere.path() / "moved", {{}, true});
  imported(archive, elsewhere.path() / "copy", {});
  imported(archive, elsewhere.path() / "another", {});
  const auto incarnation = [&](const char* name) {
    return offline_store(elsewhere.path() / name).identity().incarnation;
  };
  EXPECT_EQ(incarnation("moved"), offline_store(old.path()).identity().incarnation);
  EXPECT_NE(incarnation("copy"), incarnation("moved"));
  EXPECT_NE(incarnation("copy"), incarnation("another"));
  EXPECT_EQ(incarnation("copy").size(), 36u);
}

TEST(transfer, a_store_may_change_its_size) {
  lived_store old(6);
  scratch_directory elsewhere;
  old.live(100);
  old.store().close();
  imported(exported(old.path()), elsewhere.path() / "larger", {64 << 20, true});
  EXPECT_EQ(std::filesystem::file_size(elsewhere.path() / "larger" / store_file), 64u << 20);
  try {
    imported(exported(old.path()), elsewhere.path() / "small", {256 << 10, true});
    FAIL();
  } catch (const storage_failure& failure) {
    EXPECT_THAT(failure.what(), HasSubstr("--bytes-max"));
  }
  EXPECT_FALSE(std::filesystem::exists(elsewhere.path() / "small"));
}

TEST(transfer, a_store_without_a_commit_is_a_store) {
  scratch_store empty({8 << 20, 256 * 1024});
  empty.kill();
  scratch_directory elsewhere;
  const std::string archive = exported(empty.path());
  imported(archive, elsewhere.path());
  EXPECT_TRUE(archive == exported(elsewhere.path()));
}

// Loss records are copied as bytes, whatever their format is.
TEST(transfer, loss_records_go_along) {
  lived_store old(6);
  old.store().close();
  loss_record gone{loss_reason::device, stream_id{}, "hall", 7, 12, 5};
  raw_file(old.path()).put_row(&tables::loss, loss_key(5), encode(gone));
  scratch_directory elsewhere;
  imported(exported(old.path()), elsewhere.path());
  const auto rows = raw_file(elsewhere.path()).rows(&tables::loss);
  EXPECT_EQ(rows, raw_file(old.path()).rows(&tables::loss));
  offline_store moved(elsewhere.path());
  const auto losses = survey(moved).losses;
  ASSERT_FALSE(losses.empty());
  EXPECT_EQ(losses.front().record, gone);
}

std::string unhex(std::string_view digits) {
  std::string bytes;
  for (std::size_t at = 0; at < digits.size(); at += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(digits.substr(at, 2)), nullptr, 16)));
  }
  return bytes;
}

TEST(transfer, an_archive_of_format_2_makes_a_store) {
  scratch_directory elsewhere;
  const import_outcome outcome = imported(unhex(archive_of_format_2_hex), elsewhere.path());
  EXPECT_EQ(lines_of(outcome.found), "");
  {
    offline_store made(elsewhere.path());
    const auto losses = survey(made).losses;
    ASSERT_EQ(losses.size(), 1u);
    EXPECT_EQ(losses[0].record.source, "hall");
  }
  store opened({elsewhere.path(), 1 << 20, {256 * 1024}, false});
  EXPECT_EQ(opened.found_books().time.lifetime, milliseconds(60'500));
  const auto definitions = definitions_in(opened.found());
  EXPECT_EQ(definitions.size(), 2u);
  EXPECT_EQ(opened.found_books().streams.at(stream_id{1}).held_bytes, std::string("waits").size());
  const auto& age_marks = opened.found_books().streams.at(stream_id{2}).age_marks;
  ASSERT_EQ(age_marks.size(), 1u);
  EXPECT_EQ(age_marks[0].offset, 1u);
  EXPECT_EQ(
      seen(opened, {stream_id{1}, stream_id{2}}),
      fmt::format("32445915-a470-4d48-93c7-755129428b18 true 3\n"
                  "qwork \x0a\x04work\x10\x01\n"
                  "{} {}\n{} 1\nsensor 1 44 5\n"
                  "1 1 1 2 2 0\ncounted 1 2\n1 2 waits\n"
                  "2 2 0 2 4 0\n0 3 21.5\n1 4 21.6\n",
                  definitions.rbegin()->first, definitions.rbegin()->second, cursor_key(stream_id{2}, "readers")));
}

std::string complaint_about(const std::string& archive) {
  scratch_directory elsewhere;
  std::string text;
  try {
    imported(archive, elsewhere.path() / "new");
  } catch (const storage_failure& failure) {
    text = failure.what();
  }
  EXPECT_FALSE(std::filesystem::exists(elsewhere.path() / "new")) << text;
  return text;
}

class damaged_archive : public testing::Test {
 protected:
  damaged_archive() : old_(9, {2 << 20, 256 * 1024}) {
    old_.live(3);
    old_.store().close();
    whole_ = exported(old_.path());
  }
  lived_store old_;
  std::string whole_;
};

TEST_F(damaged_archive, cut_anywhere_it_is_refused) {
  std::mt19937 random(1);
  for (int i = 0; i < 30; ++i) {
    EXPECT_THAT(complaint_about(whole_.substr(0, random() % whole_.size())), HasSubstr("cut short: it ends at byte"));
  }
}

TEST_F(damaged_archive, flipped_anywhere_it_is_refused) {
  std::mt19937 random(2);
  for (int i = 0; i < 60; ++i) {
    std::string damaged = whole_;
    const std::size_t at = i < 30 ? static_cast<std::size_t>(i) : random() % damaged.size();
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
    EXPECT_NE(complaint_about(damaged), "") << at;
  }
}

TEST_F(damaged_archive, sections_have_their_places) {
  std::istringstream in(whole_);
  archive_reader reader(in);
  std::vector<archive_section> sections;
  do {
    sections.push_back(reader.next());
  } while (sections.back().type != section_type::end);
  sections.push_back({section_type::end, "", whole_.size()});
  for (std::size_t i = 0; i + 3 < sections.size(); ++i) {
    const auto at = sections[i].at, next = sections[i + 1].at, behind = sections[i + 2].at;
    const std::string one = whole_.substr(at, next - at), two = whole_.substr(next, behind - next);
    const std::string before = whole_.substr(0, at), after = whole_.substr(behind);
    EXPECT_THAT(complaint_about(before + two + after), HasSubstr("damaged at byte"));
    EXPECT_THAT(complaint_about(before + one + one + two + after), HasSubstr("damaged at byte"));
    if (i > 40) break;
  }
}

std::string with_format(std::uint32_t format) {
  archive_header header;
  header.format = format;
  std::ostringstream out;
  archive_writer(out).section(section_type::header, encode(header));
  return out.str();
}

TEST(transfer, archives_of_other_formats_are_refused) {
  for (const std::uint32_t format : {1, 6}) {
    EXPECT_THAT(complaint_about(with_format(format)),
                HasSubstr(fmt::format("of a store of format {}, this program takes formats 2 to 5", format)));
  }
}

TEST_F(damaged_archive, strangers_are_refused) {
  EXPECT_THAT(complaint_about("#!/bin/sh\necho"), HasSubstr("no archive of a store"));
  EXPECT_THAT(complaint_about(""), HasSubstr("cut short"));
  EXPECT_THAT(complaint_about(whole_ + "x"), HasSubstr("something follows its end"));
  std::string newer = whole_;
  newer[7] = 9;
  EXPECT_THAT(complaint_about(newer), HasSubstr("has version 9, this program reads versions 1 to 2"));
}

TEST(transfer, only_an_empty_place_is_taken) {
  lived_store old(9);
  old.store().close();
  const std::string archive = exported(old.path());
  const auto before = std::filesystem::file_size(old.path() / store_file);
  try {
    imported(archive, old.path());
    FAIL();
  } catch (const storage_failure& failure) {
    EXPECT_THAT(failure.what(), HasSubstr("is not an empty directory"));
  }
  EXPECT_EQ(std::filesystem::file_size(old.path() / store_file), before);
}

// An import that was killed in the middle leaves no store that a broker would open.
TEST(transfer, a_half_made_store_is_not_opened) {
  lived_store old(9);
  old.live(60);
  old.store().close();
  std::string archive = exported(old.path());
  archive.resize(archive.size() - 100);
  scratch_directory elsewhere;
  auto place = std::make_unique<new_store_place>(elsewhere.path());
  std::istringstream in(archive);
  EXPECT_THROW(import_archive(in, *place), storage_failure);
  place->keep();
  try {
    store opened({elsewhere.path(), 32 << 20, {}, false});
    FAIL();
  } catch (const storage_failure& failure) {
    EXPECT_THAT(failure.what(), HasSubstr("has format 4294967295"));
  }
}

// The mark that the import is unfinished is written before the file is filled, which takes long.
TEST(transfer, an_import_that_has_hardly_begun_is_not_opened) {
  lived_store old(9);
  old.store().close();
  std::istringstream in(exported(old.path()));
  scratch_directory elsewhere;
  new_store_place place(elsewhere.path());
  struct enough {};
  const auto stop_at_once = [](std::string_view, std::uint64_t) { throw enough(); };
  EXPECT_THROW(import_archive(in, place, {}, stop_at_once), enough);
  EXPECT_THROW(store({elsewhere.path(), 32 << 20, {}, false}), storage_failure);
}

TEST(transfer, damage_in_the_old_store_ends_the_export) {
  lived_store old(9);
  old.live(60);
  old.store().close();
  {
    raw_file file(old.path());
    auto chunk = *file.rows(&tables::chunk).begin();
    chunk.second.back() = static_cast<char>(chunk.second.back() ^ 1);
    file.put(&tables::chunk, chunk.first, chunk.second);
  }
  EXPECT_THROW(exported(old.path()), storage_failure);
}

}  // namespace
}  // namespace tidegate::store::offline
