// What the tool prints: one JSON value a line for programs, tables and lines for people.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <string>
#include <vector>

#include "broker/model/message.hpp"

namespace tidegate::tool {

// Routing key, exchange, key, headers, timestamp, body, added to what is there. What is not UTF-8 goes base64 into a
// member whose name ends in _base64; of headers with one name the last counts.
void add_message(boost::json::object& to, const message_view& message, std::int64_t timestamp_ms);

// "2024-05-01T12:00:00.000Z plant.1.temperature key=k unit=C | 21.5"
std::string message_line(const message_view& message, std::int64_t timestamp_ms);

// Objects as rows under their members' names, numbers to the right. A member that is an object spreads into columns
// `member.part`; one that is an array of objects spreads into a row for each. The broker may add members as it likes.
std::string table(const boost::json::array& objects);

// The same for objects that come in pages: only widths are kept from one to the next. A page's columns are as wide as
// it and the pages before need; the header comes again where a page brings a new column.
class growing_table {
 public:
  // The page's lines, none for no objects.
  std::string add(const boost::json::array& objects);

 private:
  struct column {
    std::string name;
    std::size_t width = 0;
    bool numbers = true;
  };
  // True: there are new columns.
  bool widen(const std::vector<boost::json::object>& rows);
  void add_row(std::string& out, const std::function<std::string(const column&)>& cell) const;

  std::vector<column> columns_;
};

// One object as aligned lines of name and value, spread in the same way.
std::string fields(const boost::json::object& object);

}  // namespace tidegate::tool
