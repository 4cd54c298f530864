// Reads the structure of LMDB 0.9's data file from its bytes, for files that are damaged. Pure functions over borrowed
// bytes: whatever the bytes say, nothing is read outside of them and no memory is allocated.
//
// A page has 4 to 32 KiB. Numbers are little-endian and may be misaligned.
//
//   0 number u64 | 8 unused u16 | 10 flags u16 | 12 lower u16 | 14 upper u16 | 16 places of the nodes u16, in the order
//   of their keys, up to lower | free | from upper on: the nodes
//
// A node: 0 low, 2 high, 4 flags, 6 key size, u16 each; 8 key; then, on a leaf, the value. `high, low` are the value's
// size; on a branch `flags, high, low` are the number of the page below. A value too long for a leaf is stored on
// consecutive pages, after the header of the first page (which has the number of pages at 12, u32). The node has the
// first page's number as u64 in the value's place.
//
// This is the layout on 64-bit, little-endian machines. On others the words, and so all places, differ.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tidegate::store::offline {

using page_number = std::uint64_t;
constexpr page_number no_page = ~page_number{0};  // root of an empty tree
constexpr page_number first_tree_page = 2;        // the two meta pages are before it

constexpr std::size_t page_bytes_least = 4'096;
constexpr std::size_t page_bytes_most = 32'768;
constexpr std::size_t page_header_bytes = 16;

// Flags of a page. A page on the disk has exactly one of them.
constexpr std::uint16_t branch_page = 1;
constexpr std::uint16_t leaf_page = 2;
constexpr std::uint16_t overflow_page = 4;
constexpr std::uint16_t meta_page_flag = 8;

// Flags of a leaf's node. A store's rows have none or the first.
constexpr std::uint16_t value_is_elsewhere = 1;
constexpr std::uint16_t value_is_tree = 2;

// Returns the little-endian integer at `at`. Its bytes must lie within `bytes`.
template <std::unsigned_integral T>
T load_le(std::string_view bytes, std::size_t at) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value | static_cast<T>(T{static_cast<std::uint8_t>(bytes[at + i])} << (8 * i)));
  }
  return value;
}

struct page_node {
  std::string_view key;
  std::string_view behind_key;    // to the end of the page
  std::uint32_t value_bytes = 0;  // leaf node: the value's size as stated, which may be more than there is
  std::uint16_t flags = 0;        // leaf node
  page_number child = 0;          // branch node
};

class page_view {
 public:
  // `bytes`: the whole page, which outlives the view.
  explicit page_view(std::string_view bytes) : bytes_(bytes) {}

  page_number number() const { return load_le<std::uint64_t>(bytes_, 0); }
  std::uint16_t flags() const { return load_le<std::uint16_t>(bytes_, 10); }
  // Overflow page: returns how many consecutive pages start here.
  std::uint32_t overflow_pages() const { return load_le<std::uint32_t>(bytes_, 12); }
  // Leaf or branch: returns the number of nodes. 0 = the header is damaged, because there is no page without nodes.
  std::size_t nodes() const;
  // `index` is less than nodes(). Returns none if the node's header or its key does not lie where nodes of this page
  // are. `upper` is not checked: LMDB needs it only for writing, so a page on which it is damaged can still be read.
  std::optional<page_node> node(std::size_t index) const;

 private:
  std::string_view bytes_;
};

// LMDB's record of one of its trees, in a meta page or as the value stored under a table's name.
struct tree_record {
  static constexpr std::size_t bytes = 48;
  std::uint64_t rows = 0;
  page_number root = no_page;
};
// Reads a record from bytes that are tree_record::bytes long.
tree_record read_tree_record(std::string_view bytes);

// A meta page: the start of what one transaction left. Transactions use the two pages in turn.
struct meta_page {
  std::size_t page_bytes = 0;
  tree_record free_list;
  tree_record tables;         // the names of the other tables
  page_number last_page = 0;  // the highest page that was ever used
  std::uint64_t transaction = 0;
};

struct data_file_layout {
  std::size_t page_bytes = 0;      // 0 = no page was recognised
  std::optional<meta_page> newer;  // none = both are damaged, and page_bytes is the length that most pages fit
  std::optional<meta_page> older;  // none = the other one is damaged
};
// Finds the meta pages and the length of pages. Throws storage_failure if the file comes from a machine of another word
// size or byte order.
data_file_layout recognise_data_file(std::string_view file);

}  // namespace tidegate::store::offline
