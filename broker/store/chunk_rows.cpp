#include "broker/store/chunk_rows.hpp"

#include <algorithm>
#include <vector>

#include "broker/store/chunk.hpp"

namespace tidegate::store {

void put_chunk(lmdb::txn& txn, lmdb::table chunks, chunk_place place, std::string_view chunk, std::size_t row_bytes) {
  std::uint16_t piece = 0;
  do {
    txn.put(chunks, chunk_key(place.stream, place.last_offset, piece++), chunk.substr(0, row_bytes));
    chunk.remove_prefix(std::min(row_bytes, chunk.size()));
  } while (!chunk.empty());
}

std::string_view whole_chunk(const lmdb::txn& txn, lmdb::table chunks, const lmdb::entry& head, std::string& gathered) {
  if (piece_of_chunk_key(head.key) != 0) return {};
  const std::size_t length = chunk_length(head.value);
  if (head.value.size() >= length) return head.value;
  const chunk_place place = place_of_chunk_key(head.key);
  std::vector<std::string_view> pieces;
  std::size_t found = 0;
  lmdb::cursor rows(txn, chunks);
  const auto is_wanted = [&](const lmdb::entry& row) {
    return found < length && place_of_chunk_key(row.key) == place && piece_of_chunk_key(row.key) == pieces.size();
  };
  for (auto row = rows.seek(head.key); row && is_wanted(*row); row = rows.next()) {
    if (row->value.size() > length - found) break;  // LMDB's own sizes can be damaged
    lmdb::will_need(row->value);
    pieces.push_back(row->value);
    found += row->value.size();
  }
  gathered.clear();
  gathered.reserve(found);
  for (const std::string_view piece : pieces) gathered.append(piece);
  return gathered;
}

namespace {

std::size_t without_header(std::size_t row_bytes) { return row_bytes - std::min(row_bytes, chunk_header_bytes); }

}  // namespace

void chunk_cursor::seek(stream_id stream, offset_t offset) { row_ = rows_.seek(chunk_key(stream, offset, 0)); }

void chunk_cursor::next() {
  const auto before = place();
  if (!before) return;
  do row_ = rows_.next();
  while (row_ && place() == before);
}

chunk_cursor::erased chunk_cursor::erase() {
  const auto here = place();
  erased gone;
  while (row_ && place() == here) {
    gone.bytes += row_->value.size();
    gone.page_bytes += lmdb::page_bytes_of(row_->value);
    rows_.erase();
    row_ = rows_.next();
  }
  gone.bytes = without_header(gone.bytes);
  return gone;
}

std::size_t chunk_cursor::bytes() const {
  std::size_t sum = 0;
  lmdb::cursor rows(txn_, chunks_);
  const auto here = place();
  for (auto row = rows.seek(row_->key); row && place_of_chunk_key(row->key) == here; row = rows.next()) {
    sum += row->value.size();
  }
  return without_header(sum);
}

std::optional<chunk_place> chunk_cursor::place() const {
  if (!row_) return std::nullopt;
  return place_of_chunk_key(row_->key);
}

std::optional<offset_t> chunk_cursor::last_offset_in(stream_id stream) const {
  const auto at = place();
  if (!at || at->stream != stream) return std::nullopt;
  return at->last_offset;
}

std::string_view chunk_cursor::chunk() { return whole_chunk(txn_, chunks_, row_.value(), gathered_); }

offset_t chunk_cursor::ask_ahead(std::size_t bytes) const {
  chunk_place last = place().value();
  lmdb::cursor rows(txn_, chunks_);
  std::size_t asked = 0;
  for (auto row = rows.seek(row_->key); row && asked < bytes; row = rows.next()) {
    if (row->key.size() != row_->key.size()) break;  // damaged: its reader reports it
    const chunk_place next = place_of_chunk_key(row->key);
    if (next.stream != last.stream) break;
    lmdb::will_need(row->value);
    asked += row->value.size();
    last = next;
  }
  return last.last_offset;
}

}  // namespace tidegate::store
