// Iterates over the records of a fetch answer. Owns the bytes that the records point into.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "broker/model/record_batch.hpp"

namespace tidegate::bridge {

// Offsets that could not be read, and why.
struct unreadable_range {
  offset_range range;
  std::string reason;
};

class record_stream {
 public:
  record_stream() = default;
  explicit record_stream(std::string batches);

  // Returns the next record. Null at the end, and until take_unreadable() was called for an unreadable range.
  const record_view* front();
  // Skips the record that front() returned.
  void pop();
  // Returns, once, the offsets of a batch that was skipped because its checksum is wrong or it cannot be decoded.
  std::optional<unreadable_range> take_unreadable();
  // Returns whether neither a record nor an unreadable range is left.
  bool at_end();

 private:
  void read_on();
  bool open_batch();

  // On the heap, so that moving the stream does not move the bytes.
  std::unique_ptr<const std::string> bytes_;
  std::unique_ptr<const std::string> decompressed_;  // records of the current batch if that is compressed
  std::string_view rest_;
  std::optional<record_reader> reader_;
  batch_view batch_;
  record_view record_;
  bool has_record_ = false;
  std::optional<unreadable_range> unreadable_;
};

}  // namespace tidegate::bridge
