// The page walk finds the same rows as LMDB if the file is whole. If pages are damaged, only the rows on these are not
// found.
#include "broker/store/offline/page_walk.hpp"

#include <gmock/gmock.h>

#include "broker/store/offline/found_rows.hpp"
#include "broker/store/offline/lived_store.hpp"

namespace tidegate::store::offline {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// Returns the rows that LMDB reads. Tables without rows are left out.
table_map rows_by_lmdb(const std::filesystem::path& directory) {
  table_map all;
  raw_file file(directory);
  for (const auto table : {&tables::chunk, &tables::state, &tables::catalog, &tables::loss, &tables::meta}) {
    row_map rows = file.rows(table);
    if (!rows.empty()) all.emplace(file.name(table), std::move(rows));
  }
  return all;
}

void expect_all_in_tree(const found_rows& found, const table_map& expected) {
  EXPECT_TRUE(found.in_tree == expected);
  EXPECT_EQ(found.result.pages_passed_over, 0u);
  EXPECT_EQ(found.result.rows_passed_over, 0u);
  EXPECT_TRUE(found.result.is_free_list_whole);
  EXPECT_THAT(found.cut_off, IsEmpty()) << "each page is in a tree or on the free list";
  for (const walked_table& table : found.result.tables) {
    EXPECT_EQ(table.transaction, found.result.transaction) << table.name;
    EXPECT_EQ(table.rows_found, table.rows_said) << table.name;
    const auto rows = expected.find(std::string(table.name));
    EXPECT_EQ(table.rows_found, rows == expected.end() ? 0 : rows->second.size()) << table.name;
  }
}

class lived_file : public testing::TestWithParam<std::uint32_t> {};

TEST_P(lived_file, gives_the_rows_that_lmdb_reads) {
  lived_store store(GetParam());
  for (int round = 0; round < 3; ++round) {
    store.live(40);
    round % 2 == 0 ? store.store().kill() : store.store().close();
    expect_all_in_tree(walked(bytes_of(store.path())), rows_by_lmdb(store.path()));
    store.store().open();
  }
}

INSTANTIATE_TEST_SUITE_P(seeds, lived_file, testing::Range(1u, 5u));

// A file in which rows of up to ten pages are added, changed and erased. The catalog's keys are long, so its tree has
// three levels.
class churned_file {
 public:
  explicit churned_file(std::uint32_t seed, int rounds, std::size_t keys = 800)
      : random_(seed), keys_(keys), env_(directory_.path(), 16 << 20), tables_(open_tables(env_)) {
    for (int i = 0; i < rounds; ++i) churn(i);
  }

  file_bytes bytes() const { return bytes_of(directory_.path()); }
  table_map rows() {
    table_map all;
    for (const auto table : {tables_.chunk, tables_.state, tables_.catalog, tables_.loss, tables_.meta}) {
      const lmdb::txn txn(env_, lmdb::access::read);
      lmdb::cursor cursor(txn, table);
      for (auto row = cursor.first(); row; row = cursor.next()) all[table.name].emplace(row->key, row->value);
    }
    return all;
  }
  void put(lmdb::table tables::*table, std::string_view key, std::string_view value) {
    lmdb::txn txn(env_, lmdb::access::write);
    txn.put(tables_.*table, key, value);
    txn.commit();
  }

