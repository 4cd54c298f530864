// killed_load: kills a workload by SIGKILL at any instant, on a real file, then opens and judges the store.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <iostream>
#include <thread>

#include "broker/base/log.hpp"
#include "tests/faults/contained.hpp"
#include "tests/faults/load_process.hpp"
#include "tests/faults/report.hpp"
#include "tests/faults/verdict.hpp"
#include "tests/faults/workload.hpp"

namespace {

using namespace tidegate;
using namespace tidegate::faults;

constexpr unsigned judge_seconds_max = 60;

struct settings {
  std::string directory = "/tmp";
  std::uint64_t kills = 20, seed = 1;
  std::uint64_t microseconds_max = 400'000;
  bool json = false;
};

struct tally {
  std::uint64_t applied = 0, confirmed = 0, killed_when_new = 0, failed = 0;
};

// Waits for the first mark, which is written when the store is open: nothing is promised before. Returns false if there
// is none after about ten seconds.
bool wait_until_opened(const std::filesystem::path& marks) {
  for (int i = 0; i < 10'000; ++i) {
    std::error_code ignored;
    if (std::filesystem::exists(marks, ignored) && std::filesystem::file_size(marks, ignored) > 0) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

void kill_once(std::uint64_t round, const settings& settings, tally& tally, report& report) {
  const std::uint64_t seed = settings.seed * 1'000'003 + round;
  draw draw(seed);
  const scratch_place place(std::filesystem::path(settings.directory) / fmt::format("tidegate-killed-{}", seed));
  const auto marks = place.path() / "marks";
  small_store store;
  store.directory = place.path() / "store";
  const std::string workload = workload_names()[round % workload_names().size()];
  load_process load({"--store", store.directory.string(), "--marks", marks.string(), "--workload", workload, "--seed",
                     std::to_string(seed), "--rounds", "1000000"},
                    {});
  if (!wait_until_opened(marks)) throw std::runtime_error("the workload does not begin");
  std::this_thread::sleep_for(std::chrono::microseconds(draw.below(settings.microseconds_max)));
  load.kill();
  if (load.wait().signal == SIGKILL) ++tally.applied;
  const history told = read_marks(marks);
  tally.confirmed += told.confirmed();
  const auto judged = run_contained(
      [&] {
        const verdict verdict = judge(store, told, true);
        return verdict.is_good() ? std::string() : verdict.text();
      },
      judge_seconds_max);
  if (!judged.is_over || !judged.text.empty()) {
    if (tally.failed++ < 10) report.add_failure(fmt::format("{} with seed {}: {}", workload, seed, judged.text));
  }
  std::filesystem::remove_all(place.path());
}

int run(const settings& settings) {
  report report("killed_load", settings.json);
  tally tally;
  for (std::uint64_t round = 0; round < settings.kills; ++round) {
    kill_once(round, settings, tally, report);
    show_progress(fmt::format("{} of {} kills", round + 1, settings.kills));
  }
  report.add("rounds", settings.kills);
  report.add("confirmed", tally.confirmed);
  report.add("faults", tally.applied);
  report.add("failed", tally.failed);
  report.require_enough(tally.confirmed, tally.applied, settings.kills);
  report.print();
  return tally.failed == 0 && !report.is_void() ? exit_ok : exit_failure;
}

}  // namespace

int main(int argc, char** argv) {
  settings settings;
  CLI::App app("kill -9 of a workload at any instant.", "killed_load");
  app.add_option("--directory", settings.directory, "On a real disk")->capture_default_str();
  app.add_option("--kills", settings.kills, "Each of a fresh store")->capture_default_str();
  app.add_option("--seed", settings.seed, "Of workloads and instants")->capture_default_str();
  app.add_flag("--json", settings.json, "Print one JSON object");
  CLI11_PARSE(app, argc, argv);
  log::set_level(log::level::error);
  try {
    return run(settings);
  } catch (const std::exception& cause) {
    std::cerr << "killed_load: " << cause.what() << "\n";
    return exit_failure;
  }
}
