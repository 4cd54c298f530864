#include "broker/store/offline/page_walk.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "broker/store/offline/page_layout.hpp"

namespace tidegate::store::offline {
namespace {

constexpr std::array<std::string_view, 5> table_names{"chunk", "state", "catalog", "loss", "meta"};
constexpr int depth_max = 32;  // LMDB's own bound

// State of a page, one bit each. A tree's bit is set when the walk has been on the page, so no walk goes round in
// circles. Each table has its own bit: a damaged page number that leads into another table's tree must not keep that
// table from being walked.
using page_marks = std::uint8_t;
constexpr page_marks in_table(std::size_t index) { return static_cast<page_marks>(1U << index); }
constexpr page_marks in_other_tree = 1U << 5;  // the free list, or the names of the tables
constexpr page_marks in_value = 1U << 6;
constexpr page_marks on_free_list = 1U << 7;

// The keys that may be below a branch's node. No `end` = up to the last key.
struct key_range {
  std::string_view begin;
  std::optional<std::string_view> end;
  bool contains(std::string_view key) const { return key >= begin && (!end || key < *end); }
};

using table_records = std::array<std::optional<tree_record>, table_names.size()>;

struct tree {
  page_marks mark = 0;
  // The free list's keys are numbers in the machine's byte order, so their bytes have no order.
  bool is_ordered_by_bytes = true;
  // Returns false for a page that cannot be one of this tree's.
  std::function<bool(const page_view&)> take_leaf;
};

// Returns whether most of the page's keys, from node `first` on, are in the range. A key or two may be damaged. If most
// are elsewhere, the page belongs elsewhere: a damaged number led to it, or its last write never reached the disk.
bool is_page_for(const page_view& page, std::size_t first, const key_range& range) {
  std::size_t readable = 0, fitting = 0;
  for (std::size_t i = first; i < page.nodes(); ++i) {
    const auto node = page.node(i);
    if (!node) continue;
    ++readable;
    if (range.contains(node->key)) ++fitting;
  }
  return fitting * 2 > readable;
}

class page_walker {
 public:
  page_walker(std::string_view file, const row_taker& take)
      : file_(file), take_(take), layout_(recognise_data_file(file)) {
    result_.page_bytes = layout_.page_bytes;
    for (std::size_t i = 0; i < table_names.size(); ++i) result_.tables[i].name = table_names[i];
    if (layout_.page_bytes == 0) return;
    result_.pages = file.size() / layout_.page_bytes;
    marks_.resize(result_.pages);
  }

  page_walk_result run() {
    if (layout_.newer) {
      result_.transaction = layout_.newer->transaction;
      walk_tables(*layout_.newer);
      if (layout_.older && !is_all_reached()) walk_tables(*layout_.older);
      result_.is_free_list_whole = walk_free_list(*layout_.newer);
    }
    look_out_of_tree();
    return result_;
  }

 private:
  page_view page_at(page_number number) const {
    return page_view(file_.substr(number * layout_.page_bytes, layout_.page_bytes));
  }
  bool pass_over() {
    ++result_.pages_passed_over;
    return false;
  }

  // Returns false if there is no page of this tree.
  bool walk(const tree& tree, page_number number, const key_range& range, int depth) {
    if (number < first_tree_page || number >= result_.pages || depth == depth_max) return pass_over();
    if ((marks_[number] & tree.mark) != 0) return pass_over();
    const page_view page = page_at(number);
    if (page.flags() == leaf_page) {
      const bool is_its_own = !tree.is_ordered_by_bytes || is_page_for(page, 0, range);
      if (page.nodes() == 0 || !is_its_own || !tree.take_leaf(page)) return pass_over();
      marks_[number] |= tree.mark;
      return true;
    }
    return page.flags() == branch_page ? walk_branch(tree, number, range, depth) : pass_over();
  }

  // The first key of a branch is not checked: LMDB treats it as the start of the range, and often leaves it empty.
  bool walk_branch(const tree& tree, page_number number, const key_range& range, int depth) {
    const page_view page = page_at(number);
    const std::size_t nodes = page.nodes();
    const bool is_its_own = nodes == 1 || !tree.is_ordered_by_bytes || is_page_for(page, 1, range);
    if (nodes == 0 || !is_its_own) return pass_over();
    marks_[number] |= tree.mark;
    for (std::size_t i = 0; i < nodes; ++i) {
      const auto node = page.node(i);
      if (!node) {
        ++result_.rows_passed_over;
        continue;
      }
      key_range below;
      if (tree.is_ordered_by_bytes) {
        const auto next = i + 1 < nodes ? page.node(i + 1) : std::nullopt;
        below = {i == 0 ? range.begin : node->key, next ? std::optional(next->key) : range.end};
      }
      walk(tree, node->child, below, depth + 1);
    }
    return true;
  }

