// What a read of one record leaves for the next one. Single records are mostly read in the order of a stream, many of
// one batch: its CRC is then checked once, and the search goes on behind the record that was found last.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "broker/base/error.hpp"
#include "broker/model/ids.hpp"
#include "broker/model/record_batch.hpp"

namespace tidegate::store {

class last_read {
 public:
  // Returns whether this is the batch that was read last. It is if it lies where that one lay, in the same snapshot of
  // LMDB: the places of the journal are not used again while a reader may see them.
  bool knows(stream_id stream, const batch_view& batch, std::uint64_t snapshot) const;
  // Calls `take` with the record at this offset of a batch that is not compressed. Returns whether it has one. Error:
  // the batch does not decode.
  result<bool> find(stream_id stream, const batch_view& batch, std::uint64_t snapshot, offset_t offset,
                    const std::function<void(const record_view&)>& take);

 private:
  struct place {
    stream_id stream{};
    std::string_view batch;
    std::uint64_t snapshot = 0;
    record_reader behind;  // the record at `offset`
    offset_t offset = 0;
  };
  std::optional<place> place_;
};

}  // namespace tidegate::store
