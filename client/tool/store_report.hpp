// The results of the offline store commands, as JSON for programs. The text for people is made from that JSON.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "broker/store/offline/inspection.hpp"

namespace tidegate::tool {

boost::json::object to_json(const store::offline::finding& finding);
// Leaves out the findings themselves, which are reported one by one.
boost::json::object to_json(const store::offline::inspection& inspection);
// Returns a store's identity, its pages and an overview of its content, without the sizes of single tables.
boost::json::object to_json(const store::offline::store_identity& identity, const store::lmdb::page_use& pages,
                            const store::offline::store_overview& overview);

// Format a report for people. A report may lack the members that could not be read.
std::string check_text(const boost::json::object& report);
std::string overview_text(const boost::json::object& report);

}  // namespace tidegate::tool