  // Returns false if the tree is not empty and its root is not there.
  bool walk_root(const tree& tree, const tree_record& record) {
    if (record.root == no_page) return record.rows == 0;
    return walk(tree, record.root, {}, 0);
  }

  bool is_all_reached() const {
    return std::all_of(result_.tables.begin(), result_.tables.end(), [](const auto& one) { return one.transaction; });
  }

  // Walks the tables that were not reached yet.
  void walk_tables(const meta_page& meta) {
    table_records found;
    const tree names{in_other_tree, true, [&](const page_view& page) { return take_names(page, found); }};
    walk_root(names, meta.tables);
    for (std::size_t i = 0; i < found.size(); ++i) {
      walked_table& table = result_.tables[i];
      if (!found[i] || table.transaction != 0) continue;
      const tree rows{in_table(i), true, [&](const page_view& page) { return take_rows(page, table), true; }};
      if (!walk_root(rows, *found[i])) continue;
      table.transaction = meta.transaction;
      table.rows_said = found[i]->rows;
    }
  }

  // Returns false if the page has no table's name: it is another tree's page, whose rows are taken later.
  bool take_names(const page_view& page, table_records& found) {
    std::size_t taken = 0;
    for (std::size_t i = 0; i < page.nodes(); ++i) {
      const auto node = page.node(i);
      const bool is_record = node && node->flags == value_is_tree && node->value_bytes == tree_record::bytes &&
                             node->behind_key.size() >= tree_record::bytes;
      const auto name = is_record ? std::find(table_names.begin(), table_names.end(), node->key) : table_names.end();
      if (name == table_names.end()) continue;
      found[static_cast<std::size_t>(name - table_names.begin())] = read_tree_record(node->behind_key);
      ++taken;
    }
    if (taken > 0) result_.rows_passed_over += page.nodes() - taken;
    return taken > 0;
  }

  void take_rows(const page_view& page, walked_table& table) {
    for (std::size_t i = 0; i < page.nodes(); ++i) {
      const auto node = page.node(i);
      const auto value = node ? value_of(*node) : std::nullopt;
      if (!value) {
        ++result_.rows_passed_over;
        continue;
      }
      ++table.rows_found;
      take_({.table = table.name, .key = node->key, .value = *value, .is_in_tree = true, .is_free = false});
    }
  }

  // The pages of a value that is too long for its leaf, if all of them are in the file.
  struct page_run {
    page_number first = 0;
    std::uint64_t pages = 0;
    std::string_view value;
    bool has_header = false;  // the first page's header confirms the run
  };
  std::optional<page_run> run_of(const page_node& node) const {
    if (node.key.empty() || node.behind_key.size() < sizeof(page_number)) return {};
    if (node.value_bytes > salvaged_value_bytes_max) return {};
    page_run run;
    run.first = load_le<page_number>(node.behind_key, 0);
    run.pages = (page_header_bytes + node.value_bytes + layout_.page_bytes - 1) / layout_.page_bytes;
    if (run.first < first_tree_page || run.first >= result_.pages || run.pages > result_.pages - run.first) return {};
    run.value = file_.substr(run.first * layout_.page_bytes + page_header_bytes, node.value_bytes);
    const page_view header = page_at(run.first);
    // A value that becomes shorter keeps its pages, so there may be more of them than it needs.
    run.has_header =
        header.flags() == overflow_page && header.number() == run.first && header.overflow_pages() >= run.pages;
    return run;
  }

  // Returns the value of a row in a tree. If only the header on the value's first page is damaged, the value is whole
  // and is returned. Its pages are not marked then, since a damaged page number may have led to another value's pages.
  std::optional<std::string_view> value_of(const page_node& node) {
    if (node.flags != value_is_elsewhere) return value_beside_key(node);
    const auto run = run_of(node);
    if (!run) return std::nullopt;
    for (std::uint64_t i = 0; run->has_header && i < run->pages; ++i) marks_[run->first + i] |= in_value;
    return run->value;
  }
  static std::optional<std::string_view> value_beside_key(const page_node& node) {
    if (node.flags != 0 || node.key.empty() || node.value_bytes > node.behind_key.size()) return std::nullopt;
    return node.behind_key.substr(0, node.value_bytes);
  }

  // Returns whether the whole free list was read. Each of its rows is a list of pages, under the number of the commit
  // that freed them.
  bool walk_free_list(const meta_page& meta) {
    std::uint64_t rows = 0;
    const std::uint64_t passed_over = result_.pages_passed_over + result_.rows_passed_over;
    const tree lists{in_other_tree, false, [&](const page_view& page) {
                       if (!is_leaf_of_free_list(page, meta.transaction)) return false;
                       for (std::size_t i = 0; i < page.nodes(); ++i, ++rows) take_free_pages(*page.node(i));
                       return true;
                     }};
    const bool is_reached = walk_root(lists, meta.free_list);
    return is_reached && rows == meta.free_list.rows &&
           passed_over == result_.pages_passed_over + result_.rows_passed_over;
  }

