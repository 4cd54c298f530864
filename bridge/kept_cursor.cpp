#include "bridge/kept_cursor.hpp"

#include <utility>

#include "broker/base/log.hpp"

namespace tidegate::bridge {
namespace {

bool is_same(const std::optional<stored_cursor>& found, const cursor& known) {
  return found && found->offset == known.offset && found->metadata == encode_metadata(known);
}

}  // namespace

void kept_cursor::follow(const identity& log) {
  is_known_ = true;
  log_ = log;
  sent_as_ = log.incarnation;
}

void kept_cursor::adopt(const std::optional<stored_cursor>& stored, std::string_view title) {
  start_at(0);
  if (!stored) return;
  const auto read = decode_cursor(stored->offset, stored->metadata);
  if (!read) {
    // Somebody moved the group by hand, which is a way to make a route start elsewhere.
    log::warning("{}: starts at offset {}, {}", title, stored->offset, read.error().text);
    start_at(stored->offset);
    placed_by_hand_ = true;
  } else if ((!read->topic_id.empty() && read->topic_id != log_.topic_id) ||
             !is_same_store(read->incarnation, log_.incarnation)) {
    log::warning("{}: the log is new (incarnation {}, topic {}), starts at its start", title, log_.incarnation,
                 log_.topic_id);
  } else {
    sent_as_ = read->incarnation;
    start_at(read->offset);
    stored_ = *read;
    stored_.topic_id = log_.topic_id;
    began_at_start_ = false;
  }
}

void kept_cursor::start_at(offset_t offset) {
  stored_ = {sent_as_, log_.topic_id, offset, offset, {}};
  began_at_start_ = offset == 0;
  placed_by_hand_ = false;
  has_stored_ = false;
  asked_.reset();
}

void kept_cursor::start_next_life(offset_t log_start) {
  sent_as_ = next_life(log_.incarnation, sent_as_);
  start_at(log_start);
  began_at_start_ = true;
}

kept_cursor::change kept_cursor::compare(const std::optional<stored_cursor>& found) {
  if (asked_ && is_same(found, *asked_)) {
    stored_ = *asked_;
    has_stored_ = true;
  }
  const bool is_as_before = has_stored_ ? is_same(found, stored_) : !found || found->offset == stored_.offset;
  if (is_as_before) return change::none;
  return is_set_back(found) ? change::set_back : change::moved;
}

// An older state of our own cursor than the one that the broker confirmed.
bool kept_cursor::is_set_back(const std::optional<stored_cursor>& found) const {
  if (!has_stored_) return false;
  if (!found) return true;
  const auto read = decode_cursor(found->offset, found->metadata);
  return read && read->offset < stored_.offset;
}

void kept_cursor::begin_store(const cursor& next, milliseconds now) {
  storing_ = asked_ = next;
  stored_at_ = now;
}

bool kept_cursor::end_store() {
  if (!storing_) return false;
  stored_ = *std::exchange(storing_, std::nullopt);
  has_stored_ = true;
  placed_by_hand_ = false;
  return true;
}

}  // namespace tidegate::bridge
