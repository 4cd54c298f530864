#include <fmt/format.h>

#include "client/tool/output.hpp"
#include "client/tool/store_command.hpp"
#include "client/tool/store_report.hpp"

namespace tidegate::tool {

namespace json = boost::json;

namespace {

constexpr int exit_inconsistent = 1;
constexpr int exit_damaged = exit_not_checked;

// Sends each finding at once, so that it is not lost in a later crash.
class sender final : public store::offline::inspection_listener {
 public:
  explicit sender(store::offline::isolated_end& end) : end_(end) {}
  void at(std::string_view place, std::uint64_t done, std::uint64_t total) override { end_.at(place, done, total); }
  void found(const store::offline::finding& finding) override {
    end_.send(json::serialize(json::object{{"finding", to_json(finding)}}));
  }

 private:
  store::offline::isolated_end& end_;
};

void inspect_into(store::offline::isolated_end& end, const std::string& directory) {
  end.at("its opening", 0, 0);
  store::offline::offline_store store(directory);
  sender listener(end);
  const store::offline::inspection inspection = store::offline::inspect(store, &listener);
  end.send(json::serialize(json::object{{"report", to_json(inspection)}}));
}

std::uint64_t count_of(const json::object& report, std::string_view name) {
  return report.at(name).to_number<std::uint64_t>();
}

std::string verdict_line(const std::string& directory, const json::object& report) {
  const auto notes = count_of(report, "notes"), inconsistencies = count_of(report, "inconsistencies"),
             damages = count_of(report, "damages");
  if (damages > 0) {
    return fmt::format("{}: damaged, {} findings; copy the directory as it is before a broker runs on it again",
                       directory, damages + inconsistencies);
  }
  if (inconsistencies > 0) return fmt::format("{}: {} findings, a start survives them", directory, inconsistencies);
  if (notes > 0) return fmt::format("{}: sound, {} notes", directory, notes);
  return fmt::format("{}: sound", directory);
}

int exit_code_of(const json::object& report) {
  if (count_of(report, "damages") > 0) return exit_damaged;
  return count_of(report, "inconsistencies") > 0 ? exit_inconsistent : exit_ok;
}

std::string_view verdict_of(const json::object& report) {
  constexpr std::string_view verdicts[] = {"sound", "inconsistent", "damaged"};
  return verdicts[exit_code_of(report)];
}

int not_checked(const std::string& directory, const std::string& failure, bool as_json) {
  if (as_json) {
    print_json(json::object{{"store", directory}, {"verdict", "unreadable"}, {"error", failure}});
  } else {
    remark(failure);
  }
  return exit_not_checked;
}

}  // namespace

int check_store(const store_arguments& arguments, bool as_json) {
  json::array findings;
  json::object report{{"notes", 0}, {"inconsistencies", 0}, {"damages", 0}};
  const auto outcome = watch(
      "checking", [&](store::offline::isolated_end& end) { inspect_into(end, arguments.directory); },
      [&](std::string_view line) {
        const json::object said = json::parse(line).as_object();
        if (const auto* const found = said.if_contains("finding")) findings.push_back(*found);
        if (const auto* const all = said.if_contains("report")) report = all->as_object();
      });
  if (!outcome.failure.empty()) {
    if (!outcome.crashed) return not_checked(arguments.directory, outcome.failure, as_json);
    findings.push_back({{"severity", "damaged"},
                        {"where", outcome.place},
                        {"what", fmt::format("LMDB crashed behind it: {}", outcome.failure)}});
    report["damages"] = findings.size();
  }
  json::object whole{{"store", arguments.directory}, {"verdict", verdict_of(report)}};
  for (const auto& member : report) whole[member.key()] = member.value();
  whole["findings"] = std::move(findings);
  if (as_json) {
    print_json(whole);
  } else {
    const std::string text = check_text(whole);
    print(text + (text.empty() ? "" : "\n") + verdict_line(arguments.directory, whole) + "\n");
  }
  return exit_code_of(report);
}

}  // namespace tidegate::tool
