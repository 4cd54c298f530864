// Removes acknowledged messages from a queue's chunks. Consecutive chunks with few live messages are merged into one.
// If none is left, a chunk without batches stays. Its header still states the offsets it covers, so that a missing
// chunk can be distinguished from an empty one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/store/books.hpp"
#include "broker/store/chunk_rows.hpp"
#include "broker/store/lmdb.hpp"
#include "broker/store/roll_up.hpp"

namespace tidegate::store {

// Replaces consecutive chunks of a stream by others, which cover the same offsets.
class chunk_exchange {
 public:
  chunk_exchange(lmdb::txn& txn, const tables& tables, stream_id id, stream_ledger& ledger, std::size_t row_bytes)
      : txn_(txn), tables_(tables), id_(id), ledger_(ledger), row_bytes_(row_bytes) {}

  // Replaces the chunks from `first` to `last`, both included. If `packed` is empty, a chunk without batches stays.
  void put(const chunk_header& first, const chunk_header& last, const std::vector<packed_chunk>& packed);
  std::uint64_t written() const { return written_; }
  std::uint64_t freed() const { return freed_; }  // bytes of the freed pages

 private:
  lmdb::txn& txn_;
  const tables& tables_;
  stream_id id_;
  stream_ledger& ledger_;
  std::size_t row_bytes_;
  std::uint64_t written_ = 0, freed_ = 0;
};

class thinning {
 public:
  thinning(lmdb::txn& txn, const tables& tables, stream_id id, stream_ledger& ledger, std::size_t row_bytes)
      : txn_(txn), tables_(tables), id_(id), ledger_(ledger), exchange_(txn, tables, id, ledger, row_bytes) {}

  // Thins the chunks that hold offsets of `within` and end below `limit`, until about `bytes_max` bytes were freed or
  // read. Returns the offset where it stopped, at most the range's end. It may be below the range's start, because a
  // small chunk before the range is included.
  offset_t thin(offset_range within, offset_t limit, std::uint64_t bytes_max);
  std::uint64_t written() const { return exchange_.written(); }
  std::uint64_t freed() const { return exchange_.freed(); }
  // Returns the bytes read. A chunk of which only the header was read counts as one page.
  std::uint64_t read() const { return read_; }

 private:
  // Consecutive chunks that are merged.
  struct neighbours {
    std::optional<chunk_header> first, last;
    std::vector<std::string> chunks;  // those with live messages
    std::size_t rows = 0;
    bool is_worth_it = false;  // false = a single chunk that has no batches already, or is small with live messages
  };
  offset_t begin_of_small_neighbour(offset_t offset) const;
  void look_at(chunk_place place, chunk_cursor& chunks);
  bool looks_thin(offset_range covered, std::uint64_t chunk_bytes) const;
  bool is_thin(const chunk_view& chunk, bool anyway) const;
  void take(const chunk_header& header, std::string_view chunk, std::uint64_t bytes);
  void finish();

  lmdb::txn& txn_;
  const tables& tables_;
  stream_id id_;
  stream_ledger& ledger_;
  chunk_exchange exchange_;
  std::uint64_t read_ = 0;
  neighbours run_;
};

}  // namespace tidegate::store
