// A fact is a small piece of state: a name and a value. Core decides what a fact means. The store keeps the newest
// value of each name, first in the journal and then in a row of its own.
//
// The first letter of a name is its space. The store itself reads only these:
//
//   D  and a key of the table catalog       M  and a key of the table meta
//   c  stream u32, group: the table state; the value begins with the offset that the group has committed
//   other lowercase letters: stream u32 and any bytes; the fact is erased with its stream
//   other capitals, except S and B, which start rows of the store's own: any bytes
//
// LMDB's keys have at most 511 bytes. The row of a name of 511 bytes or more has a key of exactly 511 bytes, the name's
// start and a hash, and the name precedes the value.
#pragma once

#include <string>
#include <string_view>

#include "broker/store/format.hpp"
#include "broker/store/lmdb.hpp"

namespace tidegate::store {

enum class fact_space : char {
  committed_offset = state_cursor,  // cursor_key()
  producer = state_producer,        // producer_key(): its last sequence
  definition = 'D',
  due_zone = 'z',  // core/timers: a lower bound of when messages of a zone are due
  store = 'M',
};

inline fact_space space_of(std::string_view name) { return static_cast<fact_space>(name.front()); }
// Returns the name of a fact: the letter of its space, then `rest`.
inline std::string fact_name(fact_space space, std::string_view rest) {
  return std::string(1, static_cast<char>(space)).append(rest);
}
// Returns whether the letter may start a fact's name.
bool is_fact_space(char letter);
// Returns whether the fact is erased with its stream. A stream's number then follows the letter.
bool is_of_stream(std::string_view name);
// Throws store_damaged if `name` is not the name of a fact.
void check_fact_name(std::string_view name);

// Length of the longest row key. LMDB allows no longer one.
constexpr std::size_t row_key_bytes_max = 511;
struct fact_row {
  std::string key;
  std::string value;
};
// Returns the key of the name's row in its table.
std::string row_key_of(std::string_view name);
fact_row row_of(std::string_view name, std::string_view value);

// Reads name and value from a row of the tables state, catalog or meta. The value is a view into the row. `letter`: the
// space, for catalog and meta, whose keys have none. Throws store_damaged if a long name does not fit its key.
struct found_fact {
  std::string name;
  std::string_view value;
};
found_fact fact_in(std::string_view key, std::string_view value, std::string_view letter = {});

}  // namespace tidegate::store
