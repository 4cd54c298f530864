// For tests: collects the rows that a walk finds in the bytes of a data.mdb, and makes such files by hand.
#pragma once

#include <algorithm>
#include <concepts>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/store/offline/page_layout.hpp"
#include "broker/store/offline/page_walk.hpp"

namespace tidegate::store::offline {

// A file's bytes, without a byte more, so that a sanitizer reports reads past the end.
using file_bytes = std::vector<char>;
inline std::string_view view_of(const file_bytes& file) { return {file.data(), file.size()}; }

inline file_bytes bytes_of(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "data.mdb";
  file_bytes bytes(std::filesystem::file_size(path));
  std::ifstream(path, std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

using row_map = std::map<std::string, std::string>;
using table_map = std::map<std::string, row_map>;

struct found_rows {
  page_walk_result result;
  table_map in_tree;
  std::set<std::pair<std::string, std::string>> cut_off, free;

  // Returns whether the row was found anywhere.
  bool has(const std::string& key, const std::string& value) const {
    if (cut_off.contains({key, value}) || free.contains({key, value})) return true;
    return std::any_of(in_tree.begin(), in_tree.end(), [&](const auto& table) {
      const auto found = table.second.find(key);
      return found != table.second.end() && found->second == value;
    });
  }
  // Counts the expected rows that were not found.
  std::size_t missing(const table_map& expected) const {
    std::size_t missing = 0;
    for (const auto& [name, rows] : expected) {
      for (const auto& [key, value] : rows) missing += has(key, value) ? 0 : 1;
    }
    return missing;
  }
};

inline found_rows walked(std::string_view file) {
  found_rows found;
  found.result = walk_pages(file, [&](const found_row& row) {
    std::string key(row.key), value(row.value);
    if (row.is_in_tree) {
      found.in_tree[std::string(row.table)][std::move(key)] = std::move(value);
    } else {
      (row.is_free ? found.free : found.cut_off).emplace(std::move(key), std::move(value));
    }
  });
  return found;
}
inline found_rows walked(const file_bytes& file) { return walked(view_of(file)); }

// Makes files by hand that LMDB does not write on this machine.
class handmade_file {
 public:
  explicit handmade_file(std::size_t page, std::size_t pages) : page_(page), bytes_(page * pages) {
    for (std::size_t slot = 0; slot < 2; ++slot) {
      const std::size_t at = slot * page;
      header(slot, meta_page_flag, 0);
      put<std::uint32_t>(at + 16, 0xBEEFC0DE);
      put<std::uint32_t>(at + 20, 1);
      put<std::uint32_t>(at + 40, static_cast<std::uint32_t>(page));
      put<std::uint64_t>(at + 80, no_page);
      put<std::uint64_t>(at + 128, 2);
      put<std::uint64_t>(at + 136, pages - 1);
      put<std::uint64_t>(at + 144, 6 + slot);
    }
    header(2, leaf_page, 18);
    put<std::uint16_t>(2 * page + 16, 1'000);
    std::string record(tree_record::bytes, '\0');
    node(2 * page + 1'000, tree_record::bytes, value_is_tree, "state", record);
    put<std::uint64_t>(2 * page + 1'000 + 8 + 5 + 32, 2);
    put<std::uint64_t>(2 * page + 1'000 + 8 + 5 + 40, 3);
  }
  void header(std::size_t number, std::uint16_t flags, std::uint16_t lower) {
    put<std::uint64_t>(number * page_, number);
    put<std::uint16_t>(number * page_ + 10, flags);
    put<std::uint16_t>(number * page_ + 12, lower);
  }
  void node(std::size_t at, std::uint32_t low, std::uint16_t flags, std::string_view key, std::string_view behind) {
    put<std::uint32_t>(at, low);
    put<std::uint16_t>(at + 4, flags);
    put<std::uint16_t>(at + 6, static_cast<std::uint16_t>(key.size()));
    std::copy(key.begin(), key.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(at + 8));
    std::copy(behind.begin(), behind.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(at + 8 + key.size()));
  }
  template <std::unsigned_integral T>
  void put(std::size_t at, T value) {
    for (std::size_t i = 0; i < sizeof value; ++i) bytes_[at + i] = static_cast<char>(value >> (8 * i));
  }
  file_bytes& bytes() { return bytes_; }

 private:
  std::size_t page_;
  file_bytes bytes_;
};

}  // namespace tidegate::store::offline
