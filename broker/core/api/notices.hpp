// Notices: the attached sessions and the events that wait for them. Events that a request causes are gathered until the
// request is over. They are sent between requests, so that a session may make new requests when it receives one.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/events/events.hpp"

namespace tidegate::core::api {

class notices {
 public:
  // Adds a session. `events` must stay valid until detach().
  session_id attach(session_events& events);
  void detach(session_id session);
  bool knows(session_id session) const { return sessions_.contains(session); }

  // Gathers an event, which the next tell() sends. Nothing is sent to a session that is detached by then.
  void deliverable(session_id session, consumer_id consumer);
  void cancelled(session_id session, consumer_id consumer);
  void changed(session_id session, stream_id stream);
  void lease_lost(session_id session, std::string_view name);
  // Gathers the event for all paused sessions, which are then no longer paused.
  void resumed();
  // Marks the session as paused: it found core full and waits for resumed().
  void pause(session_id session);

  // Call between requests only. Sends settled() to the receipt's session at once.
  void settle(const receipt& answer, const error* refusal);
  // Call between requests only. Sends all gathered events, and those that the sessions cause in turn.
  void tell();
  // Sets the function that asks for a call of tell() when this turn of the loop is over.
  void on_notice(std::function<void()> wake) { wake_ = std::move(wake); }

 private:
  struct entry {
    session_events* events = nullptr;
    bool is_paused = false;
  };
  // Gathered events by kind.
  struct batch {
    std::vector<std::pair<session_id, consumer_id>> deliverable;
    std::vector<std::pair<session_id, consumer_id>> cancelled;
    std::vector<std::pair<session_id, stream_id>> changed;
    std::vector<std::pair<session_id, std::string>> leases_lost;
    std::vector<session_id> resumed;
    bool empty() const {
      return deliverable.empty() && cancelled.empty() && changed.empty() && leases_lost.empty() && resumed.empty();
    }
    void clear();
  };
  batch& gather();
  void tell(const batch& batch);
  session_events* events_of(session_id session);

  boost::unordered_flat_map<session_id, entry> sessions_;
  // The session that was looked up last: receipts of one session mostly come side by side.
  session_id last_{};
  session_events* last_events_ = nullptr;
  std::vector<session_id> paused_;
  batch gathered_, telling_;  // swapped by tell(), so that both keep their memory
  bool is_asked_ = false;     // wake_() was called
  std::function<void()> wake_ = [] {};
  std::uint64_t next_session_ = 1;
};

}  // namespace tidegate::core::api
