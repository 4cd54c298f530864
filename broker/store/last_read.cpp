#include "broker/store/last_read.hpp"

#include <fmt/format.h>

namespace tidegate::store {

bool last_read::knows(stream_id stream, const batch_view& batch, std::uint64_t snapshot) const {
  return place_ && place_->stream == stream && place_->snapshot == snapshot &&
         place_->batch.data() == batch.bytes.data() && place_->batch.size() == batch.bytes.size();
}

// Records before the wanted one are passed over undecoded.
result<bool> last_read::find(stream_id stream, const batch_view& batch, std::uint64_t snapshot, offset_t offset,
                             const std::function<void(const record_view&)>& take) {
  const bool goes_on = knows(stream, batch, snapshot) && place_->offset < offset;
  record_reader next = goes_on ? place_->behind : record_reader(batch), here = next;
  bool is_there = false;
  for (raw_record passed; next.next(passed) && passed.offset <= offset; here = next) {
    if (passed.offset < offset) continue;
    record_view record;
    is_there = here.next(record);
    if (!is_there) break;
    place_ = place{stream, batch.bytes, snapshot, here, offset};
    take(record);
    break;
  }
  if (!next.failed() && !here.failed()) return is_there;
  return error{errc::invalid, fmt::format("the batch at offset {} does not decode", batch.base_offset)};
}

}  // namespace tidegate::store
