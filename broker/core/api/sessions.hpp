// Who is connected: each session from its begin to its end, and the names that it holds for itself alone.
#pragma once

#include "broker/core/api/consuming.hpp"
#include "broker/core/api/leases.hpp"
#include "broker/core/api/reading.hpp"

namespace tidegate::core::api {

class sessions {
 public:
  sessions(notices& notices, consuming& consuming, reading& reading)
      : notices_(notices), consuming_(consuming), reading_(reading) {}

  // The events stay until detach().
  session_id attach(session_events& events) { return notices_.attach(events); }
  // Its consumers end; what they had goes back to its place.
  void detach(session_id session);
  // As leases::take(); who loses it is told.
  result<void> lease(session_id session, const lease_request& request);

 private:
  api::notices& notices_;
  api::consuming& consuming_;
  api::reading& reading_;
  leases leases_;
};

}  // namespace tidegate::core::api
