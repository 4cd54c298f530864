#include "broker/store/rows.hpp"

#include <fmt/format.h>

#include "broker/base/bytes.hpp"
#include "broker/base/crc32c.hpp"
#include "broker/store/format.hpp"

namespace tidegate::store {
namespace {

constexpr std::size_t seal_bytes = sizeof(std::uint32_t);

std::uint32_t seal_of(std::string_view key, std::string_view value) { return crc32c(value, crc32c(key)); }

std::string state_row_name(std::string_view key) {
  if (key.size() < stream_key_bytes && !key.starts_with(state_producer)) return "a state row without a name";
  const auto stream = [&] { return load_be<std::uint32_t>(key.data() + 1); };
  switch (key.front()) {
    case state_stream: return fmt::format("checkpoint of stream {}", stream());
    case state_block:
      if (key.size() != block_key_bytes) break;
      return fmt::format("acknowledgements of stream {} from offset {}", stream(),
                         load_be<std::uint64_t>(key.data() + stream_key_bytes) * offsets_per_block);
    case state_cursor:
      return fmt::format("committed offset of group {} in stream {}", key.substr(stream_key_bytes), stream());
    case state_producer: return fmt::format("sequence of producer {}", key.substr(1));
    default: return fmt::format("fact of space {}", static_cast<int>(key.front()));
  }
  return "a state row of unknown kind";
}

std::string chunk_row_name(std::string_view key) {
  if (key.size() != chunk_key({}, 0).size()) return "a chunk without a place";
  const chunk_place place = place_of_chunk_key(key);
  const std::uint16_t piece = piece_of_chunk_key(key);
  return fmt::format("{}chunk of stream {} up to offset {}", piece == 0 ? "" : fmt::format("piece {} of the ", piece),
                     static_cast<std::uint32_t>(place.stream), place.last_offset);
}

std::string catalog_row_name(std::string_view key) {
  if (key.empty()) return "a row without a key";
  const std::string_view name = key.substr(1);
  switch (key.front()) {
    case catalog_exchange: return fmt::format("exchange {}", name);
    case catalog_queue: return fmt::format("queue {}", name);
    case catalog_topic: return fmt::format("topic {}", name);
    case catalog_binding:
      if (name.size() == sizeof(std::uint64_t)) return fmt::format("binding {}", load_be<std::uint64_t>(name.data()));
      return "a binding";
    default: return fmt::format("a row of kind {}", static_cast<int>(key.front()));
  }
}

}  // namespace

std::string row_name(std::string_view table, std::string_view key) {
  if (table == "chunk") return chunk_row_name(key);
  if (table == "state") return state_row_name(key);
  if (table == "catalog") return "definition of " + catalog_row_name(key);
  if (table == "meta") return fmt::format("meta row {}", key);
  if (table == "loss" && key.size() == 8) return fmt::format("loss record {}", load_be<std::uint64_t>(key.data()));
  return fmt::format("a row of table {}", table);
}

std::string sealed(std::string_view key, std::string value) {
  append_be(value, seal_of(key, value));
  return value;
}

std::optional<std::string_view> unsealed(const lmdb::entry& row) {
  if (row.value.size() < seal_bytes) return std::nullopt;
  const std::string_view value = row.value.substr(0, row.value.size() - seal_bytes);
  if (seal_of(row.key, value) != load_be<std::uint32_t>(row.value.data() + value.size())) return std::nullopt;
  return value;
}

std::string_view unsealed_or_fail(lmdb::table table, const lmdb::entry& row) {
  if (const auto value = unsealed(row)) return *value;
  throw store_damaged(fmt::format("the store is damaged: {} fails its CRC-32C", row_name(table.name, row.key)));
}

void put_row(lmdb::txn& txn, lmdb::table table, std::string_view key, std::string value) {
  txn.put(table, key, sealed(key, std::move(value)));
}

std::optional<std::string_view> get_row(const lmdb::txn& txn, lmdb::table table, std::string_view key) {
  const auto value = txn.get(table, key);
  if (!value) return std::nullopt;
  return unsealed_or_fail(table, {key, *value});
}

void each_row(const lmdb::txn& txn, lmdb::table table, const std::function<void(const lmdb::entry&)>& take) {
  lmdb::cursor cursor(txn, table);
  std::string before;
  std::uint64_t rows = 0;
  for (auto row = cursor.first(); row; row = cursor.next()) {
    if (rows++ > 0 && row->key <= before) {
      throw store_damaged(fmt::format("the store is damaged: {} stands out of order", row_name(table.name, row->key)));
    }
    before = row->key;
    take(*row);
  }
  if (const std::uint64_t told = txn.entries(table); rows != told) {
    throw store_damaged(
        fmt::format("the store is damaged: table {} has {} rows, and LMDB counts {}", table.name, rows, told));
  }
}

}  // namespace tidegate::store