 private:
  std::uint32_t any(std::uint64_t below) { return static_cast<std::uint32_t>(random_() % below); }
  std::string value() {
    const std::size_t size = any(8) == 0 ? 5'000 + any(35'000) : any(2) == 0 ? 1'000 + any(900) : any(200);
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random_());
    return bytes;
  }
  void churn(int round) {
    lmdb::txn txn(env_, lmdb::access::write);
    for (int i = 0; i < 60; ++i) {
      const std::string key = chunk_key(stream_id{any(4)}, any(keys_ / 4));
      any(round % 5 == 4 ? 1 : 4) == 0 ? txn.erase(tables_.chunk, key) : (txn.put(tables_.chunk, key, value()), true);
      txn.put(tables_.state, fmt::format("S{}", any(100)), value().substr(0, 300));
      if (i % 8 == 0) txn.put(tables_.loss, loss_key(any(50)), value().substr(0, 100));
    }
    for (int i = 0; i < 8; ++i) txn.put(tables_.catalog, fmt::format("q{:0>240}", any(100)), value().substr(0, 1'300));
    txn.put(tables_.meta, "clean", fmt::format("{}", round));
    txn.commit();
  }

  std::mt19937 random_;
  std::size_t keys_;
  scratch_directory directory_;
  lmdb::env env_;
  tables tables_;
};

constexpr std::size_t page_bytes = 4'096;

page_view page_of(const file_bytes& file, std::size_t number) {
  return page_view(view_of(file).substr(number * page_bytes, page_bytes));
}
void zero(file_bytes& file, std::size_t page) {
  std::fill_n(file.begin() + static_cast<std::ptrdiff_t>(page * page_bytes), page_bytes, '\0');
}
std::size_t pages_of(const file_bytes& file) { return file.size() / page_bytes; }

TEST(page_walk, gives_the_rows_that_lmdb_reads_after_much_rewriting) {
  for (std::uint32_t seed = 1; seed < 4; ++seed) {
    churned_file file(seed, 60);
    const auto found = walked(file.bytes());
    expect_all_in_tree(found, file.rows());
    EXPECT_THAT(found.free, testing::Not(IsEmpty())) << "what was replaced lies there until its page is used again";
  }
}

TEST(page_walk, an_empty_table_is_reached) {
  churned_file file(1, 0);
  const auto found = walked(file.bytes());
  expect_all_in_tree(found, {});
}

TEST(page_walk, the_newer_meta_page_zeroed_leaves_the_commit_before) {
  churned_file file(1, 30);
  const table_map before = file.rows();
  file.put(&tables::state, "Snew", "new");
  const table_map now = file.rows();
  const file_bytes whole = file.bytes();
  const std::uint64_t transaction = walked(whole).result.transaction;

  file_bytes newer_gone = whole;
  zero(newer_gone, transaction % 2);
  const auto older = walked(newer_gone);
  EXPECT_TRUE(older.in_tree == before);
  EXPECT_EQ(older.result.transaction, transaction - 1);
  EXPECT_EQ(older.missing(now), 0u) << "the last commit's rows are out of the tree";

  file_bytes older_gone = whole;
  zero(older_gone, 1 - transaction % 2);
  expect_all_in_tree(walked(older_gone), now);
}

TEST(page_walk, both_meta_pages_zeroed_leave_rows_without_a_table) {
  churned_file file(2, 30);
  file_bytes bytes = file.bytes();
  zero(bytes, 0);
  zero(bytes, 1);
  const auto found = walked(bytes);
  EXPECT_EQ(found.result.page_bytes, page_bytes);
  EXPECT_EQ(found.result.transaction, 0u);
  EXPECT_THAT(found.in_tree, IsEmpty());
  EXPECT_THAT(found.free, IsEmpty()) << "no free list is known";
  EXPECT_EQ(found.missing(file.rows()), 0u);
}

// Zeroes each page in turn. The rows on other pages are found, and are not called free.
TEST(page_walk, a_zeroed_page_takes_away_its_own_rows_alone) {
  churned_file file(3, 30, 200);
  const table_map rows = file.rows();
  file_bytes bytes = file.bytes();
  int branches = 0, upper_branches = 0;
  for (std::size_t number = first_tree_page; number < pages_of(bytes); ++number) {
    const page_view page = page_of(bytes, number);
    if (page.number() == 0) continue;
    const std::uint16_t flags = page.flags();
    const std::size_t own = flags == leaf_page ? page.nodes() : flags == branch_page ? 0 : 1;
    if (flags == branch_page) {
      const auto first = page.node(0);
      ++branches;
      if (first && page_of(bytes, first->child).flags() == branch_page) ++upper_branches;
    }
    const file_bytes before(bytes.begin() + static_cast<std::ptrdiff_t>(number * page_bytes),
                            bytes.begin() + static_cast<std::ptrdiff_t>((number + 1) * page_bytes));
    zero(bytes, number);
    auto found = walked(bytes);
    if (found.result.is_free_list_whole) found.free.clear();
    EXPECT_LE(found.missing(rows), own) << "page " << number << " of flags " << flags;
    std::copy(before.begin(), before.end(), bytes.begin() + static_cast<std::ptrdiff_t>(number * page_bytes));
  }
  EXPECT_GT(branches, 10);
  EXPECT_GT(upper_branches, 0);
}

// Returns the place of a table's root page number in the page with the tables' names.
std::size_t place_of_root(const file_bytes& file, std::string_view table) {
  constexpr std::size_t root_in_record = 40;
  const page_view names = page_of(file, recognise_data_file(view_of(file)).newer->tables.root);
  for (std::size_t i = 0; i < names.nodes(); ++i) {
    const auto node = names.node(i).value();
    if (node.key == table) return static_cast<std::size_t>(node.behind_key.data() - file.data()) + root_in_record;
  }
  throw std::logic_error("no such table");
}
page_number root_of(const file_bytes& file, std::string_view table) {
  return load_le<page_number>(view_of(file), place_of_root(file, table));
}

// The last commit changes the chunk table, so the table's root in the commit before is another page.
TEST(page_walk, a_table_without_its_root_is_taken_from_the_commit_before) {
  churned_file file(4, 40);
  const table_map before = file.rows();
  file.put(&tables::chunk, chunk_key(stream_id{1}, 5), "new");
  file_bytes bytes = file.bytes();
  const std::uint64_t transaction = walked(bytes).result.transaction;
  zero(bytes, root_of(bytes, "chunk"));
  const auto found = walked(bytes);
  EXPECT_EQ(found.result.find("chunk")->transaction, transaction - 1);
  EXPECT_EQ(found.result.find("state")->transaction, transaction);
  EXPECT_TRUE(found.in_tree.at("chunk") == before.at("chunk"));
  EXPECT_EQ(found.missing(file.rows()), 0u);
}

TEST(page_walk, a_root_that_leads_into_another_table_takes_nothing_from_it) {
  churned_file file(9, 30);
  const table_map rows = file.rows();
  file_bytes bytes = file.bytes();
  std::memcpy(&bytes[place_of_root(bytes, "chunk")], &bytes[place_of_root(bytes, "loss")], sizeof(page_number));
  const auto found = walked(bytes);
  EXPECT_TRUE(found.in_tree.at("loss") == rows.at("loss"));
  EXPECT_EQ(found.missing(rows), 0u);
}

TEST(page_walk, a_branch_that_leads_into_another_table_takes_nothing_from_it) {
  churned_file file(10, 30);
  const table_map rows = file.rows();
  file_bytes bytes = file.bytes();
  page_view branch = page_of(bytes, root_of(bytes, "catalog"));
  while (page_of(bytes, branch.node(1)->child).flags() == branch_page) branch = page_of(bytes, branch.node(1)->child);
  const auto node = branch.node(1).value();
  const std::uint64_t lost_rows = page_of(bytes, node.child).nodes();
  const auto elsewhere = page_of(bytes, root_of(bytes, "chunk")).node(2)->child;
  ASSERT_LT(elsewhere, 65'536u);
  std::memcpy(&bytes[static_cast<std::size_t>(node.key.data() - bytes.data()) - 8], &elsewhere, 2);
  const auto found = walked(bytes);
  EXPECT_TRUE(found.in_tree.at("chunk") == rows.at("chunk"));
  EXPECT_EQ(found.in_tree.at("catalog").size(), rows.at("catalog").size() - lost_rows);
  EXPECT_EQ(found.cut_off.size(), lost_rows);
  EXPECT_EQ(found.result.pages_passed_over, 1u);
  EXPECT_EQ(found.missing(rows), 0u);
}

TEST(page_walk, a_value_whose_pages_lost_their_header_is_whole) {
  churned_file file(11, 10);
  file.put(&tables::catalog, "qlast", std::string(12'000, 'y'));
  file_bytes bytes = file.bytes();
  const std::size_t at = view_of(bytes).find(std::string(12'000, 'y'));
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at - page_header_bytes), page_header_bytes, '\xff');
  expect_all_in_tree(walked(bytes), file.rows());
}

TEST(page_walk, a_file_cut_short_gives_what_is_left) {
  churned_file file(5, 40);
  const table_map rows = file.rows();
  file_bytes bytes = file.bytes();
  while (page_of(bytes, pages_of(bytes) - 1).number() == 0) bytes.resize(bytes.size() - page_bytes);
  bytes.shrink_to_fit();
  std::size_t all = 0;
  for (const auto& [name, table] : rows) all += table.size();
  file_bytes half(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 2));
  EXPECT_LT(walked(half).missing(rows), all);
  for (std::size_t length = 0; length < bytes.size(); length += bytes.size() / 50 + 1) {
    const file_bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
    const auto found = walked(cut);
    EXPECT_EQ(found.result.pages, length / page_bytes) << length;
  }
}

// Damages random places. Half of them are in page headers, nodes and meta pages, since other places are mostly values.
class page_damage {
 public:
  page_damage(std::uint32_t seed, file_bytes& file) : random_(seed), file_(file) {}

  void flip_a_bit() {
    const std::size_t at = place();
    change(at, file_.data()[at] ^ static_cast<char>(1 << any(8)));
  }
  void overwrite() {
    const std::size_t at = place(), size = std::min<std::size_t>(1 + any(any(4) == 0 ? 9'000 : 40), file_.size() - at);
    const std::size_t from = any(file_.size() - size + 1);
    const std::uint32_t kind = any(4);
    for (std::size_t i = 0; i < size; ++i) {
      change(at + i, kind == 0   ? '\0'
                     : kind == 1 ? '\xff'
                     : kind == 2 ? file_[from + i]
                                 : static_cast<char>(random_()));
    }
  }
  void undo() {
    for (auto change = changed_.rbegin(); change != changed_.rend(); ++change) file_[change->first] = change->second;
    changed_.clear();
  }
  std::uint32_t any(std::uint64_t below) { return static_cast<std::uint32_t>(random_() % below); }

 private:
  std::size_t place() {
    if (any(8) == 0) return any(2) * page_bytes + any(160);
    const std::size_t page = any(pages_of(file_)) * page_bytes;
    return page + (any(2) == 0 ? any(80) : any(page_bytes));
  }
  void change(std::size_t at, char byte) {
    changed_.emplace_back(at, file_[at]);
    file_[at] = byte;
  }

  std::mt19937 random_;
  file_bytes& file_;
  std::vector<std::pair<std::size_t, char>> changed_;
};

file_bytes used_part_of(const churned_file& file) {
  file_bytes bytes = file.bytes();
  while (page_of(bytes, pages_of(bytes) - 1).number() == 0) bytes.resize(bytes.size() - page_bytes);
  return {bytes.begin(), bytes.end()};
}

TEST(page_walk, a_flipped_bit_costs_the_rows_of_one_page_at_most) {
  churned_file file(6, 20, 200);
  const table_map rows = file.rows();
  file_bytes bytes = used_part_of(file);
  std::size_t most = 1;
  for (std::size_t number = first_tree_page; number < pages_of(bytes); ++number) {
    const page_view page = page_of(bytes, number);
    if (page.number() == number && page.flags() == leaf_page) most = std::max(most, page.nodes());
  }
  page_damage damage(1, bytes);
  for (int i = 0; i < 500; ++i) {
    damage.flip_a_bit();
    EXPECT_LE(walked(bytes).missing(rows), most) << i;
    damage.undo();
  }
}

TEST(page_walk, no_damage_makes_it_read_elsewhere_or_go_on_for_ever) {
  churned_file file(7, 20, 200);
  file_bytes bytes = used_part_of(file);
  page_damage damage(2, bytes);
  std::uint32_t sum = 0;
  for (int i = 0; i < 2'000; ++i) {
    for (std::uint32_t left = 1 + damage.any(12); left > 0; --left) {
      damage.any(2) == 0 ? damage.flip_a_bit() : damage.overwrite();
    }
    try {
      std::uint64_t rows = 0;
      const auto result = walk_pages(view_of(bytes), [&](const found_row& row) {
        sum = crc32c(row.value, crc32c(row.key, sum));
        ++rows;
      });
      ASSERT_LE(rows, bytes.size()) << i;
      ASSERT_EQ(result.pages, result.page_bytes == 0 ? 0 : bytes.size() / result.page_bytes);
    } catch (const storage_failure& refused) {
      EXPECT_THAT(refused.what(), HasSubstr("-bit")) << i;
    }
    damage.undo();
  }
  EXPECT_NE(sum, 0u);
}

// The record's second page begins like a leaf with the page's own number. The leaf that leads to the record is
// destroyed; the record's pages are not free.
TEST(page_walk, a_record_that_looks_like_a_leaf_gives_no_rows) {
  churned_file file(8, 20);
  file.put(&tables::catalog, "qlast", std::string(12'000, 'y'));
  file_bytes bytes = file.bytes();
  const std::size_t at = view_of(bytes).find(std::string(12'000, 'y'));
  const std::size_t first = at / page_bytes, inside = first + 1;
  handmade_file forged(page_bytes, inside + 1);
  forged.header(inside, leaf_page, 18);
  forged.put<std::uint16_t>(inside * page_bytes + 16, 2'000);
  forged.node(inside * page_bytes + 2'000, 6, 0, "qforged", "forged");
  std::copy(forged.bytes().begin() + static_cast<std::ptrdiff_t>(inside * page_bytes), forged.bytes().end(),
            bytes.begin() + static_cast<std::ptrdiff_t>(inside * page_bytes));
  EXPECT_FALSE(walked(bytes).has("qforged", "forged"));
  for (std::size_t number = first_tree_page; number < pages_of(bytes); ++number) {
    const page_view page = page_of(bytes, number);
    if (page.flags() != leaf_page || page.number() != number) continue;
    for (std::size_t i = 0; i < page.nodes(); ++i) {
      const auto node = page.node(i);
      if (!node || node->key != "qlast") continue;
      zero(bytes, number);
      break;
    }
  }
  EXPECT_EQ(page_of(bytes, first).flags(), overflow_page);
  EXPECT_FALSE(walked(bytes).has("qforged", "forged"));
}

}  // namespace
}  // namespace tidegate::store::offline
