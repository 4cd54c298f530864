// The definitions' rows in the store's catalog: writes and erases them with the gathering commit.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "broker/base/error.hpp"
#include "broker/core/commits/pipeline.hpp"
#include "broker/store/store.hpp"

namespace tidegate::core::catalog {

class definition_rows {
 public:
  explicit definition_rows(commits::pipeline& commits) : commits_(commits) {}

  // `kind`: one of store::catalog_...
  void put(char kind, std::string_view name, std::string value);
  void erase(char kind, std::string_view name);
  // Creates, limits or drops a stream in the same commit.
  void change_stream(store::stream_change change) { commits_.gathering().change_stream(std::move(change)); }
  // Asks for a commit without delay, which definitions get.
  void hurry() { commits_.note(milliseconds(0)); }
  // Asks for a commit without delay, and settles the receipt with it. Returns success, for the caller to return.
  result<void> settle(const receipt& answer);

 private:
  commits::pipeline& commits_;
};

error limit_reached(std::string_view what);

// Returns the books of a definition's stream. Throws store_damaged if there are none, or if they are of the other kind.
const store::stream_ledger& books_of(const store::books& books, stream_id stream, const durability& durability);

// Returns the error for a second declaration with another attribute.
template <class Value>
error differs(std::string_view what, std::string_view name, std::string_view field, const Value& is,
              const Value& wanted) {
  return {errc::precondition, fmt::format("{} '{}' has {} {}, not {}", what, name, field, is, wanted),
          std::string(field)};
}

}  // namespace tidegate::core::catalog
