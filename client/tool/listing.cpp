#include "client/tool/listing.hpp"

#include <fmt/format.h>

#include "client/tool/command.hpp"
#include "client/tool/rendering.hpp"

namespace tidegate::tool {

namespace json = boost::json;
using client::awaitable;

awaitable<void> each_page(client::connection& broker, std::string_view kind,
                          const std::function<bool(const json::value&)>& take) {
  client::listing_page page;
  do {
    page = co_await broker.list(kind, page.next);
    boost::system::error_code malformed;
    const json::value rows = json::parse(page.json, malformed);
    if (malformed) throw error_exception({errc::invalid, "the broker's listing is not JSON: " + malformed.message()});
    if (!take(rows)) co_return;
  } while (!page.next.empty());
}

namespace {

// Prints pages as they come, so that no more than one page is in memory.
class list_output {
 public:
  list_output(bool as_json, std::string kind) : as_json_(as_json), kind_(std::move(kind)) {}

  void add(const json::value& page) {
    if (const auto* const rows = page.if_array()) {
      as_json_ ? add_json(*rows) : print(table_.add(*rows));
      rows_ += rows->size();
    } else if (as_json_) {
      print_json(page);
    } else {
      print(fields(page.as_object()));
    }
    is_array_ = page.is_array();
  }

  void end() {
    if (is_array_ && as_json_) print_line(rows_ == 0 ? "[]" : "]");
    if (is_array_ && !as_json_ && rows_ == 0) remark(fmt::format("no {}", kind_));
  }

  // Ends the JSON array that was printed so far, so that the output is valid JSON.
  void cut_short() {
    if (rows_ == 0) return;
    if (as_json_) print_line("]");
    remark(fmt::format("the list ends early, after {} rows", rows_));
  }

 private:
  void add_json(const json::array& rows) {
    std::string text;
    for (const json::value& row : rows) {
      text += rows_ == 0 && text.empty() ? "[" : ",";
      text += json::serialize(row);
    }
    print(text);
  }

  bool as_json_;
  std::string kind_;
  growing_table table_;
  std::uint64_t rows_ = 0;
  bool is_array_ = false;
};

// The rows of bindings whose target is the queue.
json::array bindings_to(const std::string& queue, const json::array& rows) {
  json::array chosen;
  for (const json::value& row : rows) {
    if (row.at("target_kind") == "queue" && row.at("target") == json::string(queue)) chosen.push_back(row);
  }
  return chosen;
}

awaitable<void> print_all(client::connection& broker, const list_arguments& asked, list_output& output,
                          bool& is_complete) {
  const auto take = [&](const json::value& page) {
    asked.queue.empty() ? output.add(page) : output.add(bindings_to(asked.queue, page.as_array()));
    return true;
  };
  co_await each_page(broker, asked.kind, take);
  is_complete = true;
}

}  // namespace

awaitable<int> list(environment& environment, const list_arguments& arguments) {
  list_output output(environment.json, arguments.kind);
  bool is_complete = false;
  task_group tasks(environment.executor, environment.interruption);
  tasks.start(print_all(environment.broker, arguments, output, is_complete));
  try {
    co_await tasks.finish();
  } catch (...) {
    output.cut_short();
    throw;
  }
  if (is_complete) {
    output.end();
    co_return exit_ok;
  }
  output.cut_short();
  remark("interrupted before all was listed");
  co_return exit_failure;
}

}  // namespace tidegate::tool
