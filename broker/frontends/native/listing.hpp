// What List answers, as JSON.
#pragma once

#include <string>
#include <string_view>

#include "broker/frontends/native/front_end.hpp"

namespace tidegate::native {

// kind: exchanges | bindings | queues | topics | groups | connections | status
result<std::string> listing(std::string_view kind, front_end& front_end);

}  // namespace tidegate::native
