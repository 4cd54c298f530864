#include "bridge/record_stream.hpp"

#include "broker/base/limits.hpp"
#include "broker/model/compression.hpp"

namespace tidegate::bridge {

record_stream::record_stream(std::string batches)
    : bytes_(std::make_unique<const std::string>(std::move(batches))), rest_(*bytes_) {}

const record_view* record_stream::front() {
  if (!has_record_ && !unreadable_) read_on();
  return has_record_ ? &record_ : nullptr;
}

void record_stream::pop() { has_record_ = false; }

std::optional<unreadable_range> record_stream::take_unreadable() { return std::exchange(unreadable_, std::nullopt); }

bool record_stream::at_end() { return front() == nullptr && !unreadable_; }

void record_stream::read_on() {
  while (!unreadable_) {
    if (!reader_ && !open_batch()) return;
    if (unreadable_) return;
    has_record_ = reader_->next(record_);
    if (has_record_) return;
    if (reader_->failed()) unreadable_ = {{record_.offset, batch_.last_offset + 1}, "its records are malformed"};
    reader_.reset();
  }
}

// Returns false at the end of the bytes. A batch that is cut off there will be fetched again.
bool record_stream::open_batch() {
  const auto batch = read_batch(rest_);
  if (!batch) return false;
  rest_.remove_prefix(batch->bytes.size());
  batch_ = *batch;
  record_.offset = batch_.base_offset;
  if (!crc_matches(batch_)) {
    unreadable_ = {{batch_.base_offset, batch_.last_offset + 1}, "its checksum is wrong"};
    return true;
  }
  if (batch_.compressed()) {
    auto records = decompress(batch_, limits::opened_batch_bytes);
    if (!records) {
      unreadable_ = {{batch_.base_offset, batch_.last_offset + 1}, records.error().text};
      return true;
    }
    decompressed_ = std::make_unique<const std::string>(std::move(*records));
    batch_ = opened(batch_, *decompressed_);
  }
  reader_.emplace(batch_);
  return true;
}

}  // namespace tidegate::bridge
