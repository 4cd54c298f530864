// Facts: small states of the store, each a name and a value, or gone. What a fact means is core's business; the store
// keeps the newest value of each name, in the journal and then in a row of its own.
//
// A name begins with the letter of its space, which says in which table the row is.
#pragma once

#include <string>
#include <string_view>

#include "broker/store/format.hpp"
#include "broker/store/lmdb.hpp"

namespace tidegate::store {

enum class fact_space : char {
  committed_offset = state_cursor,  // cursor_key(): table state
  producer = state_producer,        // producer_key(): table state
  definition = 'D',                 // and a key of the table catalog
  store = 'M',                      // and a key of the table meta
};

inline fact_space space_of(std::string_view name) { return static_cast<fact_space>(name.front()); }
// Of the space: what comes behind the letter.
inline std::string fact_name(fact_space space, std::string_view rest) {
  return std::string(1, static_cast<char>(space)).append(rest);
}

}  // namespace tidegate::store
