// Formats of the tool's output: one JSON value a line for programs, tables and lines for people.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <string>
#include <vector>

#include "broker/model/message.hpp"

namespace tidegate::tool {

// Adds routing key, exchange, key, headers, timestamp and body. Bytes that are not UTF-8 go as base64 into a member
// whose name ends in _base64. Of several headers with one name the last counts.
void add_message(boost::json::object& to, const message_view& message, std::int64_t timestamp_ms);

// "2024-05-01T12:00:00.000Z plant.1.temperature key=k unit=C | 21.5"
std::string message_line(const message_view& message, std::int64_t timestamp_ms);

// Returns objects as rows under their members' names, numbers right-aligned. A member that is an object becomes columns
// `member.part`; one that is an array of objects becomes a row for each. The broker may add members.
std::string table(const boost::json::array& objects);

// The same for objects that come in pages: only widths are kept from one page to the next. Columns are as wide as this
// page and those before need. The header is repeated when a page has a new column.
class growing_table {
 public:
  // Returns the page's lines; none if there are no objects.
  std::string add(const boost::json::array& objects);

 private:
  struct column {
    std::string name;
    std::size_t width = 0;
    bool numbers = true;
  };
  // Returns whether there are new columns.
  bool widen(const std::vector<boost::json::object>& rows);
  void add_row(std::string& out, const std::function<std::string(const column&)>& cell) const;

  std::vector<column> columns_;
};

// Returns one object as aligned lines of name and value, with nested members as in table().
std::string fields(const boost::json::object& object);

}  // namespace tidegate::tool
