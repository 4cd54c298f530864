// The members of status about commits and flash.
#pragma once

#include <boost/json/object.hpp>

#include "broker/core/api/status.hpp"

namespace tidegate::native {

// Adds the members to the one flat object. Null = not known, or not yet.
void add_pace(boost::json::object& to, const core::api::status& status);

}  // namespace tidegate::native
