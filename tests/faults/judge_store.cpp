// judge_store: checks a store against the marks of a workload that ran on it.
#include <CLI/CLI.hpp>
#include <iostream>

#include "broker/base/log.hpp"
#include "tests/faults/report.hpp"
#include "tests/faults/verdict.hpp"

int main(int argc, char** argv) {
  using namespace tidegate;
  using namespace tidegate::faults;
  small_store store;
  std::string marks;
  bool json = false;
  CLI::App app("Opens a store, reads all of it, and holds it to what was promised.", "judge_store");
  app.add_option("--store", store.directory, "Its directory")->required();
  app.add_option("--marks", marks, "What was tried and settled")->required();
  app.add_option("--bytes-max", store.bytes_max, "The store's size")->capture_default_str();
  app.add_flag("--json", json, "Print one JSON object");
  CLI11_PARSE(app, argc, argv);
  log::set_level(log::level::error);
  try {
    const history told = read_marks(marks);
    const verdict verdict = judge(store, told, true);
    report report("judge_store", json);
    report.add("confirmed", told.confirmed());
    report.add("failed", verdict.is_good() ? 0 : 1);
    if (!verdict.is_good()) report.add_failure(verdict.text());
    report.require_enough(told.confirmed(), 0, 0);
    report.print();
    return verdict.is_good() && !report.is_void() ? exit_ok : exit_failure;
  } catch (const std::exception& cause) {
    std::cerr << "judge_store: " << cause.what() << "\n";
    return exit_failure;
  }
}
