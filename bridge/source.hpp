// The interface through which a forwarder reads one partition of a topic at the broker and stores its cursor.
//
// Every call returns at once. Its answer is reported to the forwarder later, never from within a call. When the
// connection ends, outstanding calls are not answered: forwarder::source_lost() is called instead.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/model/record_batch.hpp"

namespace tidegate::bridge {

struct fetch_answer {
  bool out_of_range = false;
  offset_t log_start = 0;
  offset_t high_watermark = 0;
  std::string batches;  // record batches v2, back to back; the first may start before the requested offset
};

struct stored_cursor {
  offset_t offset = 0;
  std::string metadata;
};

class source {
 public:
  virtual ~source() = default;
  virtual void load_cursor() = 0;                                             // -> loaded
  virtual void store_cursor(offset_t offset, std::string_view metadata) = 0;  // -> stored
  // Reads batches; at the end of the log it waits for data. The answer carries the ticket.
  virtual void fetch(std::uint64_t ticket, offset_t from) = 0;  // -> fetched
  // Copies the record into the dead-letter topic.
  virtual void dead_letter(const record_view& record, std::string_view reason) = 0;  // -> dead_lettered
};

}  // namespace tidegate::bridge
