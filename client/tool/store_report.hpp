// Results of the offline store commands, as JSON for programs. The text for people is made from it.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "broker/store/offline/inspection.hpp"

namespace tidegate::tool {

boost::json::object to_json(const store::offline::finding& finding);
// Without the findings, which are printed one by one.
boost::json::object to_json(const store::offline::inspection& inspection);
// The store's identity and everything that it holds, without figures of single tables.
boost::json::object to_json(const store::offline::store_identity& identity, const store::lmdb::page_use& pages,
                            const store::offline::store_overview& overview);

// Both may lack members that could not be read.
std::string check_text(const boost::json::object& report);
std::string overview_text(const boost::json::object& report);

}  // namespace tidegate::tool
