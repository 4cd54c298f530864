// How far a route has come in one partition, and what it is about to do: the committed offset of the group
// `<bridge>/<route>` at the broker, with the intent in its metadata.
//
// The offset says: all before it is confirmed by the far side, or refused and told. The intent says: records of
// [offset, sent_before) may have been sent; whoever did not hear of them looks for their headers at the destination,
// from the offsets in `look_from`. The intent is stored, durably, before the first record of its range leaves.
//
// One commit carries both: the offset that was confirmed and the intent that follows it. So a steady stream costs one
// commit a second, not two a batch. The range reaches ahead (forwarder_settings::intent_records) and is moved on while
// its second half is being sent, so sending does not wait for it.
//
// Metadata is text, at most limits::metadata_bytes:
//   2 <incarnation> <topic id> <sent_before> <partition>:<offset>,<partition>:<offset>,...
// Version 1, which is read as well, had no topic id.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bridge/sink.hpp"

namespace tidegate::bridge {

struct cursor {
  std::string incarnation;  // as it is sent with the records
  std::string topic_id;     // empty: not known
  offset_t offset = 0;
  offset_t sent_before = 0;  // = offset: nothing is open
  std::vector<destination> look_from;
  bool open() const { return sent_before > offset; }
  friend bool operator==(const cursor&, const cursor&) = default;
};

// A store that was set back to an older state gives out offsets again. What is forwarded then is sent as another log:
// the broker's incarnation with a count behind it.
std::string next_life(const std::string& incarnation, std::string_view sent_as);
// Whether `sent_as` is the incarnation, or a later life of it.
bool is_same_store(std::string_view sent_as, std::string_view incarnation);

std::string encode_metadata(const cursor& cursor);

// Errors: not this format, or one of a later version.
result<cursor> decode_cursor(offset_t offset, std::string_view metadata);

}  // namespace tidegate::bridge
