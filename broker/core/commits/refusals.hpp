// Refusals: the errors for a full store and for full memory.
#pragma once

#include "broker/base/error.hpp"
#include "broker/store/store.hpp"

namespace tidegate::core::commits {

// Return a store_full or memory_full error with the present figures.
error store_full_error(const store::store& store);
error memory_full_error(const store::store& store);

// Checks that the store accepts something new, which may not use the room that acknowledgements need. Error:
// store_full.
result<void> check_room(const store::store& store);

}  // namespace tidegate::core::commits
