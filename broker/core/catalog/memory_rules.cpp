#include "broker/core/catalog/memory_rules.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tidegate::core::catalog {

result<void> check_memory(const store::store& store, std::string_view kind, const durability& durability,
                          std::uint64_t retention_bytes) {
  const std::uint64_t bytes_max = store.in_memory().use().bytes_max;
  if (!durability.is_memory()) return {};
  if (bytes_max == 0) {
    return error{errc::not_allowed,
                 fmt::format("a {} of durability memory: this broker keeps nothing in memory only "
                             "(store.memory_bytes_max is 0)",
                             kind),
                 "durability"};
  }
  if (retention_bytes <= bytes_max) return {};
  return error{errc::invalid,
               fmt::format("retention of {} bytes: of durability memory it takes {} at most (store.memory_bytes_max)",
                           retention_bytes, bytes_max),
               "retention_bytes"};
}

result<void> check_stays(std::string_view kind, std::string_view name, const durability& is, const durability& wanted) {
  if (is.is_memory() == wanted.is_memory()) return {};
  return error{errc::precondition,
               fmt::format("{} '{}' has durability {}, and the configuration says {}: what it holds cannot move into "
                           "memory or out of it; configure what it has, or delete it first",
                           kind, name, to_text(is), to_text(wanted)),
               "durability"};
}

std::uint64_t default_retention(const store::store& store, const durability& durability, std::uint64_t on_flash) {
  if (!durability.is_memory()) return on_flash;
  return std::min(on_flash, store.in_memory().use().bytes_max / 4);
}

}  // namespace tidegate::core::catalog
