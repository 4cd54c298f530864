// Leases: names that one session at a time holds until it ends. They serve programs of which only one may do a piece of
// work.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "broker/base/error.hpp"
#include "broker/core/events/events.hpp"

namespace tidegate::core::api {

struct lease_request {
  std::string_view name;
  std::string_view owner;   // a session takes the lease over from one with the same owner; empty = no owner
  std::string_view holder;  // describes the session in the error text of others whose request is refused
  bool take_over = false;   // takes the lease over whoever holds it
};

class leases {
 public:
  // Gives the lease to the session. Returns the session that lost the lease, if another one held it. Errors: another
  // session with another owner, or with none, holds the lease and take_over is not set; the session has too many
  // leases;
  // the name is invalid; the owner is too long.
  result<std::optional<session_id>> take(session_id session, const lease_request& request);
  // Releases all leases of a session that has ended.
  void release(session_id session);

 private:
  struct holding {
    session_id session;
    std::string owner, holder;
  };
  std::map<std::string, holding, std::less<>> holdings_;
  std::unordered_map<session_id, std::size_t> counts_;  // leases of each session
};

}  // namespace tidegate::core::api
