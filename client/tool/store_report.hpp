// What the offline store commands have found, as JSON for programs; the people's form is made of that.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "broker/store/offline/inspection.hpp"

namespace tidegate::tool {

boost::json::object to_json(const store::offline::finding& finding);
// Without the findings themselves, which are told one by one.
boost::json::object to_json(const store::offline::inspection& inspection);
// What a store says of itself, and all that it holds, without the numbers of single tables.
boost::json::object to_json(const store::offline::store_identity& identity, const store::lmdb::page_use& pages,
                            const store::offline::store_overview& overview);

// Both may lack what could not be read.
std::string check_text(const boost::json::object& report);
std::string overview_text(const boost::json::object& report);

}  // namespace tidegate::tool
