// The journal's blobs in the bytes of docs/store-format.md.
#include "broker/store/blob.hpp"

#include <gmock/gmock.h>

#include <random>

#include "broker/base/bytes.hpp"
#include "broker/base/crc32c.hpp"
#include "broker/store/example_bytes.hpp"

namespace tidegate::store {
namespace {

std::string example_blob() {
  blob_writer blob(7, example_time);
  blob.append(stream_id{1}, one_reading());
  blob.acked(stream_id{2}, {{5, 8}});
  return blob.finish().front().bytes;
}

TEST(blob, a_blob_in_exact_bytes) {
  EXPECT_EQ(hex(example_blob()), fmt::format("54474a32"
                                             "000000a1"
                                             "5daae52a"
                                             "0000000000000007"
                                             "0000"
                                             "0001"
                                             "000000000000ea60"
                                             "0000018bcfe56800"
                                             "000000000000000b"
                                             "0000000000015f90"
                                             "01"
                                             "00000001"
                                             "5c"
                                             "{}"
                                             "02"
                                             "00000002"
                                             "05"
                                             "03",
                                             batch_hex));
}

// Everything a blob can say, as text, in the order it says it.
std::string told(std::string_view blob) {
  std::string out;
  const auto number = [](stream_id id) { return static_cast<std::uint32_t>(id); };
  blob_visitor visitor;
  visitor.head = [&](const blob_head& head) {
    out += fmt::format("{} of {}{} at {} {} {};", head.part, head.commit, head.has_more ? ", more" : "",
                       head.time.lifetime.count(), head.time.wall.count(), head.time.wall_trusted);
  };
  visitor.append = [&](stream_id id, std::string_view batch, blob_writer::place place) {
    EXPECT_EQ(blob.substr(place.position, batch.size()), batch);
    out += fmt::format("append {} {} in {};", number(id), batch.size(), place.part);
  };
  visitor.acked = [&](stream_id id, offset_range range) {
    out += fmt::format("acked {} {}-{};", number(id), range.begin, range.end);
  };
  visitor.delivered = [&](stream_id id, offset_t offset, std::uint32_t count) {
    out += fmt::format("delivered {} {} {};", number(id), offset, count);
  };
  visitor.trimmed = [&](stream_id id, offset_t log_start) {
    out += fmt::format("trimmed {} {};", number(id), log_start);
  };
  visitor.held = [&](stream_id id, std::uint64_t bytes) { out += fmt::format("held {} {};", number(id), bytes); };
  visitor.cursor = [&](stream_id id, std::string_view group, const cursor_state& cursor) {
    out += fmt::format("cursor {} {} {} {};", number(id), group, cursor.offset, cursor.metadata);
  };
  visitor.producer = [&](std::string_view name, std::optional<producer_state> state) {
    out += state ? fmt::format("producer {} {};", name, state->sequence) : fmt::format("no producer {};", name);
  };
  visitor.age_marked = [&](stream_id id, const age_mark& mark) {
    out += fmt::format("age {} {} {};", number(id), mark.lifetime.count(), mark.offset);
  };
  visitor.lost = [&](loss_number row, const loss_record& record, const drop_totals& totals) {
    out += fmt::format("lost {} {} {} {} of {};", row, number(record.stream), name(record.reason), record.records,
                       totals.records);
  };
  visit_blob(blob, visitor);
  return out;
}

std::string full_blob() {
  blob_writer blob(7, example_time);
  blob.append(stream_id{1}, one_reading());
  blob.acked(stream_id{2}, {{5, 8}, {10, 300}});
  blob.deliveries(stream_id{2}, {{9, 3}});
  blob.trimmed(stream_id{1}, 4);
  blob.held(stream_id{2}, 500);
  blob.cursor(stream_id{1}, "readers", {9, "meta"});
  blob.producer("sensor", {1, 44, 5});
  blob.producer_erased("old");
  blob.age_marked(stream_id{1}, {milliseconds(30), 3});
  blob.lost(8, example_loss(), {40, 30});
  return blob.finish().front().bytes;
}

TEST(blob, a_blob_is_taken_apart_in_its_order) {
  EXPECT_EQ(told(full_blob()),
            "0 of 7 at 60000 1700000000000 true;append 1 92 in 0;acked 2 5-8;acked 2 10-300;delivered 2 9 3;trimmed 1 "
            "4;held 2 500;cursor 1 readers 9 meta;"
            "producer sensor 44;no producer old;age 1 30 3;lost 8 1 retention_bytes 4 of 40;");
}

TEST(blob, a_long_commit_is_split_into_parts) {
  blob_writer blob(7, example_time);
  for (int i = 0; i < 250; ++i) blob.append(stream_id{1}, one_reading());
  const auto parts = blob.finish();
  ASSERT_EQ(parts.size(), 2u);
  for (const auto& part : parts) EXPECT_LE(part.bytes.size(), row_bytes);
  EXPECT_THAT(told(parts[0].bytes), testing::StartsWith("0 of 7, more at"));
  EXPECT_THAT(told(parts[1].bytes), testing::StartsWith("1 of 7 at"));
  EXPECT_THAT(told(parts[1].bytes), testing::HasSubstr("in 1;"));
  EXPECT_TRUE(blob.empty());
  EXPECT_EQ(blob.last_part(), 1u);
  blob.append(stream_id{1}, one_reading());
  EXPECT_EQ(blob.last_part(), 2u);
  EXPECT_EQ(blob.finish().front().number, 2u);
}

TEST(blob, a_part_that_is_continued_differs_in_a_flag_alone) {
  const std::string last = full_blob(), changed = continued(last);
  EXPECT_EQ(told(changed), std::string(told(last)).insert(6, ", more"));
  EXPECT_EQ(hex(changed.substr(20, 4)),
            "0000"
            "0003");
  EXPECT_TRUE(changed.substr(24) == last.substr(24));
  EXPECT_EQ(continued(changed), changed);
}

// What a sequence of blobs is told for, or nothing: "COMMIT.PART", with a "+" where more parts follow.
std::string complaint_about(const std::vector<std::string>& blobs) {
  journal_sequence sequence;
  try {
    for (const std::string& blob : blobs) {
      blob_head head;
      head.commit = static_cast<commit_number>(blob[0] - '0');
      head.part = static_cast<std::uint16_t>(blob[2] - '0');
      head.has_more = blob.ends_with("+");
      sequence.take(journal_key(head.commit, head.part), head);
    }
  } catch (const store_damaged& damage) {
    return damage.what();
  }
  return sequence.complaint();
}

TEST(journal_sequence, tells_what_is_missing) {
  using testing::HasSubstr;
  EXPECT_EQ(complaint_about({}), "");
  EXPECT_EQ(complaint_about({"3.0"}), "");
  EXPECT_EQ(complaint_about({"3.0+", "3.1+", "3.2", "4.0", "5.0+", "5.1"}), "");
  EXPECT_THAT(complaint_about({"3.1", "4.0"}), HasSubstr("has part 1 of commit 3 where part 0 of commit 3 belongs"));
  EXPECT_THAT(complaint_about({"3.0", "5.0"}), HasSubstr("has part 0 of commit 5 where part 0 of commit 4 belongs"));
  EXPECT_THAT(complaint_about({"3.0", "4.1"}), HasSubstr("has part 1 of commit 4 where part 0 of commit 4 belongs"));
  EXPECT_THAT(complaint_about({"3.0+", "3.2"}), HasSubstr("has part 2 of commit 3 where part 1 of commit 3 belongs"));
  EXPECT_THAT(complaint_about({"3.0+", "4.0"}), HasSubstr("has part 0 of commit 4 where part 1 of commit 3 belongs"));
  EXPECT_THAT(complaint_about({"3.0", "3.1"}), HasSubstr("has part 1 of commit 3 where part 0 of commit 4 belongs"));
  EXPECT_EQ(complaint_about({"3.0", "4.0+"}), "the journal ends before part 1 of commit 4");
}

TEST(journal_sequence, a_blob_under_another_key_is_told_and_may_be_passed_over) {
  journal_sequence sequence;
  sequence.take(journal_key(3, 0), {3, 0, false, {}});
  EXPECT_THROW(sequence.take(journal_key(4, 0), {9, 0, false, {}}), store_damaged);
  EXPECT_EQ(sequence.last_commit(), 3u);
  sequence.take(journal_key(4, 0), {4, 0, false, {}});
  EXPECT_EQ(sequence.last_commit(), 4u);
}

TEST(blob, every_cut_of_a_blob_is_refused) {
  const std::string blob = full_blob();
  for (std::size_t size = 0; size < blob.size(); ++size) {
    EXPECT_THROW(told(std::string_view(blob).substr(0, size)), storage_failure) << size;
  }
  EXPECT_THROW(told(blob + "x"), storage_failure);
}

TEST(blob, every_flipped_bit_of_a_blob_is_refused) {
  std::string blob = full_blob();
  for (std::size_t bit = 0; bit < blob.size() * 8; ++bit) {
    blob[bit / 8] = static_cast<char>(blob[bit / 8] ^ (1 << bit % 8));
    EXPECT_THROW(told(blob), storage_failure) << bit;
    blob[bit / 8] = static_cast<char>(blob[bit / 8] ^ (1 << bit % 8));
  }
}

// With a CRC made right again: what is behind it is refused or read, never out of bounds.
TEST(blob, wild_entries_never_lead_astray) {
  const std::string good = full_blob();
  std::mt19937 random(1);
  int refused = 0;
  for (int round = 0; round < 5'000; ++round) {
    std::string blob = good;
    for (int flips = 0; flips < 3; ++flips) blob[56 + random() % (blob.size() - 56)] = static_cast<char>(random());
    store_be<std::uint32_t>(blob.data() + 8, crc32c(std::string_view(blob).substr(12)));
    try {
      told(blob);
    } catch (const storage_failure&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace tidegate::store
