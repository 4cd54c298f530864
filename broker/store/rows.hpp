// Rows of the small tables: state, catalog, loss and meta. LMDB checks nothing of what it stores, so each value is
// sealed: it ends with the CRC-32C of the row's key and of what comes before. A row whose key was damaged, or that
// stands in another one's place, fails it like one whose value was damaged. `format` alone, in meta, has no seal: it
// comes before any other rule.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "broker/store/lmdb.hpp"

namespace tidegate::store {

// The value with its seal.
std::string sealed(std::string_view key, std::string value);
// The value without its seal; none: it fails its CRC-32C.
std::optional<std::string_view> unsealed(const lmdb::entry& row);
// The same for those who cannot go on: throws storage_failure, which names the row.
std::string_view unsealed_or_fail(lmdb::table table, const lmdb::entry& row);

// Seals the value.
void put_row(lmdb::txn& txn, lmdb::table table, std::string_view key, std::string value);
// The value without its seal; none: there is no such row. Throws storage_failure where it is damaged.
std::optional<std::string_view> get_row(const lmdb::txn& txn, lmdb::table table, std::string_view key);

// All rows of a table, of any, in their order and as they are. Throws storage_failure where they are out of order, or
// not as many as LMDB counts: a damaged page hides some, or shows some again.
void each_row(const lmdb::txn& txn, lmdb::table table, const std::function<void(const lmdb::entry&)>& take);

// A row's name for people: "chunk of stream 3 up to offset 17". Of all tables.
std::string row_name(std::string_view table, std::string_view key);

}  // namespace tidegate::store