  // A damaged page number may lead to a table's leaf, whose rows would be lost if it counted as the free list's.
  static bool is_leaf_of_free_list(const page_view& page, std::uint64_t transaction) {
    for (std::size_t i = 0; i < page.nodes(); ++i) {
      const auto node = page.node(i);
      if (!node || node->key.size() != sizeof transaction) return false;
      if (load_le<std::uint64_t>(node->key, 0) > transaction) return false;
    }
    return true;
  }

  // A list: number of pages u64, then the pages' numbers. All lists together name each page of the file at most once.
  void take_free_pages(const page_node& node) {
    constexpr std::size_t word = sizeof(page_number);
    const auto list = value_of(node);
    const std::uint64_t words = list ? list->size() / word : 0;
    const std::uint64_t count = words > 0 ? load_le<std::uint64_t>(*list, 0) : 0;
    if (words == 0 || count >= words || count > result_.pages - free_pages_) {
      ++result_.rows_passed_over;
      return;
    }
    free_pages_ += count;
    for (std::uint64_t i = 1; i <= count; ++i) {
      const auto number = load_le<page_number>(*list, i * word);
      if (number < result_.pages) marks_[number] |= on_free_list;
    }
  }

  bool is_free(page_number number) const { return number > last_page_ || (marks_[number] & on_free_list) != 0; }

  void look_out_of_tree() {
    if (layout_.newer) last_page_ = layout_.newer->last_page;
    // The last page's number only rises, so the larger one is right unless it is damaged. One that is too large calls
    // pages not free, and their rows are still returned.
    if (layout_.older) last_page_ = std::max(last_page_, layout_.older->last_page);
    constexpr page_marks in_use = static_cast<page_marks>(~on_free_list);
    page_number content_end = 0;
    for (page_number number = first_tree_page; number < result_.pages; ++number) {
      if ((marks_[number] & in_use) != 0) continue;
      const page_view page = page_at(number);
      if (!is_free(number)) {
        if (number < content_end) continue;
        content_end = end_of_cut_off_value(page, number);
      }
      if (page.flags() == leaf_page && page.number() == number) take_leaf_out_of_tree(page, is_free(number));
    }
  }

  // If a page that is not free has the header of a value, the walked commit has this value: the pages after it belong
  // to the value, and what looks like a leaf there is part of a record. If the free list is not whole, the page may be
  // free, and its header older than the leaf pages after it.
  page_number end_of_cut_off_value(const page_view& page, page_number number) const {
    constexpr std::size_t longest = salvaged_value_bytes_max + page_header_bytes;
    const bool is_value = page.flags() == overflow_page && page.number() == number &&
                          page.overflow_pages() <= longest / layout_.page_bytes + 1;
    return result_.is_free_list_whole && is_value ? number + page.overflow_pages() : 0;
  }

  void take_leaf_out_of_tree(const page_view& page, bool is_free) {
    bool has_rows = false;
    for (std::size_t i = 0; i < page.nodes(); ++i) {
      const auto node = page.node(i);
      const auto value = node ? value_out_of_tree(*node) : std::nullopt;
      if (!value) continue;
      has_rows = true;
      take_({.table = {}, .key = node->key, .value = *value, .is_in_tree = false, .is_free = is_free});
    }
    if (has_rows) ++result_.pages_out_of_tree;
  }

  // Old leaves name pages that other rows use now. A value that a tree's row has was returned with that row.
  std::optional<std::string_view> value_out_of_tree(const page_node& node) const {
    if (node.flags != value_is_elsewhere) return value_beside_key(node);
    const auto run = run_of(node);
    if (!run || !run->has_header || (marks_[run->first] & in_value) != 0) return std::nullopt;
    return run->value;
  }

  std::string_view file_;
  const row_taker& take_;
  data_file_layout layout_;
  page_walk_result result_;
  std::vector<page_marks> marks_;
  std::uint64_t free_pages_ = 0;  // on the lists that could be read
  page_number last_page_ = no_page;
};

}  // namespace

const walked_table* page_walk_result::find(std::string_view name) const {
  const auto found = std::find_if(tables.begin(), tables.end(), [&](const auto& table) { return table.name == name; });
  return found == tables.end() ? nullptr : &*found;
}

page_walk_result walk_pages(std::string_view file, const row_taker& take) { return page_walker(file, take).run(); }

}  // namespace tidegate::store::offline
