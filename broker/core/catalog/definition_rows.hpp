// The definitions' rows in the store's catalog table. Changes go into the commit group that is gathering.
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

  // Writes or erases a definition's row. `kind`: one of store::catalog_...
  void put(char kind, std::string_view name, std::string value);
  void erase(char kind, std::string_view name);
  // Creates, limits or drops a stream in the same commit as the rows.
  void change_stream(store::stream_change change) { commits_.gathering().change_stream(std::move(change)); }
  // Returns the age of the store.
  std::uint64_t now_ms() { return static_cast<std::uint64_t>(commits_.timeline().lifetime().count()); }
  // Asks for a commit without delay: a definition does not wait for the linger.
  void hurry() { commits_.note(milliseconds(0)); }
  // Settles the receipt with the gathering commit and asks for that commit without delay. Always returns success, for
  // the caller to return.
  result<void> settle(const receipt& answer);
  // Settles the receipt of a change that has no row when this turn of the loop is over.
  void settle_at_once(const receipt& answer);

 private:
  commits::pipeline& commits_;
};

// Returns the error for one definition more than limits::definitions_count. `what`: their plural, as in "queues".
error limit_reached(std::string_view what);

// Returns the ledger of a definition's stream. Throws store_damaged if there is none, or if the ledger and the
// definition disagree on whether the stream lives in memory.
const store::stream_ledger& books_of(const store::books& books, stream_id stream, const durability& durability);

// How an existing object is compared with a declaration of the same name. Lenient: what the declaration does not set is
// accepted as it is. Exact: what it does not set stands for the default, as in AMQP.
enum class sameness { lenient, exact };

// Returns the precondition error for an existing object that is declared again with another value of `field`.
template <class Value>
error differs(std::string_view what, std::string_view name, std::string_view field, const Value& is,
              const Value& wanted) {
  return {errc::precondition, fmt::format("{} '{}' has {} {}, not {}", what, name, field, is, wanted),
          std::string(field), fmt::to_string(wanted), fmt::to_string(is)};
}

// Checks the arguments of a definition. Errors: longer than limits::arguments_bytes; they do not decode.
result<void> check_arguments(std::string_view arguments);

}  // namespace tidegate::core::catalog
