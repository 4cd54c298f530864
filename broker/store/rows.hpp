// Rows of the small tables: state, catalog, loss and meta. LMDB does not check what it stores, so each value ends with
// a seal: the CRC-32C of the row's key and of the value. A row whose key was damaged, or that is stored under the wrong
// key, is detected the same way as one with a damaged value. Only `format`, in meta, has no seal: it is read before any
// other rule.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "broker/store/lmdb.hpp"

namespace tidegate::store {

// Returns the value followed by its seal.
std::string sealed(std::string_view key, std::string value);
// Returns the value without its seal, a view into the row; none if the CRC-32C is wrong.
std::optional<std::string_view> unsealed(const lmdb::entry& row);
// The same, except that a wrong CRC-32C throws store_damaged, which names the row.
std::string_view unsealed_or_fail(lmdb::table table, const lmdb::entry& row);

// Writes the value with a seal.
void put_row(lmdb::txn& txn, lmdb::table table, std::string_view key, std::string value);
// Returns the value without its seal; none if there is no such row. Throws store_damaged if the CRC-32C is wrong. The
// view is valid as that of lmdb::txn::get().
std::optional<std::string_view> get_row(const lmdb::txn& txn, lmdb::table table, std::string_view key);

// Calls `take` with every row of any table, in order and with its seal. Throws store_damaged if rows are out of order,
// or not as many as LMDB counts, because a damaged page can hide rows or repeat them.
void each_row(const lmdb::txn& txn, lmdb::table table, const std::function<void(const lmdb::entry&)>& take);

// Returns a row's name for people, for a row of any table: "chunk of stream 3 up to offset 17".
std::string row_name(std::string_view table, std::string_view key);

}  // namespace tidegate::store
