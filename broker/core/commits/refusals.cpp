#include "broker/core/commits/refusals.hpp"

#include <fmt/format.h>

namespace tidegate::core::commits {

error store_full_error(const store::store& store) {
  const auto& pages = store.pages();
  return {errc::store_full,
          fmt::format(
              "the store holds {} of {} MiB and takes no more ({:.0f} % is its bound): consume, let retention work, "
              "or raise store.bytes_max",
              (pages.used_pages * pages.page_bytes) >> 20, (pages.map_pages * pages.page_bytes) >> 20,
              store::refuse_above * 100)};
}

error memory_full_error(const store::store& store) {
  const store::memory_use& use = store.in_memory().use();
  return {errc::memory_full,
          fmt::format("what lives in memory takes {} of {} KiB, and no log there may give way for more: consume, or "
                      "raise store.memory_bytes_max",
                      use.bytes / limits::kib, use.bytes_max / limits::kib)};
}

result<void> check_room(const store::store& store) {
  if (store.is_full()) return store_full_error(store);
  return {};
}

}  // namespace tidegate::core::commits
