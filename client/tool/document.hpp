// A document of definitions: exchanges, queues, topics and bindings as JSON, in the words of the listings.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "client/values.hpp"

namespace tidegate::tool {

// Returns the definition that a row of the listing holds: what a declaration takes, without figures.
boost::json::object exchange_of(const boost::json::object& row);
boost::json::object queue_of(const boost::json::object& row);
boost::json::object topic_of(const boost::json::object& row);
boost::json::object binding_of(const boost::json::object& row);

// Returns the document as text, one definition a line.
std::string to_text(const boost::json::object& document);

// Reads a document. Throws error_exception (INVALID) with the place, as in `queues[2].messages_max`, for a member that
// is not known or has another type, and for text that is not JSON.
client::definitions read_document(std::string_view text);

}  // namespace tidegate::tool
