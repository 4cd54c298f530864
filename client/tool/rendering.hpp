// Formats messages and listings: as JSON values for programs, as lines and tables for people.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <string>
#include <vector>

#include "broker/model/message.hpp"

namespace tidegate::tool {

// Adds routing key, exchange, key, headers, properties, timestamp and body to the object. Bytes that are not UTF-8 are
// added as base64, in a member whose name ends in _base64. If several headers have the same name, the last one is kept.
void add_message(boost::json::object& to, const message_view& message, std::int64_t timestamp_ms);

// Returns a line like "2024-05-01T12:00:00.000Z plant.1.temperature key=k unit=C | 21.5".
std::string message_line(const message_view& message, std::int64_t timestamp_ms);

// Formats objects as rows under their members' names, with numbers aligned to the right. A member that is an object
// becomes columns `member.part`. A member that is an array of objects becomes one row for each of them. Members that
// this tool does not know are shown as well, so a newer broker may add some.
std::string table(const boost::json::array& objects);

// The same table for objects that come in pages. Only names and widths of columns are kept from one page to the next. A
// column is as wide as this page and the pages before need. The header is repeated if a page has a new column.
class growing_table {
 public:
  // Returns the page's lines; empty if there are no objects.
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

// Formats one object as aligned lines of name and value. A member that is an object becomes lines `member.part`.
std::string fields(const boost::json::object& object);

}  // namespace tidegate::tool
