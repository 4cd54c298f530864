// What is said where the store, or the memory for what lives in it only, takes no more.
#pragma once

#include "broker/base/error.hpp"
#include "broker/store/store.hpp"

namespace tidegate::core::commits {

error store_full_error(const store::store& store);
error memory_full_error(const store::store& store);

// What is new may not fill the room that acknowledgements need. Error: store_full.
result<void> check_room(const store::store& store);

}  // namespace tidegate::core::commits
