// The records of a fetch answer, in order. Owns the bytes that the records point into.
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

  // Returns the next record; null at the end, and while an unreadable range is to be taken.
  const record_view* front();
  void pop();
  // Returns a batch that was skipped because its checksum is wrong or it does not decode; none if there is none.
  std::optional<unreadable_range> take_unreadable();
  bool at_end();

 private:
  void read_on();
  bool open_batch();

  // On the heap, so that moving the stream does not move the bytes.
  std::unique_ptr<const std::string> bytes_;
  std::unique_ptr<const std::string> decompressed_;  // of the current batch, if it is compressed
  std::string_view rest_;
  std::optional<record_reader> reader_;
  batch_view batch_;
  record_view record_;
  bool has_record_ = false;
  std::optional<unreadable_range> unreadable_;
};

}  // namespace tidegate::bridge
