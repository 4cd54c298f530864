// Errors for requests when the store, or the memory for memory streams, is full.
#pragma once

#include "broker/base/error.hpp"
#include "broker/store/store.hpp"

namespace tidegate::core::commits {

error store_full_error(const store::store& store);
error memory_full_error(const store::store& store);

// Call before adding something new: it must not use the room that acknowledgements need. Error: STORE_FULL.
result<void> check_room(const store::store& store);

}  // namespace tidegate::core::commits
