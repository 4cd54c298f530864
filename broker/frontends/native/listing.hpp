// Answers to List, as JSON: one page of rows at a time. The page's size bounds the work.
#pragma once

#include <string>
#include <string_view>

#include "broker/frontends/native/front_end.hpp"

namespace tidegate::native {

struct listing_request {
  std::string_view kind;   // exchanges | bindings | queues | topics | groups | losses | connections | status
  std::string_view after;  // `next` of the page before; empty = from the start
  std::size_t bytes_max;   // of the JSON, but the first row is always in the page; 0 = limits::listing_bytes_max, which
                           // is also the maximum
};

struct listing_page {
  std::string json;  // an array of objects, one for each row; for status one object
  std::string next;  // the place of the last row; empty = there are no more rows
};

// Rows come in the order of their names or numbers, so rows that are added or removed between pages move no other row.
// Errors: no such kind, or a place that is not of that list.
result<listing_page> listing(const listing_request& request, front_end& front_end);

}  // namespace tidegate::native
