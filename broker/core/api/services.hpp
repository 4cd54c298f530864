// Everything that a front-end asks of core: in messages, queues, topics and results, on the broker thread. A change is
// asked for with a receipt and settled through session_events when the commit that holds it is on flash. Errors are
// returned at once, and such a request is not settled.
#pragma once

#include "broker/core/api/consuming.hpp"
#include "broker/core/api/defining.hpp"
#include "broker/core/api/grouping.hpp"
#include "broker/core/api/inspecting.hpp"
#include "broker/core/api/publishing.hpp"
#include "broker/core/api/reading.hpp"
#include "broker/core/api/sessions.hpp"

namespace tidegate::core::api {

struct services {
  api::sessions& sessions;
  api::publishing& publishing;
  api::consuming& consuming;
  api::defining& defining;
  api::reading& reading;
  api::grouping& grouping;
  const api::inspecting& inspecting;
};

}  // namespace tidegate::core::api
