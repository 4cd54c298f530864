// The services that front-ends use: all requests to core, made on the broker thread, in terms of messages, queues,
// topics and results. A request that changes something carries a receipt. The receipt is settled through session_events
// when the commit that holds the change is on flash, or when a change that concerns memory alone is applied. Errors are
// returned at once, and their receipts are never settled.
#pragma once

#include "broker/core/api/consuming.hpp"
#include "broker/core/api/defining.hpp"
#include "broker/core/api/grouping.hpp"
#include "broker/core/api/inspecting.hpp"
#include "broker/core/api/publishing.hpp"
#include "broker/core/api/reading.hpp"
#include "broker/core/api/sessions.hpp"
#include "broker/core/api/transacting.hpp"

namespace tidegate::core::api {

struct services {
  api::sessions& sessions;
  api::publishing& publishing;
  api::consuming& consuming;
  api::transacting& transacting;
  api::defining& defining;
  api::reading& reading;
  api::grouping& grouping;
  const api::inspecting& inspecting;
};

}  // namespace tidegate::core::api
