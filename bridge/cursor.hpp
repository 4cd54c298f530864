// The position of a route in one partition, and what it is about to do: the committed offset of the group
// `<bridge>/<route>` at the broker, with the intent in its metadata.
//
// The offset: every record before it is confirmed by the destination, or was refused and reported. The intent: records
// of [offset, sent_before) may have been sent. A bridge that has no confirmation of them searches for their headers at
// the destination, from the offsets in `look_from`. The intent is on flash before the first record of its range is
// sent.
//
// One commit has both: the confirmed offset and the next intent. So a steady stream costs one commit a second, not two
// for each batch. The range reaches ahead (forwarder_settings::intent_records) and is extended while its second half is
// being sent, so that sending does not wait for it.
//
// Metadata is text, at most limits::metadata_bytes:
//   2 <incarnation> <topic id> <sent_before> <partition>:<offset>,<partition>:<offset>,...
// Version 1, which can be read too, had no topic id.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bridge/sink.hpp"

namespace tidegate::bridge {

struct cursor {
  std::string incarnation;  // as sent with the records
  std::string topic_id;     // empty = not known
  offset_t offset = 0;
  offset_t sent_before = 0;  // equal to `offset` = no intent is open
  std::vector<destination> look_from;
  bool open() const { return sent_before > offset; }
  friend bool operator==(const cursor&, const cursor&) = default;
};

// Returns the next incarnation to send as. A store that was set back to an older state gives out offsets again, so its
// records are sent as another log's: the broker's incarnation with a count after it.
std::string next_life(const std::string& incarnation, std::string_view sent_as);
// Whether `sent_as` is the incarnation, or one with a count after it.
bool is_same_store(std::string_view sent_as, std::string_view incarnation);

std::string encode_metadata(const cursor& cursor);

// Errors: not this format, or a later version.
result<cursor> decode_cursor(offset_t offset, std::string_view metadata);

}  // namespace tidegate::bridge
