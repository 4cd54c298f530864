// Requests the pages of a list, one after the other.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <string_view>

#include "client/connection.hpp"

namespace tidegate::tool {

// Calls `take` with each page, an array of objects (for status one object), until `take` returns false or there are no
// more pages. Throws error_exception if the broker refuses the list, and with INVALID if a page is not JSON.
client::awaitable<void> each_page(client::connection& broker, std::string_view kind,
                                  const std::function<bool(const boost::json::value&)>& take);

}  // namespace tidegate::tool
