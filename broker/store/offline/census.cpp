#include "broker/store/offline/census.hpp"

#include <fmt/format.h>

#include "broker/store/chunk.hpp"
#include "broker/store/chunk_rows.hpp"

namespace tidegate::store::offline {
namespace {

// Counts the live records of the batch. A compressed batch belongs to a log and has no gaps.
std::uint64_t live_in(const batch_view& batch, const stream_ledger& ledger) {
  if (batch.compressed()) {
    const offset_t end = batch.last_offset + 1;
    return end - std::min(end, std::max(batch.base_offset, ledger.log_start));
  }
  std::uint64_t live = 0;
  record_reader records(batch);
  raw_record record;
  while (records.next(record)) live += ledger.is_live(record.offset) ? 1 : 0;
  return live;
}

}  // namespace

void check_batch(const batch_view& batch, const complaint& complain) {
  if (!crc_matches(batch)) {
    return complain(fmt::format("holds records {} to {} whose CRC-32C is wrong", batch.base_offset, batch.last_offset));
  }
  if (batch.compressed()) return;
  record_reader records(batch);
  record_view record;
  offset_t behind = batch.base_offset;
  while (records.next(record)) {
    if (record.offset < behind || record.offset > batch.last_offset) {
      return complain(fmt::format("holds a record {} outside of its place in {} to {}", record.offset,
                                  batch.base_offset, batch.last_offset));
    }
    behind = record.offset + 1;
  }
  if (records.failed()) {
    complain(fmt::format("holds records {} to {} that do not decode", batch.base_offset, batch.last_offset));
  }
}

const stream_ledger* stream_census::ledger_of(stream_id stream) const {
  if (books_ == nullptr) return nullptr;
  const auto found = books_->streams.find(stream);
  return found == books_->streams.end() ? nullptr : &found->second;
}

void stream_census::take_chunk_row(const lmdb::txn& txn, lmdb::table chunks, const lmdb::entry& row,
                                   const complaint& complain) {
  const chunk_place place = place_of_chunk_key(row.key);
  const std::uint16_t piece = piece_of_chunk_key(row.key);
  counts_[place.stream].chunk_bytes +=
      row.value.size() - (piece == 0 ? std::min(row.value.size(), chunk_header_bytes) : 0);
  const bool follows = last_row_ && last_row_->first == place && last_row_->second + 1 == piece;
  last_row_ = {place, piece};
  if (piece > 0 && !follows) return complain("lacks the piece before it");
  if (piece == 0) take_chunk(place, whole_chunk(txn, chunks, row, gathered_), complain);
}

void stream_census::take_chunk(chunk_place place, std::string_view chunk, const complaint& complain) {
  stream_count& count = counts_[place.stream];
  ++count.chunks;
  const auto found = read_chunk(place, chunk);
  if (!found) return complain(found.error().text);
  take_coverage(found->header, complain);
  const std::uint64_t live_before = count.live;
  for (const batch_view& batch : found->batches) {
    if (batch.base_offset < found->header.covered_from || batch.last_offset > place.last_offset) {
      complain(fmt::format("holds offsets {} to {}, and covers {} to {}", batch.base_offset, batch.last_offset,
                           found->header.covered_from, place.last_offset));
    }
    take_batch(place.stream, batch, complain);
  }
  const stream_ledger* const ledger = ledger_of(place.stream);
  if (ledger == nullptr || ledger->kind != stream_kind::log || !found->header.is_repacked) return;
  const offset_t begin = std::max(found->header.covered_from, ledger->log_start);
  const offset_range covered{std::min(begin, place.last_offset + 1), place.last_offset + 1};
  count.gone += covered.size() - (count.live - live_before);
}

void stream_census::take_coverage(const chunk_header& header, const complaint& complain) {
  stream_count& count = counts_[header.place.stream];
  const stream_ledger* const ledger = ledger_of(header.place.stream);
  const offset_t expected = std::max(count.covered_end, ledger == nullptr ? header.covered_from : ledger->log_start);
  if (header.covered_from < count.covered_end) {
    complain(fmt::format("covers offset {} again", header.covered_from));
  } else if (header.covered_from > expected) {
    complain(fmt::format("covers what begins at offset {}, and nothing covers {} to {}", header.covered_from, expected,
                         header.covered_from - 1));
  }
  count.covered_end = header.place.last_offset + 1;
}

void stream_census::take_batch(stream_id stream, const batch_view& batch, const complaint& complain) {
  stream_count& count = counts_[stream];
  check_batch(batch, complain);
  if (batch.base_offset < count.behind) {
    complain(fmt::format("holds offset {} again, behind {}", batch.base_offset, count.behind - 1));
  }
  count.behind = std::max(count.behind, batch.last_offset + 1);
  const stream_ledger* const ledger = ledger_of(stream);
  if (ledger == nullptr) return;
  if (batch.last_offset >= ledger->next) {
    complain(fmt::format("holds offset {}, and the stream ends at {}", batch.last_offset, ledger->next));
  }
  count.live += live_in(batch, *ledger);
}

void stream_census::take_segments(const ring& journal, const std::function<complaint(stream_id)>& complain) {
  if (books_ == nullptr) return;
  for (const auto& [id, ledger] : books_->streams) {
    for (const segment& segment : ledger.recent.segments) {
      const auto batch = segment_batch(journal, segment);
      if (batch) take_batch(id, *batch, complain(id));
      if (!batch) complain(id)(batch.error().text);
    }
  }
}

}  // namespace tidegate::store::offline
