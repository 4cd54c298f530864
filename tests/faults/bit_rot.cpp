// bit_rot: flips one bit of a store's files while no broker runs. The next broker may refuse to open, stop or be right.
// It may not deliver anything that was never published, nor miss anything without reporting the loss. A third of the
// bits is in the keys of rows: keys are a small part of the file, and a flipped bit there turns one row into another.
// Another third is in the journal.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <fstream>
#include <iostream>
#include <iterator>

#include "broker/base/log.hpp"
#include "broker/store/offline/offline_store.hpp"
#include "tests/faults/contained.hpp"
#include "tests/faults/image_file.hpp"
#include "tests/faults/load_process.hpp"
#include "tests/faults/report.hpp"
#include "tests/faults/verdict.hpp"

namespace {

using namespace tidegate;
using namespace tidegate::faults;

constexpr unsigned judge_seconds_max = 5;
constexpr std::size_t page_bytes = 4096;

struct settings {
  std::uint64_t flips = 50, seed = 1, only = 0;
  bool json = false;
};

enum class outcome {
  harmless,  // everything is there and right
  refused,   // the store does not open, and says why
  reported,  // the damage is reported, at the start or while the store is read
  stopped,   // the process was ended by a signal
  missing,   // something is gone, and nothing reports it
  wrong,     // something is delivered that was not published
};
constexpr std::array names{"harmless", "refused", "reported", "stopped", "missing", "wrong"};

// A store that no broker has open, and the history of its workload.
struct rested {
  std::string bytes;
  std::string journal;
  std::vector<std::size_t> keys;  // positions in the tables' file of all bytes of keys
  history told;
};

// LMDB returns rows as views into its map, and each page starts with its page number. Together they give a key's
// position in the file.
std::vector<std::size_t> find_keys(const std::filesystem::path& directory) {
  store::offline::offline_store store(directory);
  const store::tables& tables = store.rows();
  const std::size_t page_bytes = store.pages().page_bytes;
  const store::lmdb::txn txn(store.env(), store::lmdb::access::read);
  std::vector<std::size_t> found;
  for (const auto table : {tables.chunk, tables.state, tables.catalog, tables.loss, tables.meta}) {
    store::lmdb::cursor cursor(txn, table);
    for (auto row = cursor.first(); row; row = cursor.next()) {
      const std::size_t in_page = reinterpret_cast<std::uintptr_t>(row->key.data()) % page_bytes;
      std::size_t page = 0;
      std::memcpy(&page, row->key.data() - in_page, sizeof page);
      for (std::size_t i = 0; i < row->key.size(); ++i) found.push_back(page * page_bytes + in_page + i);
    }
  }
  return found;
}

rested rest(const std::string& workload, std::uint64_t seed, bool closed) {
  const scratch_place place;
  std::vector<std::string> arguments{"--store",    (place.path() / "store").string(),
                                     "--marks",    (place.path() / "marks").string(),
                                     "--workload", workload,
                                     "--seed",     std::to_string(seed)};
  if (closed) arguments.emplace_back("--close");
  if (load_process(arguments, {}).wait().code != 0) throw std::runtime_error("the workload did not run to its end");
  const auto content = [&](const char* name) {
    std::ifstream file(place.path() / "store" / name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  return {content(store::store_file), content(store::journal_file), find_keys(place.path() / "store"),
          read_marks(place.path() / "marks")};
}

enum class spot { page, key, journal };

// Returns the position of a byte in a page that was ever written: the others are zeros that nobody reads.
std::size_t choose_byte(const std::string& bytes, draw& draw) {
  while (true) {
    const std::size_t page = draw.below(bytes.size() / page_bytes) * page_bytes;
    const bool is_used = bytes.find_first_not_of('\0', page) < page + page_bytes;
    if (is_used) return page + draw.below(page_bytes);
  }
}

std::size_t choose_byte(const rested& store, spot spot, draw& draw) {
  if (spot == spot::key) return draw.one_of(store.keys);
  return choose_byte(spot == spot::page ? store.bytes : store.journal, draw);
}

outcome outcome_of(const verdict& verdict) {
  constexpr std::array gaps{promise::readable, promise::kept,     promise::dense,
                            promise::end,      promise::counters, promise::log_start};
  const bool is_gap = std::ranges::all_of(
      verdict.violations, [&](const violation& one) { return std::ranges::find(gaps, one.broken) != gaps.end(); });
  if (!is_gap) return outcome::wrong;
  if (!verdict.refused.empty()) return outcome::refused;
  if (verdict.has_broken(promise::readable) || verdict.has_incomplete_commit) return outcome::reported;
  return verdict.violations.empty() ? outcome::harmless : outcome::missing;
}

// Returns the outcome as a digit, followed by its description.
std::string judge_flipped(const image_file& file, const history& told) {
  small_store store;
  store.directory = file.directory();
  const verdict verdict = judge(store, told, false);
  std::string text(1, static_cast<char>('0' + static_cast<int>(outcome_of(verdict))));
  if (!verdict.violations.empty() && outcome_of(verdict) == outcome::wrong) {
    for (const violation& one : verdict.violations) text += fmt::format("{}: {}; ", name(one.broken), one.text);
    return text.substr(0, 1'000);
  }
  return text + verdict.text();
}

class flipping {
 public:
  explicit flipping(const settings& settings)
      : settings_(settings),
        stores_{rest("mixed", settings.seed, true), rest("churn", settings.seed, true),
                rest("definitions", settings.seed, false), rest("mixed", settings.seed, false)},
        file_(place_.path(), store::store_file, stores_[0].bytes.size()),
        journal_file_(place_.path(), store::journal_file, stores_[0].journal.size()),
        report_("bit_rot", settings.json) {}

  int run() {
    for (std::uint64_t flip = 0; flip < settings_.flips; ++flip) {
      if (settings_.only == 0 || flip + 1 == settings_.only) turn(flip);
      show_progress(fmt::format("{} of {} bits", flip + 1, settings_.flips));
    }
    std::uint64_t confirmed = 0, faults = 0;
    for (const rested& store : stores_) confirmed += store.told.confirmed();
    for (const std::uint64_t count : counts_) faults += count;
    report_.add("rounds", settings_.flips);
    report_.add("confirmed", confirmed);
    report_.add("faults", faults);
    for (std::size_t i = 0; i < names.size(); ++i) report_.add(names[i], counts_[i]);
    for (std::size_t i = 0; i < names.size(); ++i) report_.add(fmt::format("keys_{}", names[i]), counts_in_keys_[i]);
    for (std::size_t i = 0; i < names.size(); ++i) {
      report_.add(fmt::format("journal_{}", names[i]), counts_in_journal_[i]);
    }
    report_.require_enough(confirmed, faults, settings_.only != 0 ? 1 : settings_.flips);
    report_.print();
    const bool is_good = counts_[static_cast<std::size_t>(outcome::wrong)] == 0 &&
                         counts_[static_cast<std::size_t>(outcome::missing)] == 0;
    return is_good && !report_.is_void() ? exit_ok : exit_failure;
  }

 private:
  void turn(std::uint64_t flip) {
    draw draw(settings_.seed * 1'000'003 + flip);
    const rested& store = stores_[flip / 3 % stores_.size()];
    const auto where = static_cast<spot>(flip % 3);
    const bool in_key = where == spot::key, in_journal = where == spot::journal;
    const std::size_t at = choose_byte(store, where, draw);
    const auto bit = static_cast<unsigned>(draw.below(8));
    const std::string& bytes = in_journal ? store.journal : store.bytes;
    const std::string turned(1, static_cast<char>(bytes[at] ^ (1 << bit)));
    const event write{event::what::write, store_part::tables, false, at, turned};
    const std::vector<piece> turn{{&write, 0, 1}};
    file_.set(store.bytes, in_journal ? std::vector<piece>{} : turn);
    journal_file_.set(store.journal, in_journal ? turn : std::vector<piece>{});
    const auto judged = run_contained([&] { return judge_flipped(file_, store.told); }, judge_seconds_max);
    const outcome seen = judged.is_over ? static_cast<outcome>(judged.text[0] - '0') : outcome::stopped;
    ++counts_.at(static_cast<std::size_t>(seen));
    if (in_key) ++counts_in_keys_.at(static_cast<std::size_t>(seen));
    if (in_journal) ++counts_in_journal_.at(static_cast<std::size_t>(seen));
    const bool is_noticed = seen == outcome::harmless || seen == outcome::refused || seen == outcome::reported;
    if (is_noticed && settings_.only == 0) return;
    report_.add_failure(fmt::format(
        "flip {} of seed {}, bit {} of byte {} (page {}{}): {}: {}", flip + 1, settings_.seed, bit, at, at / page_bytes,
        in_key       ? ", in a key"
        : in_journal ? ", in the journal"
                     : "",
        names[static_cast<std::size_t>(seen)], judged.is_over ? judged.text.substr(1) : judged.text));
  }

  settings settings_;
  std::array<rested, 4> stores_;
  scratch_place place_;
  image_file file_, journal_file_;
  report report_;
  std::array<std::uint64_t, names.size()> counts_{}, counts_in_keys_{}, counts_in_journal_{};
};

}  // namespace

int main(int argc, char** argv) {
  settings settings;
  CLI::App app("One bit of a store's files turns.", "bit_rot");
  app.add_option("--flips", settings.flips, "One after the other, each in a fresh copy")->capture_default_str();
  app.add_option("--seed", settings.seed, "Of workloads and bits")->capture_default_str();
  app.add_option("--only", settings.only, "This one alone, as a failure names it");
  app.add_flag("--json", settings.json, "Print one JSON object");
  CLI11_PARSE(app, argc, argv);
  tidegate::log::set_level(tidegate::log::level::error);
  try {
    return flipping(settings).run();
  } catch (const std::exception& cause) {
    std::cerr << "bit_rot: " << cause.what() << "\n";
    return exit_failure;
  }
}
