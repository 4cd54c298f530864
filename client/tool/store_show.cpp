#include "client/tool/output.hpp"
#include "client/tool/store_command.hpp"
#include "client/tool/store_report.hpp"

namespace tidegate::tool {

namespace json = boost::json;

int show_store(const store_arguments& arguments, bool as_json) {
  json::object report;
  const auto outcome = watch(
      "reading",
      [&](store::offline::isolated_end& end) {
        end.at("its opening", 0, 0);
        store::offline::offline_store store(arguments.directory);
        end.at("the replay of the journal", 0, 0);
        const auto overview = store::offline::survey(store);
        end.send(json::serialize(to_json(store.identity(), store.pages(), overview)));
      },
      [&](std::string_view line) { report = json::parse(line).as_object(); });
  if (const std::string failure = failure_of(outcome); !failure.empty()) {
    remark(failure);
    return exit_failure;
  }
  if (as_json) {
    print_json(report);
  } else {
    print(overview_text(report));
  }
  return exit_ok;
}

}  // namespace tidegate::tool
