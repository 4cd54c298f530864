#include "client/tool/store_command.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>

#include "broker/base/log.hpp"
#include "client/tool/output.hpp"

namespace tidegate::tool {
namespace {

using steady = std::chrono::steady_clock;

// Work that takes less time shows no progress.
constexpr std::chrono::seconds quiet_for{1};

class progress_line {
 public:
  explicit progress_line(std::string_view what) : what_(what), is_shown_(::isatty(STDERR_FILENO) == 1) {}
  progress_line(const progress_line&) = delete;
  progress_line& operator=(const progress_line&) = delete;
  ~progress_line() {
    if (written_) print_aside("\r\x1b[K");
  }

  void show(std::string_view place, double share) {
    if (!is_shown_ || steady::now() - begun_ < quiet_for) return;
    const std::string percent = share > 0 ? fmt::format(" {:.0f} %", share * 100) : "";
    constexpr std::size_t place_columns = 50;
    print_aside(fmt::format("\r\x1b[K{}{}: {}", what_, percent, place.substr(0, place_columns)));
    written_ = true;
  }

 private:
  std::string_view what_;
  bool is_shown_;
  bool written_ = false;
  steady::time_point begun_ = steady::now();
};

}  // namespace

store::offline::isolated_outcome watch(std::string_view what,
                                       const std::function<void(store::offline::isolated_end&)>& work,
                                       const std::function<void(std::string_view line)>& take) {
  log::set_level(log::level::warning);  // leaves out the store's own log lines about its start
  progress_line progress(what);
  return store::offline::run_isolated(
      work, {take, [&](std::string_view place, double share) { progress.show(place, share); }});
}

std::string failure_of(const store::offline::isolated_outcome& outcome) {
  if (!outcome.crashed) return outcome.failure;
  return fmt::format("the store is damaged: LMDB crashed behind {} ({}); tidegate store check tells more",
                     outcome.place.empty() ? "the beginning" : outcome.place, outcome.failure);
}

int run_store_command(const store_arguments& arguments, bool json) {
  switch (arguments.action) {
    case store_action::check: return check_store(arguments, json);
    case store_action::show: return show_store(arguments, json);
    case store_action::save: return export_store(arguments, json);
    case store_action::salvage: return salvage_store(arguments, json);
    case store_action::restore: return import_store(arguments, json);
  }
  return exit_usage;
}

}  // namespace tidegate::tool
