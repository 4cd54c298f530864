#include "broker/core/api/leases.hpp"

#include <fmt/format.h>

#include <utility>

#include "broker/base/limits.hpp"
#include "broker/model/definitions.hpp"

namespace tidegate::core::api {

result<std::optional<session_id>> leases::take(session_id session, const lease_request& request) {
  if (const auto checked = check_name("lease", request.name); !checked) return checked.error();
  if (request.owner.size() > limits::lease_owner_bytes) {
    return error{errc::too_large, fmt::format("a lease's owner takes at most {} bytes", limits::lease_owner_bytes),
                 "owner"};
  }
  const auto held = holdings_.find(request.name);
  if (held != holdings_.end() && held->second.session == session) return std::optional<session_id>();
  const bool is_own = held != holdings_.end() && !request.owner.empty() && held->second.owner == request.owner;
  if (held != holdings_.end() && !is_own && !request.take_over) {
    return error{errc::precondition,
                 fmt::format("'{}' is held by {}: two of them would both do the work; end that one, or take it over",
                             request.name, held->second.holder),
                 "lease"};
  }
  std::size_t& count = counts_[session];
  if (count >= limits::leases_per_connection) {
    return error{errc::limit, fmt::format("{} leases on one connection are the limit", limits::leases_per_connection),
                 "lease"};
  }
  ++count;
  holding taken{session, std::string(request.owner), std::string(request.holder)};
  if (held == holdings_.end()) {
    holdings_.emplace(request.name, std::move(taken));
    return std::optional<session_id>();
  }
  const session_id loser = std::exchange(held->second, std::move(taken)).session;
  --counts_.at(loser);
  return std::optional(loser);
}

void leases::release(session_id session) {
  const auto count = counts_.find(session);
  if (count == counts_.end()) return;
  if (count->second > 0) std::erase_if(holdings_, [&](const auto& held) { return held.second.session == session; });
  counts_.erase(count);
}

}  // namespace tidegate::core::api
