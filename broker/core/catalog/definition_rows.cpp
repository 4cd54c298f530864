#include "broker/core/catalog/definition_rows.hpp"

#include "broker/base/limits.hpp"
#include "broker/model/field_table.hpp"

namespace tidegate::core::catalog {
namespace {

std::string key_of(char kind, std::string_view name) { return std::string(1, kind).append(name); }

}  // namespace

void definition_rows::put(char kind, std::string_view name, std::string value) {
  commits_.gathering().put_definition(key_of(kind, name), std::move(value));
}

void definition_rows::erase(char kind, std::string_view name) {
  commits_.gathering().erase_definition(key_of(kind, name));
}

result<void> definition_rows::settle(const receipt& answer) {
  commits_.answer_later(answer, false);
  hurry();
  return {};
}

void definition_rows::settle_at_once(const receipt& answer) {
  commits_.answer_later(answer, commits::course::at_once, milliseconds(0));
}

const store::stream_ledger& books_of(const store::books& books, stream_id stream, const durability& durability) {
  const auto found = books.streams.find(stream);
  if (found == books.streams.end()) throw store_damaged("the store is damaged: a definition's stream is not there");
  if (found->second.in_memory != durability.is_memory()) {
    throw store_damaged("the store is damaged: a definition's stream has another durability");
  }
  return found->second;
}

result<void> check_arguments(std::string_view arguments) {
  if (arguments.size() <= limits::arguments_bytes) return check_table("arguments", arguments);
  return error{errc::too_large,
               fmt::format("arguments of {} bytes are over the limit of {}", arguments.size(), limits::arguments_bytes),
               "arguments"};
}

error limit_reached(std::string_view what) {
  return {errc::limit, fmt::format("{} {} are the limit", limits::definitions_count, what)};
}

}  // namespace tidegate::core::catalog
