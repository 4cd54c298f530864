#include "broker/store/offline/page_layout.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "broker/base/error.hpp"

namespace tidegate::store::offline {
namespace {

constexpr std::size_t lower_at = 12;
constexpr std::size_t node_header_bytes = 8;
constexpr std::size_t key_bytes_max = 511;  // as LMDB is built

constexpr std::uint32_t lmdb_magic = 0xBEEFC0DE;
constexpr std::uint32_t lmdb_data_version = 1;
constexpr std::size_t meta_bytes = 152;  // with the page's header

constexpr bool is_page_length(std::uint64_t bytes) {
  return bytes >= page_bytes_least && bytes <= page_bytes_most && (bytes & (bytes - 1)) == 0;
}

bool is_plausible(const tree_record& tree, page_number last_page) {
  return tree.root == no_page || (tree.root >= first_tree_page && tree.root <= last_page);
}

// Reads the meta page of slot 0 or 1 at `at`. Returns none if it is damaged, or no meta page.
std::optional<meta_page> read_meta(std::string_view file, std::size_t at, unsigned slot) {
  if (file.size() < at || file.size() - at < meta_bytes) return std::nullopt;
  const std::string_view page = file.substr(at, meta_bytes);
  if (page_view(page).flags() != meta_page_flag || load_le<std::uint32_t>(page, 16) != lmdb_magic ||
      load_le<std::uint32_t>(page, 20) != lmdb_data_version) {
    return std::nullopt;
  }
  constexpr std::size_t free_list_at = 40, tables_at = free_list_at + tree_record::bytes;
  meta_page meta;
  meta.page_bytes = load_le<std::uint32_t>(page, free_list_at);
  meta.free_list = read_tree_record(page.substr(free_list_at, tree_record::bytes));
  meta.tables = read_tree_record(page.substr(tables_at, tree_record::bytes));
  meta.last_page = load_le<std::uint64_t>(page, 136);
  meta.transaction = load_le<std::uint64_t>(page, 144);
  // Transactions use the two slots in turn, so a number's last bit gives its slot; in a new file both are 0.
  const bool is_its_turn = meta.transaction % first_tree_page == slot || meta.transaction == 0;
  const bool is_whole = is_page_length(meta.page_bytes) && at == slot * meta.page_bytes && is_its_turn &&
                        is_plausible(meta.free_list, meta.last_page) && is_plausible(meta.tables, meta.last_page);
  return is_whole ? std::optional(meta) : std::nullopt;
}

// The properties of a machine that decide where things are in a file.
struct machine {
  std::size_t word_bytes;
  bool is_big_endian;
};
constexpr std::array<machine, 4> machines{{{8, false}, {4, false}, {8, true}, {4, true}}};

std::uint64_t load(std::string_view bytes, std::size_t at, std::size_t size, bool is_big_endian) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t next = is_big_endian ? i : size - 1 - i;
    value = value << 8 | static_cast<std::uint8_t>(bytes[at + next]);
  }
  return value;
}

// Returns whether the bytes start a page with this number, as such a machine writes it.
bool is_page_of(const machine& by, std::string_view at_page, page_number number) {
  const std::uint64_t flags = load(at_page, by.word_bytes + 2, 2, by.is_big_endian);
  if (flags == meta_page_flag) return load(at_page, by.word_bytes + 8, 4, by.is_big_endian) == lmdb_magic;
  return number >= first_tree_page && load(at_page, 0, by.word_bytes, by.is_big_endian) == number &&
         (flags == branch_page || flags == leaf_page || flags == overflow_page);
}

struct guess {
  machine by = machines[0];
  std::size_t page_bytes = 0;
  std::uint64_t pages = 0;
};

// Tries every machine and length of pages, and returns those that most pages fit. A page has its own number, so a page
// fits a wrong length only by chance.
guess guess_layout(std::string_view file) {
  std::array<guess, machines.size() * 4> guesses;
  std::size_t count = 0;
  for (const machine& by : machines) {
    for (std::size_t bytes = page_bytes_least; bytes <= page_bytes_most; bytes *= 2) guesses[count++] = {by, bytes, 0};
  }
  for (std::size_t at = 0; at + page_bytes_least <= file.size(); at += page_bytes_least) {
    const std::string_view page = file.substr(at, page_header_bytes + sizeof lmdb_magic);
    for (guess& tried : guesses) {
      if (at % tried.page_bytes == 0 && is_page_of(tried.by, page, at / tried.page_bytes)) ++tried.pages;
    }
  }
  guess best;
  for (const guess& tried : guesses) {
    if (tried.pages > best.pages) best = tried;
  }
  return best;
}

}  // namespace

std::size_t page_view::nodes() const {
  const std::size_t lower = load_le<std::uint16_t>(bytes_, lower_at);
  if (lower < page_header_bytes || lower > bytes_.size() || lower % 2 != 0) return 0;
  return (lower - page_header_bytes) / 2;
}

std::optional<page_node> page_view::node(std::size_t index) const {
  const std::size_t lower = load_le<std::uint16_t>(bytes_, lower_at);
  const std::size_t at = load_le<std::uint16_t>(bytes_, page_header_bytes + 2 * index);
  if (at < lower || at + node_header_bytes > bytes_.size()) return std::nullopt;
  const std::uint16_t low = load_le<std::uint16_t>(bytes_, at), high = load_le<std::uint16_t>(bytes_, at + 2);
  const std::size_t key_bytes = load_le<std::uint16_t>(bytes_, at + 6);
  const std::string_view content = bytes_.substr(at + node_header_bytes);
  if (key_bytes > key_bytes_max || key_bytes > content.size()) return std::nullopt;
  page_node node;
  node.key = content.substr(0, key_bytes);
  node.behind_key = content.substr(key_bytes);
  node.value_bytes = std::uint32_t{high} << 16 | low;
  node.flags = load_le<std::uint16_t>(bytes_, at + 4);
  node.child = std::uint64_t{node.flags} << 32 | node.value_bytes;
  return node;
}

tree_record read_tree_record(std::string_view bytes) {
  return {load_le<std::uint64_t>(bytes, 32), load_le<std::uint64_t>(bytes, 40)};
}

data_file_layout recognise_data_file(std::string_view file) {
  data_file_layout layout;
  layout.newer = read_meta(file, 0, 0);
  if (layout.newer) {
    layout.older = read_meta(file, layout.newer->page_bytes, 1);
  } else {
    for (std::size_t at = page_bytes_least; at <= page_bytes_most && !layout.newer; at *= 2) {
      layout.newer = read_meta(file, at, 1);
    }
  }
  if (layout.older && layout.older->transaction > layout.newer->transaction) std::swap(layout.newer, layout.older);
  if (layout.newer) {
    layout.page_bytes = layout.newer->page_bytes;
    return layout;
  }
  const guess found = guess_layout(file);
  if (found.by.word_bytes != machines[0].word_bytes || found.by.is_big_endian) {
    throw storage_failure(
        fmt::format("data.mdb was written by a {}-bit, {}-endian system, and only files of 64-bit, little-endian "
                    "systems can be salvaged; `tidegate store export` on such a system reads what is not damaged",
                    8 * found.by.word_bytes, found.by.is_big_endian ? "big" : "little"));
  }
  layout.page_bytes = found.page_bytes;
  return layout;
}

}  // namespace tidegate::store::offline
