// Finds the rows of a damaged data.mdb page by page, for `tidegate store salvage`. LMDB itself believes the numbers in
// a file, and would crash or loop on wrong ones.
//
// First follows the trees from the newer meta page to the tables. A table that cannot be reached from there at all is
// looked for from the older meta page, which is one commit behind. Then reads every leaf page that no tree led to.
// Checks only that pages and rows lie in the file as LMDB would have put them. Whether a row is true is for the caller
// to find out, by the row's CRC-32C.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>

namespace tidegate::store::offline {

// Longer values are passed over, because a damaged length must not lead through the whole file. The longest row is the
// definition of a topic with 1,000 partitions: less than 256 KiB.
constexpr std::size_t salvaged_value_bytes_max = 1024 * 1024;

// Views last as long as the file's bytes.
struct found_row {
  std::string_view table;  // name of the table; empty: unknown, since no tree leads to the page
  std::string_view key;
  std::string_view value;
  bool is_in_tree = false;
  // The commit that was walked does not use the page: the page is on that commit's free list, or behind its last page.
  // The row was deleted or replaced, or its own commit was never finished. False where the free list cannot be read.
  bool is_free = false;
};
using row_taker = std::function<void(const found_row&)>;

struct walked_table {
  std::string_view name;
  // LMDB's number of the commit whose meta page led to the table: the newer one, or the older one. 0: not reached.
  std::uint64_t transaction = 0;
  std::uint64_t rows_said = 0;   // as the tree's record says, which may be damaged
  std::uint64_t rows_found = 0;  // in the tree
};

struct page_walk_result {
  std::size_t page_bytes = 0;     // 0: the file has no page that LMDB could have written
  std::uint64_t transaction = 0;  // LMDB's number of the newer meta page's commit; 0: both are damaged
  std::array<walked_table, 5> tables;
  // Every page that the commit does not use is known. A row that is neither in a tree nor free then was in a tree until
  // the damage.
  bool is_free_list_whole = false;
  std::uint64_t pages = 0;              // whole ones in the file
  std::uint64_t pages_passed_over = 0;  // times a tree led to a page that is not what it should be
  std::uint64_t rows_passed_over = 0;   // nodes on a tree's pages of which some part does not lie in the file
  std::uint64_t pages_out_of_tree = 0;  // that gave rows

  // None: a table of this name is not a store's.
  const walked_table* find(std::string_view name) const;
};

// Gives `take` each row of data.mdb that can be found: rows in trees first, in their tables' order, then the others. A
// row may be given several times, in several versions too: LMDB copies a page to change it, and old copies stay until
// their pages are used again. Reads nothing outside of `file`, which may be cut short. Needs one byte of memory for
// each page. Throws storage_failure where the file comes from a machine of another word size or byte order.
//
// A free row may be forged: whoever sent a record can have put bytes into it that look like a leaf page, on a page
// whose number was guessed. Rows that are neither in a tree nor free may be forged, too, where the free list is not
// whole.
page_walk_result walk_pages(std::string_view file, const row_taker& take);

}  // namespace tidegate::store::offline
