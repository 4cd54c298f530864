// Files that LMDB does not write on this machine are recognised or refused.
#include "broker/store/offline/page_layout.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "broker/base/error.hpp"
#include "broker/store/offline/found_rows.hpp"

namespace tidegate::store::offline {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::size_t page_bytes = 4'096;

// Makes a file with two rows: one whose value follows its key, at an odd address, and one with its value on two pages.
file_bytes file_of_large_pages() {
  constexpr std::size_t page = 16'384;
  handmade_file file(page, 8);
  file.header(3, leaf_page, 20);
  file.put<std::uint16_t>(3 * page + 16, 16'001);
  file.put<std::uint16_t>(3 * page + 18, 9'000);
  file.node(3 * page + 16'001, 3, 0, "Sa", "one");
  file.node(3 * page + 9'000, 20'000, value_is_elsewhere, "Sb", std::string("\4\0\0\0\0\0\0\0", 8));
  file.header(4, overflow_page, 2);
  std::fill_n(file.bytes().begin() + 4 * page + 16, 20'000, 'x');
  return file.bytes();
}

TEST(page_layout, pages_of_16_kib) {
  file_bytes file = file_of_large_pages();
  const row_map rows{{"Sa", "one"}, {"Sb", std::string(20'000, 'x')}};
  auto found = walked(file);
  EXPECT_EQ(found.result.page_bytes, 16'384u);
  EXPECT_TRUE(found.in_tree.at("state") == rows);
  std::fill_n(file.begin(), 100, '\0');
  EXPECT_TRUE(walked(file).in_tree.at("state") == rows) << "by the second meta page";
  std::fill_n(file.begin() + 16'384, 100, '\0');
  found = walked(file);
  EXPECT_EQ(found.result.page_bytes, 16'384u) << "by the numbers of the pages";
  EXPECT_EQ(found.missing({{"state", rows}}), 0u);
}

TEST(page_layout, branches_that_lead_round_in_a_circle) {
  handmade_file file(page_bytes, 6);
  for (const std::size_t number : {3u, 4u}) {
    file.header(number, branch_page, 16 + 2 * 100);
    for (std::size_t i = 0; i < 100; ++i) {
      file.put<std::uint16_t>(number * page_bytes + 16 + 2 * i, static_cast<std::uint16_t>(1'000 + 20 * i));
      file.node(number * page_bytes + 1'000 + 20 * i, i % 3 == 0 ? 5 : 7 - static_cast<std::uint32_t>(number), 0,
                i == 0 ? "" : fmt::format("S{:03}", i), "");
    }
  }
  file.header(5, leaf_page, 18);
  file.put<std::uint16_t>(5 * page_bytes + 16, 2'000);
  file.node(5 * page_bytes + 2'000, 3, 0, "S", "one");
  const auto found = walked(file.bytes());
  EXPECT_TRUE(found.in_tree.at("state") == (row_map{{"S", "one"}}));
  EXPECT_GE(found.result.pages_passed_over, 100u);
}

TEST(page_layout, files_of_other_machines_are_refused) {
  const auto refused = [](const file_bytes& file) -> std::string {
    try {
      walked(file);
    } catch (const storage_failure& failure) {
      return failure.what();
    }
    return "read";
  };
  for (const bool has_metas : {true, false}) {
    handmade_file narrow(page_bytes, 6);
    std::fill(narrow.bytes().begin(), narrow.bytes().end(), '\0');
    for (std::size_t number = has_metas ? 0 : 2; number < 6; ++number) {
      narrow.put<std::uint32_t>(number * page_bytes, static_cast<std::uint32_t>(number));
      narrow.put<std::uint16_t>(number * page_bytes + 6, number < 2 ? meta_page_flag : leaf_page);
      if (number < 2) narrow.put<std::uint32_t>(number * page_bytes + 12, 0xBEEFC0DE);
    }
    EXPECT_THAT(refused(narrow.bytes()), HasSubstr("written by a 32-bit, little-endian system"));
  }
  handmade_file turned(page_bytes, 3);
  std::fill(turned.bytes().begin(), turned.bytes().end(), '\0');
  turned.put<std::uint16_t>(10, 0x0800);
  turned.put<std::uint32_t>(16, 0xDEC0EFBE);
  EXPECT_THAT(refused(turned.bytes()), HasSubstr("written by a 64-bit, big-endian system"));
}

TEST(page_layout, what_is_no_file_of_lmdb_gives_nothing) {
  for (const std::size_t length : {0u, 1u, 4'095u, 4'096u, 100'000u}) {
    const auto found = walked(file_bytes(length));
    EXPECT_EQ(found.result.page_bytes, 0u) << length;
    EXPECT_THAT(found.cut_off, IsEmpty());
  }
}

}  // namespace
}  // namespace tidegate::store::offline
