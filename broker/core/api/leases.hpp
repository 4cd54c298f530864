// Names that one session at a time holds, until it ends: for programs of which only one may do a piece of work.
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
  std::string_view owner;   // may take the name over from an older session of the same owner; empty = no owner
  std::string_view holder;  // in words, for the error of a later request
  bool take_over = false;
};

class leases {
 public:
  // Gives the name to the session. Returns the session that lost it, if another one held it. Errors: another session
  // holds it, and neither is the same owner's nor may be taken over from; the session holds too many; a bad name or
  // owner.
  result<std::optional<session_id>> take(session_id session, const lease_request& request);
  // Call when the session has ended.
  void release(session_id session);

 private:
  struct holding {
    session_id session;
    std::string owner, holder;
  };
  std::map<std::string, holding, std::less<>> holdings_;
  std::unordered_map<session_id, std::size_t> counts_;
};

}  // namespace tidegate::core::api
