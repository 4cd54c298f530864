// The interface of a destination, implemented once for each kind. A route owns one sink; its forwarders, one for each
// partition of the source topic, share it.
//
// Every call returns at once. The result is reported to `sink_events`, on the same thread and never from within a call.
// Order of calls: open() -> opened | broken; while open: recover() and send(); close() at any time, after which nothing
// is reported about earlier calls; then open() again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/model/record_batch.hpp"

namespace tidegate::bridge {

// Names one log of one gateway. A wiped card starts a new log, and so does a topic that was deleted and declared again:
// in both cases the offsets start again.
struct identity {
  std::string gateway;
  std::string incarnation;  // of its store
  std::string topic_id;     // UUID
  friend bool operator==(const identity&, const identity&) = default;
};

// A record's position at the destination; -1 = not known.
struct destination {
  std::int32_t partition = -1;
  std::int64_t offset = -1;
  friend bool operator==(const destination&, const destination&) = default;
};

// A record of the source that was found at the destination.
struct present_record {
  offset_t offset = 0;
  destination where;
};

// The result of searching the destination.
struct recovery {
  std::vector<present_record> present;  // in ascending order of source offset, without duplicates
  std::vector<destination> ends;        // for each destination partition, the offset at which the search ended
};

// A request to search the destination for records of one source partition with offsets in `range`. `from` holds the
// offset to start at, for each destination partition. A partition that is not in `from` is read from its end.
struct recovery_request {
  identity source;
  std::string topic;
  std::uint32_t partition = 0;
  offset_range range;
  std::vector<destination> from;
};

enum class send_outcome {
  accepted,
  full,     // no room now; there will be after the next reports
  refused,  // will never be accepted
};

// The reason why a destination refuses a record.
enum class refusal_cause {
  record,  // its size or its content: the record will never be accepted
  time,    // its timestamp: with another one the record may be accepted
};

enum class pace {
  normal,
  // Used after a refusal: every record is sent alone, so that a refusal is reported for exactly one record.
  one_by_one,
};

class sink_events {
 public:
  virtual ~sink_events() = default;
  virtual void opened() = 0;
  virtual void recovered(std::uint32_t partition, std::uint64_t ticket, recovery found) = 0;
  virtual void confirmed(std::uint32_t partition, offset_t offset, destination where) = 0;
  // Only at pace::one_by_one: this record will never be accepted as it was sent.
  virtual void refused(std::uint32_t partition, offset_t offset, refusal_cause cause, std::string reason) = 0;
  // Ends a series of confirmed() and refused().
  virtual void reported() = 0;
  // The sink cannot reach its destination, for this reason, and continues to try by itself.
  virtual void unreachable(std::string reason) = 0;
  // The sink can no longer be used, and reports nothing more about the records sent. `record_refused`: the cause is
  // that the destination refused a record, or one in the same batch.
  virtual void broken(std::string reason, bool record_refused) = 0;
};

class sink {
 public:
  virtual ~sink() = default;
  virtual void open(pace pace) = 0;
  virtual void close() = 0;
  virtual void recover(std::uint64_t ticket, recovery_request request) = 0;
  // Sends a record, and copies what it keeps of it. Sets `reason` if the record is refused.
  virtual send_outcome send(const identity& source, std::uint32_t partition, const record_view& record,
                            std::string& reason) = 0;
  // Sends queued records without waiting to fill their batches. Lasts a few seconds at most: the process is about to
  // end.
  virtual void flush() = 0;
};

}  // namespace tidegate::bridge
