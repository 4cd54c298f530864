// The status lines about commits and flash.
#pragma once

#include <boost/json/object.hpp>

#include "broker/core/broker.hpp"

namespace tidegate::native {

// Adds to the one flat object. Null: not known, or not yet.
void add_pace(boost::json::object& to, core::broker& broker);

}  // namespace tidegate::native
