// A route's position in one partition, and its intent: the range of records that it is about to send. Both are stored
// at the broker as the committed offset of the group `<bridge>/<route>`, with the intent in the metadata.
//
// The offset: every record before it is confirmed by the far side, or was refused and reported as refused.
// The intent: records of [offset, sent_before) may have been sent. A bridge that received no confirmation for them
// searches the destination for their headers, starting at the offsets in `look_from`. The intent is stored durably
// before the first record of its range is sent.
//
// One commit stores both: the confirmed offset and the intent that follows it. A steady stream therefore costs one
// commit a second instead of two per batch. The range reaches ahead (forwarder_settings::intent_records) and is
// advanced while its second half is being sent, so sending does not wait for the commit.
//
// Metadata is text, at most limits::metadata_bytes:
//   2 <incarnation> <topic id> <sent_before> <partition>:<offset>,<partition>:<offset>,...
// Version 1 had no topic id. It is still read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bridge/sink.hpp"

namespace tidegate::bridge {

struct cursor {
  std::string incarnation;  // the one written into the records' headers (next_life)
  std::string topic_id;     // empty = not known
  offset_t offset = 0;
  offset_t sent_before = 0;            // equal to `offset` = no intent is open
  std::vector<destination> look_from;  // start of a search, for each destination partition
  bool open() const { return sent_before > offset; }
  friend bool operator==(const cursor&, const cursor&) = default;
};

// Returns the incarnation to send records under after the store was set back to an older state. Such a store assigns
// offsets a second time, so its records are sent as another log: `incarnation`, a `+` and a count, one higher than the
// count in `sent_as`.
std::string next_life(const std::string& incarnation, std::string_view sent_as);
// Returns whether `sent_as` is `incarnation` itself or a later life of it.
bool is_same_store(std::string_view sent_as, std::string_view incarnation);

std::string encode_metadata(const cursor& cursor);

// Errors: the metadata is not in this format, or is of a later version.
result<cursor> decode_cursor(offset_t offset, std::string_view metadata);

}  // namespace tidegate::bridge
