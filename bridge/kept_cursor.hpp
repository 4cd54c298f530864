// The cursor of one partition as the broker keeps it, and which log it is a cursor of. The cursor that is stored, the
// one that is being stored, and what a cursor that is read again means.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "bridge/cursor.hpp"
#include "bridge/source.hpp"
#include "broker/base/clock.hpp"

namespace tidegate::bridge {

class kept_cursor {
 public:
  // The log that the offsets belong to. Until follow(), and after forget_log(), none is known.
  bool knows_log() const { return is_known_; }
  const identity& log() const { return log_; }
  void follow(const identity& log);
  void forget_log() { is_known_ = false; }
  // Returns the identity that records are sent with.
  identity sent_identity() const { return {log_.gateway, sent_as_, log_.topic_id}; }

  // Starts from what the broker has stored. Reports, under the title, a start elsewhere than after that.
  void adopt(const std::optional<stored_cursor>& stored, std::string_view title);
  // Starts at an offset with no intent open.
  void start_at(offset_t offset);
  // Starts anew in a store that was set back to an older state: it gives out offsets again that the destination has
  // seen, so its records are sent as another log's.
  void start_next_life(offset_t log_start);

  // How a cursor that was read again compares with the one that was stored last. moved: by somebody else. set_back: to
  // an older one of our own.
  enum class change { none, moved, set_back };
  change compare(const std::optional<stored_cursor>& found);

  // The cursor that is stored, as far as the broker confirmed it.
  const cursor& stored() const { return stored_; }
  bool is_storing() const { return storing_.has_value(); }
  milliseconds stored_at() const { return stored_at_; }
  void begin_store(const cursor& next, milliseconds now);
  // Records that the broker confirmed the cursor of begin_store(). False if there is none.
  bool end_store();
  // The connection ended: a cursor that is being stored may be stored or not.
  void source_lost() { storing_.reset(); }

  // There was no cursor, so records that are gone from the log's start are not lost.
  bool began_at_start() const { return began_at_start_; }
  // The offset was set by hand: nothing of ours is known to be at the destination.
  bool placed_by_hand() const { return placed_by_hand_; }
  // Records were read from the offset on.
  void found_records() { began_at_start_ = placed_by_hand_ = false; }

 private:
  bool is_set_back(const std::optional<stored_cursor>& found) const;

  identity log_;
  bool is_known_ = false;
  // The incarnation that records are sent with. After the store was set back, it is the broker's with a count after it,
  // so that the destination does not take new records for old ones.
  std::string sent_as_;
  cursor stored_;
  std::optional<cursor> storing_;
  std::optional<cursor> asked_;  // the last one of begin_store(); it may be stored though no answer came
  bool has_stored_ = false;      // a cursor was stored since the last start
  milliseconds stored_at_{0};
  bool began_at_start_ = false;
  bool placed_by_hand_ = false;
};

}  // namespace tidegate::bridge
