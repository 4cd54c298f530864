// Declares every table and key of the broker's configuration file.
#pragma once

#include "broker/base/settings/schema.hpp"

namespace tidegate {

settings::schema known_settings();

}  // namespace tidegate
