// Declares every table and key of the broker's configuration file. broker/base/settings/schema.hpp says what a new key
// needs.
#pragma once

#include "broker/base/settings/schema.hpp"

namespace tidegate {

settings::schema known_settings();

}  // namespace tidegate
