// Rules for definitions of durability memory.
#pragma once

#include <cstdint>
#include <string_view>

#include "broker/base/error.hpp"
#include "broker/model/durability.hpp"
#include "broker/store/store.hpp"

namespace tidegate::core::catalog {

// Errors: memory streams are disabled; the retention exceeds all memory for them. Other durabilities pass.
result<void> check_memory(const store::store& store, std::string_view kind, const durability& durability,
                          std::uint64_t retention_bytes);

// Error: held messages would have to move into memory or out of it.
result<void> check_stays(std::string_view kind, std::string_view name, const durability& is, const durability& wanted);

// Returns the retention of a partition whose topic names none. In memory it is at most a quarter of the memory, so that
// one partition does not take all.
std::uint64_t default_retention(const store::store& store, const durability& durability, std::uint64_t on_flash);

}  // namespace tidegate::core::catalog
