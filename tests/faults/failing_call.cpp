// failing_call: makes the n-th call on the store's files fail once; all calls before and after succeed. The broker must
// stop, or try the call again if the failure allows it. It may not confirm anything that is not stored, and must open
// again.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>

#include "broker/base/log.hpp"
#include "tests/faults/contained.hpp"
#include "tests/faults/load_process.hpp"
#include "tests/faults/report.hpp"
#include "tests/faults/verdict.hpp"

namespace {

using namespace tidegate;
using namespace tidegate::faults;

constexpr unsigned judge_seconds_max = 60;

struct settings {
  std::uint64_t calls_max = 1'000;  // the highest n
  std::uint64_t runs = 100;         // spread over the calls; 0 = every call with every kind of failure
  std::string workload = "mixed";
  std::uint64_t seed = 1, rounds = 100;
  bool json = false;
};

struct tally {
  std::uint64_t runs = 0, applied = 0, stopped = 0, absorbed = 0, refused_when_new = 0, failed = 0, confirmed = 0;
};

const std::vector<std::string> kinds{"EIO", "ENOSPC", "SHORT", "EINTR"};

// Returns the number after `word` in the file of calls; 0 = not found.
std::uint64_t noted(const std::filesystem::path& file, const std::string& word) {
  std::ifstream stream(file);
  std::string what;
  for (std::uint64_t number = 0; stream >> what >> number;) {
    if (what == word) return number;
  }
  return 0;
}

class program {
 public:
  program(const settings& settings, report& report) : settings_(settings), report_(report) {}

  tally run() {
    const std::uint64_t last = std::min(settings_.calls_max, count_calls());
    const std::uint64_t all = last * kinds.size();
    const std::uint64_t planned = settings_.runs == 0 ? all : std::min(settings_.runs, all);
    for (std::uint64_t i = 0; i < planned; ++i) {
      // Runs are spread over the calls, each with another kind of failure than the run before.
      const std::uint64_t call = 1 + i * last / planned;
      fail_call(call, kinds[i % kinds.size()]);
      show_progress(fmt::format("{} of {} failing calls", i + 1, planned));
    }
    tally_.runs = planned;
    return tally_;
  }

 private:
  load_ending load(const scratch_place& place, std::map<std::string, std::string> environment) {
    environment["TIDEGATE_CALLS"] = (place.path() / "calls").string();
    load_process process(
        {"--store", (place.path() / "store").string(), "--marks", (place.path() / "marks").string(), "--workload",
         settings_.workload, "--seed", std::to_string(settings_.seed), "--rounds", std::to_string(settings_.rounds)},
        environment);
    return process.wait();
  }

  std::uint64_t count_calls() {
    const scratch_place place;
    if (load(place, {}).code != 0) throw std::runtime_error("the workload fails without a fault");
    return noted(place.path() / "calls", "calls");
  }

  // How the workload is cut into commits differs a little from run to run, so a run may end before the call. It is then
  // repeated with the last call that it made.
  void fail_call(std::uint64_t call, const std::string& kind) {
    constexpr int attempts_max = 5;
    for (int attempt = 1; call != 0; ++attempt) call = try_to_fail(call, kind, attempt == attempts_max);
  }

  // Returns 0 if the call failed or this is the last attempt, else the number of calls that the run made.
  std::uint64_t try_to_fail(std::uint64_t call, const std::string& kind, bool is_last) {
    const scratch_place place;
    const load_ending ending =
        load(place, {{"TIDEGATE_FAILING_CALL", std::to_string(call)}, {"TIDEGATE_FAILURE", kind}});
    const std::string what = fmt::format("call {} {}", call, kind);
    const bool is_applied = noted(place.path() / "calls", "failed") >= call;
    if (!is_applied && !is_last) return noted(place.path() / "calls", "calls");
    tally_.applied += is_applied ? 1 : 0;
    // The broker may try again after a short write or an interrupted call. It must not ignore an error of the disk.
    const bool may_go_on = !is_applied || kind == "SHORT" || kind == "EINTR";
    if (ending.code == exit_storage_failure) {
      ++tally_.stopped;
    } else if (ending.code == 0 && may_go_on) {
      ++tally_.absorbed;
    } else {
      fail(fmt::format("{}: ended with code {}, signal {}", what, ending.code, ending.signal));
    }
    judge_restart(place, what);
    return 0;
  }

  void judge_restart(const scratch_place& place, const std::string& what) {
    const history told = read_marks(place.path() / "marks");
    tally_.confirmed += told.confirmed();
    small_store store;
    store.directory = place.path() / "store";
    const auto judged = run_contained(
        [&] {
          const verdict verdict = judge(store, told, true);
          return verdict.is_good() ? std::string() : verdict.text();
        },
        judge_seconds_max);
    if (judged.is_over && judged.text.empty()) return;
    if (told.is_opened()) return fail(what + ", restart: " + judged.text);
    if (tally_.refused_when_new++ == 0) report_.add_failure(what + ", new store, restart: " + judged.text);
  }

  void fail(const std::string& text) {
    if (tally_.failed++ < 10) report_.add_failure(text);
  }

  const settings& settings_;
  report& report_;
  tally tally_;
};

int run(const settings& settings) {
  report report("failing_call", settings.json);
  const tally tally = program(settings, report).run();
  report.add("rounds", tally.runs);
  report.add("confirmed", tally.confirmed);
  report.add("faults", tally.applied);
  report.add("stopped", tally.stopped);
  report.add("absorbed", tally.absorbed);
  report.add("refused_when_new", tally.refused_when_new);
  report.add("failed", tally.failed);
  report.require_enough(tally.confirmed, tally.applied, tally.runs);
  report.print();
  return tally.failed == 0 && !report.is_void() ? exit_ok : exit_failure;
}

}  // namespace

int main(int argc, char** argv) {
  settings settings;
  CLI::App app("The n-th call on the store's file fails, once.", "failing_call");
  app.add_option("--calls", settings.calls_max, "The last call that fails")->capture_default_str();
  app.add_option("--runs", settings.runs, "Spread over the calls; 0: every call in every way")->capture_default_str();
  app.add_option("--workload", settings.workload, "churn, log, mixed or definitions")->capture_default_str();
  app.add_option("--seed", settings.seed, "Of the workload")->capture_default_str();
  app.add_option("--rounds", settings.rounds, "Of the workload")->capture_default_str();
  app.add_flag("--json", settings.json, "Print one JSON object");
  CLI11_PARSE(app, argc, argv);
  log::set_level(log::level::error);
  try {
    return run(settings);
  } catch (const std::exception& cause) {
    std::cerr << "failing_call: " << cause.what() << "\n";
    return exit_failure;
  }
}
