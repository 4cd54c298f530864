// Rules for definitions of durability memory: checks used when a queue or topic is declared or configured.
#pragma once

#include <cstdint>
#include <string_view>

#include "broker/base/error.hpp"
#include "broker/model/durability.hpp"
#include "broker/store/store.hpp"

namespace tidegate::core::catalog {

// Checks a definition of durability memory; other durabilities pass. `kind`: "queue" or "topic", for the error text.
// `retention_bytes`: 0 = not set. Errors: the broker's memory bound is 0; the retention is above that bound.
result<void> check_memory(const store::store& store, std::string_view kind, const durability& durability,
                          std::uint64_t retention_bytes);

// Checks that an existing definition keeps its place. Error: its records would have to move into memory or out of it.
result<void> check_stays(std::string_view kind, std::string_view name, const durability& is, const durability& wanted);

// Returns the retention in bytes of a partition whose topic sets none. `on_flash`: the broker's default. A partition in
// memory gets at most a quarter of the memory bound, so that one partition does not use all of it.
std::uint64_t default_retention(const store::store& store, const durability& durability, std::uint64_t on_flash);

}  // namespace tidegate::core::catalog
