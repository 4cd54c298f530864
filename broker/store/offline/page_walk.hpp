// Finds the rows of a damaged data.mdb page by page, for `tidegate store salvage`. LMDB itself trusts the numbers in a
// file, and would crash or loop on wrong ones.
//
// The walk first follows the trees from the newer meta page to the tables. If a table cannot be reached from there at
// all, it is searched from the older meta page, which is one commit older. Then the walk reads every leaf page that no
// tree led to. It checks only that pages and rows lie in the file as LMDB would have put them. The caller has to check
// each row's CRC-32C.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>

namespace tidegate::store::offline {

// Longer values are skipped, because a damaged length must not lead through the whole file. The longest row is the
// definition of a topic with 1,000 partitions: less than 256 KiB.
constexpr std::size_t salvaged_value_bytes_max = 1024 * 1024;

// A row that the walk found. Views are valid as long as the file's bytes.
struct found_row {
  std::string_view table;  // name of the table; empty = unknown, because no tree leads to the page
  std::string_view key;
  std::string_view value;
  bool is_in_tree = false;
  // The commit that was walked does not use the page: the page is on that commit's free list, or after its last page.
  // The row was deleted or replaced, or its own commit was never finished. False if the free list cannot be read.
  bool is_free = false;
};
using row_taker = std::function<void(const found_row&)>;

struct walked_table {
  std::string_view name;
  // LMDB's number of the commit whose meta page led to the table: the newer one, or the older one. 0 = not reached.
  std::uint64_t transaction = 0;
  std::uint64_t rows_said = 0;   // as stated in the tree's record, which may be damaged
  std::uint64_t rows_found = 0;  // in the tree
};

struct page_walk_result {
  std::size_t page_bytes = 0;     // 0 = the file has no page that LMDB could have written
  std::uint64_t transaction = 0;  // LMDB's number of the newer meta page's commit; 0 = both meta pages are damaged
  std::array<walked_table, 5> tables;
  // Every page that the commit does not use is known. So a row that is neither in a tree nor free was in a tree before
  // the damage.
  bool is_free_list_whole = false;
  std::uint64_t pages = 0;              // whole pages in the file
  std::uint64_t pages_passed_over = 0;  // times that a tree led to a page that does not belong to it
  std::uint64_t rows_passed_over = 0;   // nodes on a tree's pages that do not lie in the file with all their parts
  std::uint64_t pages_out_of_tree = 0;  // pages with rows that no tree led to

  // Returns null if a store has no table of this name.
  const walked_table* find(std::string_view name) const;
};

// Calls `take` with each row of data.mdb that can be found: rows in trees first, in their tables' order, then the
// others. A row may be found several times, also in several versions: LMDB copies a page to change it, and old copies
// stay until their pages are used again. Reads nothing outside of `file`, which may be cut short. Needs one byte of
// memory for each page. Throws storage_failure if the file comes from a machine of another word size or byte order.
//
// A free row may be forged: the sender of a record may have put bytes into it that look like a leaf page, on a page
// whose number was guessed. If the free list is not whole, rows that are neither in a tree nor free may be forged too.
page_walk_result walk_pages(std::string_view file, const row_taker& take);

}  // namespace tidegate::store::offline
