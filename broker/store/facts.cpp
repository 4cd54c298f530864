#include "broker/store/facts.hpp"

#include <boost/uuid/name_generator_sha1.hpp>
#include <boost/uuid/nil_generator.hpp>

#include "broker/store/fields.hpp"

namespace tidegate::store {
namespace {

constexpr std::size_t hash_bytes = 16;

bool has_own_table(std::string_view name) {
  return space_of(name) == fact_space::definition || space_of(name) == fact_space::store;
}

// Returns the name as its table has it: without the letter, if the table is for one space only. It is the row's key if
// it is short enough.
std::string_view in_table(std::string_view name) { return has_own_table(name) ? name.substr(1) : name; }

}  // namespace

bool is_fact_space(char letter) {
  if (letter == state_stream || letter == state_block) return false;
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
}

bool is_of_stream(std::string_view name) { return name.front() >= 'a' && name.front() <= 'z'; }

void check_fact_name(std::string_view name) {
  const bool is_known = !name.empty() && is_fact_space(name.front());
  const bool is_whole = is_known && (!is_of_stream(name) || name.size() >= stream_key_bytes);
  if (!is_whole) throw store_damaged("the store is damaged: a fact has no name");
}

std::string row_key_of(std::string_view name) {
  const std::string_view key = in_table(name);
  if (key.size() < row_key_bytes_max) return std::string(key);
  const auto hash = boost::uuids::name_generator_sha1(boost::uuids::nil_uuid())(key.data(), key.size());
  return std::string(key.substr(0, row_key_bytes_max - hash_bytes)).append(hash.begin(), hash.end());
}

fact_row row_of(std::string_view name, std::string_view value) {
  fact_row row{row_key_of(name), {}};
  if (row.key.size() == row_key_bytes_max) append_sized(row.value, in_table(name));
  row.value.append(value);
  return row;
}

found_fact fact_in(std::string_view key, std::string_view value, std::string_view letter) {
  found_fact found{std::string(letter), value};
  if (key.size() < row_key_bytes_max) {
    found.name.append(key);
    return found;
  }
  byte_reader reader(value);
  found.name.append(take_sized(reader));
  found.value = reader.rest();
  if (reader.failed() || row_key_of(found.name) != key) {
    throw store_damaged("the store is damaged: a row with a long name has another one's key");
  }
  return found;
}

}  // namespace tidegate::store
