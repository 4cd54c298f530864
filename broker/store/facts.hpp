// Facts: small states of the store, each a name and a value, or gone. What a fact means is core's business; the store
// keeps the newest value of each name, in the journal and then in a row of its own.
//
// A name begins with the letter of its space. The store itself knows only those that are named here:
//
//   D  and a key of the table catalog       M  and a key of the table meta
//   c  stream u32, group: the table state; the value begins with the offset that the group has committed
//   other small letters: stream u32 and any bytes; the fact goes with its stream
//   other capitals, S and B apart, which begin rows of the store's own: any bytes
//
// LMDB's keys end at 511 bytes. The row of a longer name has a key of exactly so many, its beginning and a hash, and
// the name stands before the value.
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
  store = 'M',
};

inline fact_space space_of(std::string_view name) { return static_cast<fact_space>(name.front()); }
// Of the space: what comes behind the letter.
inline std::string fact_name(fact_space space, std::string_view rest) {
  return std::string(1, static_cast<char>(space)).append(rest);
}
// Whether the letter may begin a fact's name.
bool is_fact_space(char letter);
// It goes when its stream does. Its name has a stream's number behind the letter.
bool is_of_stream(std::string_view name);
// Throws store_damaged on what is no name of a fact.
void check_fact_name(std::string_view name);

// Where a fact's row stands, without its seal.
constexpr std::size_t row_key_bytes_max = 511;
struct fact_row {
  std::string key;
  std::string value;
};
// The key of the name's row in its table.
std::string row_key_of(std::string_view name);
fact_row row_of(std::string_view name, std::string_view value);

// What a row of the tables state, catalog and meta says. Views into it. `letter`: of the catalog and of meta, whose
// keys have none. Throws store_damaged where a long name does not fit its key.
struct found_fact {
  std::string name;
  std::string_view value;
};
found_fact fact_in(std::string_view key, std::string_view value, std::string_view letter = {});

}  // namespace tidegate::store
