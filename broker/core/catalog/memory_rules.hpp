// What a definition must keep to if it is to live in memory only.
#pragma once

#include <cstdint>
#include <string_view>

#include "broker/base/error.hpp"
#include "broker/model/durability.hpp"
#include "broker/store/store.hpp"

namespace tidegate::core::catalog {

// Errors: the broker keeps nothing in memory; the retention is over all the memory there is. Other durabilities pass.
result<void> check_memory(const store::store& store, std::string_view kind, const durability& durability,
                          std::uint64_t retention_bytes);

// Error: what is held would have to move into memory or out of it.
result<void> check_stays(std::string_view kind, std::string_view name, const durability& is, const durability& wanted);

// Returns the retention of a partition that names none: of one in memory a quarter of the memory at most, so that it
// alone does not take all.
std::uint64_t default_retention(const store::store& store, const durability& durability, std::uint64_t on_flash);

}  // namespace tidegate::core::catalog
