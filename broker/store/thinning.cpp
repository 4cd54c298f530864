#include "broker/store/thinning.hpp"

#include <algorithm>
#include <utility>

#include "broker/base/bytes.hpp"

namespace tidegate::store {
namespace {

// Bytes of a record in a chunk, besides its body.
constexpr std::uint64_t record_overhead_bytes = 48;
// Most chunks that are merged at a time, which bounds the memory that they take.
constexpr std::size_t run_chunks_max = 128;
// A chunk of at most this size is merged with its neighbours, whatever it holds.
constexpr std::uint64_t small_bytes = chunk_bytes_max / 4;

constexpr std::uint64_t page_bytes = 4'096;

}  // namespace

void chunk_exchange::put(const chunk_header& first, const chunk_header& last, const std::vector<packed_chunk>& packed) {
  chunk_cursor old(txn_, tables_.chunk);
  old.seek(id_, first.place.last_offset);
  for (auto end = old.last_offset_in(id_); end && *end <= last.place.last_offset; end = old.last_offset_in(id_)) {
    const chunk_cursor::erased gone = old.erase();
    ledger_.chunks.gone(*end, gone.bytes);
    freed_ += gone.page_bytes;
  }
  offset_t covered_from = first.covered_from;
  const offset_t first_last = packed.size() < 2 ? last.place.last_offset : packed.front().last_offset;
  const bool holds_head = ledger_.chunks.first_last && *ledger_.chunks.first_last >= first.place.last_offset &&
                          *ledger_.chunks.first_last <= last.place.last_offset;
  if (holds_head) ledger_.chunks.first_last = first_last;
  const auto put_one = [&](offset_t last_offset, std::int64_t newest, std::string_view batches) {
    const chunk_header header{{id_, last_offset}, covered_from, newest, last.running_newest_ms, true};
    const std::string value = seal_chunk(header, batches);
    put_chunk(txn_, tables_.chunk, header.place, value, row_bytes_);
    ledger_.chunks.bytes += batches.size();
    written_ += value.size();
    covered_from = last_offset + 1;
  };
  for (const packed_chunk& chunk : packed) {
    const bool is_last = &chunk == &packed.back();
    put_one(is_last ? last.place.last_offset : chunk.last_offset, chunk.newest_timestamp_ms, chunk.batches());
  }
  if (packed.empty()) put_one(last.place.last_offset, no_time, {});
}

// An estimate by the queue's messages on average, so that a chunk need not be read.
bool thinning::looks_thin(offset_range covered, std::uint64_t chunk_bytes) const {
  const std::uint64_t live = covered.size() - ledger_.marks->acked.count(covered);
  const std::uint64_t held = std::max<std::uint64_t>(1, ledger_.next - ledger_.log_start - ledger_.marks->acked.size());
  return live * (ledger_.held_bytes / held + record_overhead_bytes) * 2 <= chunk_bytes;
}

// Returns whether at most half of the records are live. `anyway`: true for any chunk that can be read.
bool thinning::is_thin(const chunk_view& chunk, bool anyway) const {
  std::uint64_t records = 0, live = 0;
  for (const batch_view& batch : chunk.batches) {
    if (batch.compressed() || !crc_matches(batch)) return false;
    record_reader reader(batch);
    raw_record record;
    for (; reader.next(record); ++records) live += ledger_.is_live(record.offset) ? 1 : 0;
    if (reader.failed()) return false;
  }
  return anyway || live * 2 <= records;
}

// Adds a chunk to the run. `chunk`: the chunk's bytes; empty = it has no live messages.
void thinning::take(const chunk_header& header, std::string_view chunk, std::uint64_t bytes) {
  run_.is_worth_it = run_.first || bytes > small_bytes || (chunk.empty() && bytes > 0);
  if (!run_.first) run_.first = header;
  run_.last = header;
  ++run_.rows;
  if (!chunk.empty()) run_.chunks.emplace_back(chunk);
  if (run_.rows >= run_chunks_max) finish();
}

void thinning::finish() {
  neighbours run = std::exchange(run_, {});
  if (!run.is_worth_it) return;
  chunk_builder builder(ledger_);
  for (const std::string& chunk : run.chunks) {
    const chunk_place place{id_, load_be<std::uint64_t>(chunk.data() + chunk_last_offset_at)};
    const chunk_view view = read_chunk(place, chunk).value();
    for (const batch_view& batch : view.batches) builder.add(batch);
  }
  exchange_.put(*run.first, *run.last, builder.finish());
}

offset_t thinning::thin(offset_range within, offset_t limit, std::uint64_t bytes_max) {
  const std::uint64_t freed_before = exchange_.freed(), read_before = read_;
  offset_t position = begin_of_small_neighbour(std::max(within.begin, ledger_.log_start));
  while (position < within.end && std::max(exchange_.freed() - freed_before, read_ - read_before) < bytes_max) {
    chunk_cursor chunks(txn_, tables_.chunk);
    chunks.seek(id_, position);
    const auto last = chunks.last_offset_in(id_);
    if (!last || *last >= limit) {
      position = within.end;
      break;
    }
    position = *last + 1;
    look_at({id_, *last}, chunks);
  }
  finish();
  return std::min(position, within.end);
}

// Returns the last offset of the chunk before the offset's chunk, if that one is small, so that thinning includes it.
// Otherwise returns `offset`.
offset_t thinning::begin_of_small_neighbour(offset_t offset) const {
  chunk_cursor chunks(txn_, tables_.chunk);
  chunks.seek(id_, offset);
  if (!chunks.last_offset_in(id_)) return offset;
  const auto header = read_chunk_header(*chunks.place(), chunks.first_row());
  if (!header || header->covered_from <= ledger_.log_start) return offset;
  chunks.seek(id_, header->covered_from - 1);
  return chunks.bytes() <= small_bytes ? header->covered_from - 1 : offset;
}

void thinning::look_at(chunk_place place, chunk_cursor& chunks) {
  const std::uint64_t bytes = chunks.bytes();
  const auto header = read_chunk_header(place, chunks.first_row());
  const bool goes_on = header && run_.last && run_.last->place.last_offset + 1 == header->covered_from;
  if (!goes_on) finish();
  read_ += page_bytes;
  if (!header) return;  // damaged: its readers report it
  const offset_range covered{std::max(header->covered_from, ledger_.log_start), place.last_offset + 1};
  if (ledger_.marks->acked.count(covered) == covered.size()) {
    return take(*header, {}, bytes);
  }
  const bool is_small = bytes <= small_bytes;
  if (!is_small && !looks_thin(covered, bytes)) return finish();
  read_ += bytes;
  const std::string_view chunk = chunks.chunk();
  const auto view = read_chunk(place, chunk);
  if (view && is_thin(*view, is_small)) {
    take(*header, chunk, bytes);
  } else {
    finish();
  }
}

}  // namespace tidegate::store
