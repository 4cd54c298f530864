// A destination of a kind. A route owns one sink; its forwarders, one for each partition of the source topic, share it.
//
// Every call returns at once. Results are reported to `sink_events`, on the same thread, never from within a call. Life
// cycle: open() -> opened | broken; while open: recover() and send(); close() at any time, after which nothing earlier
// is reported; open() again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/model/record_batch.hpp"

namespace tidegate::bridge {

// Identifies a log. A wiped card is a new log, and so is a topic that was deleted and declared again: offsets start
// again in either.
struct identity {
  std::string gateway;
  std::string incarnation;  // of its store
  std::string topic_id;     // UUID
  friend bool operator==(const identity&, const identity&) = default;
};

// A record's place at the destination; -1 = not known.
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

// Result of a search at the destination.
struct recovery {
  std::vector<present_record> present;  // source offsets rise, none is twice
  std::vector<destination> ends;        // for each destination partition, the offset up to which it was searched
};

// A search for records of one source partition: the offsets of `range`, from the given offset of each destination
// partition. Partitions that are not given are searched from their end.
struct recovery_request {
  identity source;
  std::string topic;
  std::uint32_t partition = 0;
  offset_range range;
  std::vector<destination> from;
};

enum class send_outcome {
  accepted,
  full,     // no room now; there is after the next reports
  refused,  // will never be taken
};

// Why a destination refuses a record.
enum class refusal_cause {
  record,  // its size or content: it will never be accepted
  time,    // its timestamp: with another it may be accepted
};

enum class pace {
  normal,
  // After a refusal: records are sent one at a time, so that a refusal names its record.
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
  // A run of confirmed() and refused() has ended.
  virtual void reported() = 0;
  // The sink retries by itself; `reason` says why it does not get through.
  virtual void unreachable(std::string reason) = 0;
  // No more reports come for what was sent. `record_refused`: a record, or one next to it, was refused.
  virtual void broken(std::string reason, bool record_refused) = 0;
};

class sink {
 public:
  virtual ~sink() = default;
  virtual void open(pace pace) = 0;
  virtual void close() = 0;
  virtual void recover(std::uint64_t ticket, recovery_request request) = 0;
  // Copies what it accepts. `reason` is set if it refuses.
  virtual send_outcome send(const identity& source, std::uint32_t partition, const record_view& record,
                            std::string& reason) = 0;
  // Sends without waiting for more records, for a short time: the process is about to end.
  virtual void flush() = 0;
};

}  // namespace tidegate::bridge
