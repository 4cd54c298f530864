// The sessions, and the events that wait for them. Events that a request causes wait until the request is over.
// Sessions get them between requests and may make new requests then.
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
  session_id attach(session_events& events);
  void detach(session_id session);
  bool knows(session_id session) const { return sessions_.contains(session); }

  // Queue events for the next tell(). A session that has gone by then gets none.
  void deliverable(session_id session, consumer_id consumer);
  void changed(session_id session, stream_id stream);
  void lease_lost(session_id session, std::string_view name);
  // For the sessions that found core full.
  void resumed();
  // The session waits for resumed().
  void pause(session_id session);

  // Call between requests: passes a receipt on at once.
  void settle(const receipt& answer, const error* refusal);
  // Call between requests: passes on all queued events, and those that they cause.
  void tell();
  // `wake()` asks the owner to call tell() when this turn of the loop is over.
  void on_notice(std::function<void()> wake) { wake_ = std::move(wake); }

 private:
  struct entry {
    session_events* events = nullptr;
    bool is_paused = false;
  };
  // Queued events, by kind.
  struct batch {
    std::vector<std::pair<session_id, consumer_id>> deliverable;
    std::vector<std::pair<session_id, stream_id>> changed;
    std::vector<std::pair<session_id, std::string>> leases_lost;
    std::vector<session_id> resumed;
    bool empty() const { return deliverable.empty() && changed.empty() && leases_lost.empty() && resumed.empty(); }
    void clear();
  };
  batch& gather();
  void tell(const batch& batch);
  session_events* events_of(session_id session);

  boost::unordered_flat_map<session_id, entry> sessions_;
  // The session that was looked up last: receipts of one session mostly come together.
  session_id last_{};
  session_events* last_events_ = nullptr;
  std::vector<session_id> paused_;
  batch gathered_, telling_;  // swapped, so that their memory is reused
  bool is_asked_ = false;     // wake() was called
  std::function<void()> wake_ = [] {};
  std::uint64_t next_session_ = 1;
};

}  // namespace tidegate::core::api
