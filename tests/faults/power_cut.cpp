// power_cut: cuts the power at any instant of a workload. Records the workload, makes images of what the disk may hold
// after a cut, and opens each image with the real store.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <iostream>

#include "broker/base/log.hpp"
#include "tests/faults/crash_images.hpp"
#include "tests/faults/load_process.hpp"
#include "tests/faults/report.hpp"
#include "tests/faults/verdict.hpp"
#include "tests/faults/workload.hpp"

namespace {

using namespace tidegate;
using namespace tidegate::faults;

struct settings {
  image_options images{2'000, 1, 0, ignored_syncs::none, 2};
  std::string workload = "all";
  std::uint64_t rounds = 250;
  std::string keep;
  bool json = false;
};

std::uint64_t confirmed_in(const recording& recording) {
  history told;
  for (const event& event : recording.events()) {
    if (event.kind == event::what::mark) told.apply(event.bytes);
  }
  return told.confirmed();
}

image_tally cut_power(const std::string& workload, const settings& settings, const image_options& options,
                      std::uint64_t& confirmed) {
  const scratch_place place(settings.keep);
  const recording recording(record_workload(place.path(), workload, options.seed, settings.rounds));
  confirmed += confirmed_in(recording);
  image_tally tally = judge_images(recording, options, [&](std::uint64_t done) {
    show_progress(fmt::format("{}: {} of {} images", workload, done, options.images));
  });
  for (std::string& failure : tally.failures) failure = workload + ": " + failure;
  return tally;
}

int run(const settings& settings) {
  const auto began = std::chrono::steady_clock::now();
  const auto workloads = settings.workload == "all" ? workload_names() : std::vector<std::string>{settings.workload};
  image_options options = settings.images;
  options.images = std::max<std::uint64_t>(1, settings.images.images / workloads.size());
  image_tally sum;
  std::uint64_t confirmed = 0;
  for (const std::string& workload : workloads) sum.add(cut_power(workload, settings, options, confirmed));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  report report("power_cut", settings.json);
  report.add("rounds", workloads.size());
  report.add("confirmed", confirmed);
  report.add("faults", sum.images);
  report.add("opened", sum.opened);
  report.add("refused_when_new", sum.refused_when_new);
  report.add("lost", sum.lost);
  report.add("damaged", sum.damaged);
  report.add("crashed", sum.crashed);
  report.add("seed", options.seed);
  report.add("per_second", static_cast<std::uint64_t>(static_cast<double>(sum.images) / seconds));
  for (const std::string& failure : sum.failures) report.add_failure(failure);
  report.require_enough(confirmed, sum.images, options.only != 0 ? 1 : options.images * workloads.size());
  report.print();
  return sum.failed() == 0 && !report.is_void() ? exit_ok : exit_failure;
}

}  // namespace

int main(int argc, char** argv) {
  settings settings;
  CLI::App app("The power goes at any instant: opens images of what the disk may then hold of a store.", "power_cut");
  app.add_option("--images", settings.images.images, "In all")->capture_default_str();
  app.add_option("--seed", settings.images.seed, "Of workloads and images")->capture_default_str();
  app.add_option("--workload", settings.workload, "churn, log, mixed, definitions or all")->capture_default_str();
  app.add_option("--rounds", settings.rounds, "Of each workload: about as many commits")->capture_default_str();
  app.add_option("--only", settings.images.only, "This image of the workload alone, as a failure names it");
  app.add_option("--jobs", settings.images.jobs, "Processes")->capture_default_str();
  app.add_option("--keep", settings.keep, "Directory in which the recordings stay");
  const std::map<std::string, ignored_syncs> controls{
      {"tables", ignored_syncs::tables}, {"journal", ignored_syncs::journal}, {"all", ignored_syncs::all}};
  app.add_option("--nosync-control", settings.images.ignores, "As if no sync of these had waited: must fail")
      ->transform(CLI::CheckedTransformer(controls));
  app.add_flag("--json", settings.json, "Print one JSON object");
  CLI11_PARSE(app, argc, argv);
  tidegate::log::set_level(tidegate::log::level::error);
  try {
    return run(settings);
  } catch (const std::exception& cause) {
    std::cerr << "power_cut: " << cause.what() << "\n";
    return exit_failure;
  }
}
