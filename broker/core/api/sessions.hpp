// Sessions from attach to detach, and the names that each holds for itself alone.
#pragma once

#include "broker/core/api/consuming.hpp"
#include "broker/core/api/leases.hpp"
#include "broker/core/api/reading.hpp"

namespace tidegate::core::api {

class sessions {
 public:
  sessions(notices& notices, consuming& consuming, reading& reading)
      : notices_(notices), consuming_(consuming), reading_(reading) {}

  // `events` stays until detach().
  session_id attach(session_events& events) { return notices_.attach(events); }
  // Ends the session's consumers and requeues its unsettled deliveries.
  void detach(session_id session);
  // See leases::take(). The session that loses the name gets lease_lost().
  result<void> lease(session_id session, const lease_request& request);

 private:
  api::notices& notices_;
  api::consuming& consuming_;
  api::reading& reading_;
  leases leases_;
};

}  // namespace tidegate::core::api
