#include "broker/core/api/sessions.hpp"

namespace tidegate::core::api {

void sessions::detach(session_id session) {
  if (!notices_.knows(session)) return;
  notices_.detach(session);
  leases_.release(session);
  consuming_.end(session);
  reading_.end(session);
}

result<void> sessions::lease(session_id session, const lease_request& request) {
  const auto taken = leases_.take(session, request);
  if (!taken) return taken.error();
  if (*taken) notices_.lease_lost(**taken, request.name);
  return {};
}

}  // namespace tidegate::core::api
