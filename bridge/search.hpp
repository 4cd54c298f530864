// The look at the destination for records that were sent and not confirmed: done once each time the sink opens, before
// anything is sent.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bridge/sink.hpp"

namespace tidegate::bridge {

class search {
 public:
  bool is_done() const { return is_done_; }
  bool is_under_way() const { return ticket_.has_value(); }
  // Returns the search's ticket, which its answer brings back.
  std::uint64_t begin() { return *(ticket_ = ++last_ticket_); }
  // Ends the search with its answer. False if the ticket is another one's: its answer is ignored.
  bool end(std::uint64_t ticket, recovery found);
  // The sink closed: the next search starts from the same places.
  void reset();

  // Records of ours that are at the destination already. Offsets rise.
  const std::vector<present_record>& present() const { return present_; }
  // Returns the record of that offset; null if it was not found.
  const present_record* find(offset_t offset) const;

  // Where the next search starts, for each partition of the destination: no record of ours from the cursor on is before
  // these offsets.
  const std::vector<destination>& start() const { return start_; }
  void set_start(std::vector<destination> start) { start_ = std::move(start); }
  // Moves the start after a record that the cursor has passed.
  void pass(const destination& where);

 private:
  std::optional<std::uint64_t> ticket_;
  std::uint64_t last_ticket_ = 0;
  bool is_done_ = false;
  std::vector<present_record> present_;
  std::vector<destination> start_;
};

}  // namespace tidegate::bridge
