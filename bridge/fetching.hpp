// The fetch of one partition that is under way, and the records of the last answer that are not sent yet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "bridge/record_stream.hpp"
#include "broker/base/clock.hpp"

namespace tidegate::bridge {

class fetching {
 public:
  bool is_under_way() const { return ticket_.has_value(); }
  // Returns the fetch's ticket, which its answer brings back.
  std::uint64_t begin() { return *(ticket_ = ++last_ticket_); }
  // Ends the fetch. False if the ticket is another one's: its answer is ignored.
  bool end(std::uint64_t ticket);
  // The connection ended: no answer comes any more.
  void abandon() { ticket_.reset(); }

  // No fetch begins before this time.
  milliseconds not_before() const { return not_before_; }
  void pause_until(milliseconds time) { not_before_ = time; }

  // An answer has records and they are not all taken.
  bool has_records() const { return has_records_; }
  record_stream& records() { return records_; }
  void keep(std::string batches);
  // Every record of the answer was taken.
  void done() { has_records_ = false; }
  // Drops the records and ignores the fetch that is under way.
  void reset();

 private:
  std::optional<std::uint64_t> ticket_;
  std::uint64_t last_ticket_ = 0;
  milliseconds not_before_{0};
  record_stream records_;
  bool has_records_ = false;
};

inline bool fetching::end(std::uint64_t ticket) {
  if (ticket_ != ticket) return false;
  ticket_.reset();
  return true;
}

inline void fetching::keep(std::string batches) {
  has_records_ = !batches.empty();
  records_ = record_stream(std::move(batches));
}

inline void fetching::reset() {
  ticket_.reset();
  records_ = {};
  has_records_ = false;
}

}  // namespace tidegate::bridge
