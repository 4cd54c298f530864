// Sessions: attaches and detaches the sessions of front-ends, and manages the leases that they hold.
#pragma once

#include "broker/core/api/consuming.hpp"
#include "broker/core/api/leases.hpp"
#include "broker/core/api/reading.hpp"

namespace tidegate::core::api {

class sessions {
 public:
  sessions(notices& notices, consuming& consuming, reading& reading)
      : notices_(notices), consuming_(consuming), reading_(reading) {}

  // Adds a session. `events` must stay valid until detach().
  session_id attach(session_events& events) { return notices_.attach(events); }
  // Ends the session: releases its leases and watches, ends its consumers, and requeues its unsettled deliveries at
  // their places. Does nothing if the session is not attached.
  void detach(session_id session);
  // Takes a lease as leases::take() does. A session that loses the lease receives lease_lost().
  result<void> lease(session_id session, const lease_request& request);

 private:
  api::notices& notices_;
  api::consuming& consuming_;
  api::reading& reading_;
  leases leases_;
};

}  // namespace tidegate::core::api
