// bit_rot: one bit of a store's file turns while nobody looks. The next broker may refuse, stop or be right; it may not
// hand out anything that was never put in.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <fstream>
#include <iostream>
#include <iterator>

#include "broker/base/log.hpp"
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
  harmless,  // all is there and right
  refused,   // it does not open, and says why
  reported,  // something is refused while it is read
  stopped,   // the process ended by a signal
  missing,   // something is not there any more, and nothing says so
  wrong,     // something is handed out that is not what was put in
};
constexpr std::array names{"harmless", "refused", "reported", "stopped", "missing", "wrong"};

// A store at rest, with what it promised.
struct rested {
  std::string bytes;
  history told;
};

rested rest(const std::string& workload, std::uint64_t seed, bool closed) {
  const scratch_place place;
  std::vector<std::string> arguments{"--store",    (place.path() / "store").string(),
                                     "--marks",    (place.path() / "marks").string(),
                                     "--workload", workload,
                                     "--seed",     std::to_string(seed)};
  if (closed) arguments.emplace_back("--close");
  if (load_process(arguments, {}).wait().code != 0) throw std::runtime_error("the workload did not run to its end");
  std::ifstream file(place.path() / "store" / "data.mdb", std::ios::binary);
  return {std::string(std::istreambuf_iterator<char>(file), {}), read_marks(place.path() / "marks")};
}

// In a page that was ever written: the others are zeros that nobody reads.
std::size_t choose_byte(const std::string& bytes, draw& draw) {
  while (true) {
    const std::size_t page = draw.below(bytes.size() / page_bytes) * page_bytes;
    const bool is_used = bytes.find_first_not_of('\0', page) < page + page_bytes;
    if (is_used) return page + draw.below(page_bytes);
  }
}

outcome outcome_of(const verdict& verdict) {
  constexpr std::array gaps{promise::readable, promise::kept,     promise::dense,
                            promise::end,      promise::counters, promise::log_start};
  const bool is_gap = std::ranges::all_of(
      verdict.violations, [&](const violation& one) { return std::ranges::find(gaps, one.broken) != gaps.end(); });
  if (!is_gap) return outcome::wrong;
  if (!verdict.refused.empty()) return outcome::refused;
  if (verdict.has_broken(promise::readable)) return outcome::reported;
  return verdict.violations.empty() ? outcome::harmless : outcome::missing;
}

// The outcome's letter, and what is to be said of it.
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

int run(const settings& settings) {
  report report("bit_rot", settings.json);
  std::array<std::uint64_t, names.size()> counts{};
  const std::array stores{rest("mixed", settings.seed, true), rest("churn", settings.seed, true),
                          rest("definitions", settings.seed, false)};
  std::uint64_t confirmed = 0;
  for (const rested& store : stores) confirmed += store.told.confirmed();
  const scratch_place place;
  image_file file(place.path(), stores[0].bytes.size());
  for (std::uint64_t flip = 0; flip < settings.flips; ++flip) {
    if (settings.only != 0 && flip + 1 != settings.only) continue;
    draw draw(settings.seed * 1'000'003 + flip);
    const rested& store = stores[flip % stores.size()];
    const std::size_t at = choose_byte(store.bytes, draw);
    const auto bit = static_cast<unsigned>(draw.below(8));
    const std::string turned(1, static_cast<char>(store.bytes[at] ^ (1 << bit)));
    const event write{event::what::write, false, at, turned};
    file.set(store.bytes, {{&write, 0, 1}});
    const auto judged = run_contained([&] { return judge_flipped(file, store.told); }, judge_seconds_max);
    const outcome seen = judged.is_over ? static_cast<outcome>(judged.text[0] - '0') : outcome::stopped;
    ++counts.at(static_cast<std::size_t>(seen));
    if (seen == outcome::wrong || seen == outcome::missing || settings.only != 0) {
      report.add_failure(fmt::format("flip {} of seed {}, bit {} of byte {} (page {}): {}: {}", flip + 1, settings.seed,
                                     bit, at, at / page_bytes, names[static_cast<std::size_t>(seen)],
                                     judged.text.substr(1)));
    }
    show_progress(fmt::format("{} of {} bits", flip + 1, settings.flips));
  }
  report.add("rounds", settings.flips);
  report.add("confirmed", confirmed);
  std::uint64_t faults = 0;
  for (const std::uint64_t count : counts) faults += count;
  report.add("faults", faults);
  for (std::size_t i = 0; i < names.size(); ++i) report.add(names[i], counts[i]);
  report.require_enough(confirmed, faults, settings.only != 0 ? 1 : settings.flips);
  report.print();
  return counts[static_cast<std::size_t>(outcome::wrong)] == 0 && !report.is_void() ? exit_ok : exit_failure;
}

}  // namespace

int main(int argc, char** argv) {
  settings settings;
  CLI::App app("One bit of a store's file turns.", "bit_rot");
  app.add_option("--flips", settings.flips, "One after the other, each in a fresh copy")->capture_default_str();
  app.add_option("--seed", settings.seed, "Of workloads and bits")->capture_default_str();
  app.add_option("--only", settings.only, "This one alone, as a failure names it");
  app.add_flag("--json", settings.json, "Print one JSON object");
  CLI11_PARSE(app, argc, argv);
  tidegate::log::set_level(tidegate::log::level::error);
  try {
    return run(settings);
  } catch (const std::exception& cause) {
    std::cerr << "bit_rot: " << cause.what() << "\n";
    return exit_failure;
  }
}
