#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "bridge/status.hpp"

namespace tidegate::bridge {
namespace {

namespace json = boost::json;

constexpr std::array columns = {"ROUTE",     "PART",    "STATE",   "LAG",  "MINUTES", "SENT",
                                "CONFIRMED", "AVOIDED", "REFUSED", "LOST", "ERROR"};
using row = std::array<std::string, columns.size()>;

std::string number(const json::object& object, const char* name) {
  return fmt::format("{}", object.at(name).to_number<std::uint64_t>());
}

std::string text(const json::object& object, const char* name) {
  const json::string& value = object.at(name).as_string();
  return {value.data(), value.size()};
}

std::string minutes(const json::object& partition) {
  const json::value& value = partition.at("lag_minutes");
  return value.is_null() ? "-" : fmt::format("{:.1f}", value.to_number<double>());
}

// A route that is not open shows its own state; an open route shows the state of each partition.
std::string state(const json::object& route, const json::object& partition) {
  const std::string whole = text(route, "state");
  return whole == "open" ? text(partition, "state") : whole;
}

std::string failure(const json::object& route) {
  const json::value& retry = route.at("retry_in_ms");
  const std::string error = text(route, "last_error");
  return retry.is_null() ? error : fmt::format("{} (again in {} ms)", error, retry.to_number<std::int64_t>());
}

row partition_row(const json::object& route, const json::object& partition) {
  return {text(route, "name"),
          number(partition, "partition"),
          state(route, partition),
          number(partition, "lag_records"),
          minutes(partition),
          number(partition, "sent_records"),
          number(partition, "confirmed_records"),
          number(partition, "duplicates_avoided"),
          number(partition, "refused_records"),
          number(partition, "lost_records"),
          failure(route)};
}

std::string aligned(const std::vector<row>& rows) {
  std::array<std::size_t, columns.size()> widths{};
  for (const row& cells : rows) {
    for (std::size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], cells[i].size());
  }
  std::string out;
  for (const row& cells : rows) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) line += fmt::format("{:<{}}", cells[i], widths[i] + 2);
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string table(const json::object& bridge) {
  std::vector<row> rows(1);
  std::copy(columns.begin(), columns.end(), rows.front().begin());
  for (const json::value& route : bridge.at("routes").as_array()) {
    for (const json::value& partition : route.at("partitions").as_array()) {
      rows.push_back(partition_row(route.as_object(), partition.as_object()));
    }
    if (!route.at("partitions").as_array().empty()) continue;
    rows.push_back({text(route.as_object(), "name"), "-", text(route.as_object(), "state"), "-", "-", "-", "-", "-",
                    "-", "-", failure(route.as_object())});
  }
  return fmt::format("bridge {}, broker {} ({}), gateway {}\n\n{}", text(bridge, "name"), text(bridge, "broker"),
                     text(bridge, "broker_state"), text(bridge, "gateway"), aligned(rows));
}

}  // namespace

result<std::string> status_table(std::string_view text) {
  try {
    return table(json::parse(json::string_view(text.data(), text.size())).as_object());
  } catch (const std::exception& failure) {
    return error{errc::invalid, fmt::format("the status file is not the bridge's: {}", failure.what())};
  }
}

}  // namespace tidegate::bridge
