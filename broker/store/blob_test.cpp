// Checks the journal's blobs against the bytes in docs/store-format.md.
#include "broker/store/blob.hpp"

#include <gmock/gmock.h>

#include <random>

#include "broker/base/bytes.hpp"
#include "broker/base/crc32c.hpp"
#include "broker/store/example_bytes.hpp"

namespace tidegate::store {
namespace {

// The seed of a ring whose id is all zeros.
const std::uint32_t seed = crc32c(std::string(16, '\0'));
constexpr ring_position place = 4'096;
constexpr std::uint32_t crc_before = 0x01020304;

std::string sealed(blob_writer blob) {
  std::string bytes = blob.bytes();
  seal_blob(bytes, place, crc_before, seed);
  return bytes;
}

std::string example_blob() {
  blob_writer blob(7, example_time);
  blob.append(stream_id{1}, one_reading());
  blob.acked(stream_id{2}, {{5, 8}});
  return sealed(std::move(blob));
}

TEST(blob, a_blob_in_exact_bytes) {
  EXPECT_EQ(hex(example_blob()), fmt::format("54474a33"
                                             "000000ac"
                                             "f0bcadf7"
                                             "0000000000000007"
                                             "0000000000001000"
                                             "01020304"
                                             "0001"
                                             "000000000000ea60"
                                             "0000018bcfe56800"
                                             "000000000000000b"
                                             "0000000000015f90"
                                             "01"
                                             "60"
                                             "00000001"
                                             "{}"
                                             "02"
                                             "06"
                                             "00000002"
                                             "05"
                                             "03",
                                             batch_hex));
}

// Returns the head and all entries of a blob as text, in their order.
std::string told(std::string_view blob) {
  std::string out;
  const auto number = [](stream_id id) { return static_cast<std::uint32_t>(id); };
  blob_visitor visitor;
  const blob_head head = read_blob_head(blob);
  out += fmt::format("{} at {}{}, {} {} {};", head.commit, head.position, head.is_in_tables ? " in tables" : "",
                     head.time.lifetime.count(), head.time.wall.count(), head.time.wall_trusted);
  visitor.append = [&](stream_id id, std::string_view batch, std::uint32_t position) {
    EXPECT_EQ(blob.substr(position, batch.size()), batch);
    out += fmt::format("append {} {};", number(id), batch.size());
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
  visitor.fact = [&](std::string_view name, std::optional<std::string_view> value) {
    out += fmt::format("fact {} {};", name, value.value_or("is gone"));
  };
  visitor.created = [&](stream_id id, stream_kind kind, bool in_memory) {
    out += fmt::format("created {} {} {};", number(id), static_cast<int>(kind), in_memory);
  };
  visitor.dropped = [&](stream_id id) { out += fmt::format("dropped {};", number(id)); };
  visitor.reserved = [&](stream_id id, offset_t end, const drop_totals& totals) {
    out += fmt::format("reserved {} {} {};", number(id), end, totals.records);
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
  blob.fact("Psensor", "44");
  blob.fact("Pold", std::nullopt);
  blob.fact("Dqempty", "");
  blob.created(stream_id{3}, stream_kind::log, false);
  blob.created(stream_id{4}, stream_kind::queue, true);
  blob.reserved(stream_id{4}, 1'000, {5, 0});
  blob.dropped(stream_id{3});
  blob.age_marked(stream_id{1}, {milliseconds(30), 3});
  blob.lost(8, example_loss(), {40, 30});
  return sealed(std::move(blob));
}

TEST(blob, a_blob_is_taken_apart_in_its_order) {
  EXPECT_EQ(told(full_blob()),
            "7 at 4096, 60000 1700000000000 true;append 1 92;acked 2 5-8;acked 2 10-300;delivered 2 9 3;trimmed 1 4;"
            "held 2 500;fact Psensor 44;fact Pold is gone;fact Dqempty ;created 3 2 false;created 4 1 true;"
            "reserved 4 1000 5;dropped 3;age 1 30 3;lost 8 1 retention_bytes 4 of 40;");
}

TEST(blob, what_is_left_to_the_tables_goes_out_of_it) {
  blob_writer blob(7, example_time);
  blob.append(stream_id{1}, one_reading());
  blob.acked(stream_id{2}, {{5, 8}});
  blob.append(stream_id{2}, one_reading());
  blob.leave_records_to_tables();
  EXPECT_EQ(told(sealed(blob)), "7 at 4096 in tables, 60000 1700000000000 true;acked 2 5-8;");
  blob.leave_all_to_tables();
  EXPECT_EQ(told(sealed(blob)), "7 at 4096 in tables, 60000 1700000000000 true;");
}

TEST(blob, every_cut_of_a_blob_is_told) {
  const std::string blob = full_blob();
  EXPECT_TRUE(is_sealed(blob, seed));
  for (std::size_t size = 0; size < blob.size(); ++size) {
    EXPECT_FALSE(is_sealed(std::string_view(blob).substr(0, size), seed)) << size;
  }
  EXPECT_FALSE(is_sealed(blob + "x", seed));
  EXPECT_FALSE(is_sealed(blob, seed + 1)) << "another ring's";
}

TEST(blob, every_flipped_bit_of_a_blob_is_told) {
  const std::string blob = full_blob();
  for (std::size_t bit = 0; bit < blob.size() * 8; ++bit) {
    EXPECT_FALSE(is_sealed(with_flipped_bit(blob, bit), seed)) << bit;
  }
}

// Decodes random entries as if the CRC were right: they are refused or decoded, and nothing is read out of bounds.
TEST(blob, wild_entries_never_lead_astray) {
  const std::string good = full_blob();
  std::mt19937 random(1);
  int refused = 0;
  for (int round = 0; round < 5'000; ++round) {
    std::string blob = good;
    for (int flips = 0; flips < 3; ++flips) {
      blob[blob_head_bytes + random() % (blob.size() - blob_head_bytes)] = static_cast<char>(random());
    }
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
