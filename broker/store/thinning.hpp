// Takes out of a queue's chunks what is acknowledged. Neighbours of which little is left become one; where nothing is
// left, a head alone stays, which says what it covered, so that a chunk which is missing can be told from one that is
// empty.
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

// Puts chunks of a stream in the place of others, which lie side by side; together they cover what those covered.
class chunk_exchange {
 public:
  chunk_exchange(lmdb::txn& txn, const tables& tables, stream_id id, stream_ledger& ledger, std::size_t row_bytes)
      : txn_(txn), tables_(tables), id_(id), ledger_(ledger), row_bytes_(row_bytes) {}

  // Of those that were there, the first and the last one. `packed` may be empty.
  void put(const chunk_header& first, const chunk_header& last, const std::vector<packed_chunk>& packed);
  std::uint64_t written() const { return written_; }
  std::uint64_t freed() const { return freed_; }  // in bytes of pages

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

  // Goes through the chunks that hold offsets of the range and end below `limit`, until it has freed about so many
  // bytes, or read as many. Returns where it came to: the range's end, or less; it may be less than the range's begin,
  // since a small chunk before that is taken along.
  offset_t thin(offset_range within, offset_t limit, std::uint64_t bytes_max);
  std::uint64_t written() const { return exchange_.written(); }
  std::uint64_t freed() const { return exchange_.freed(); }
  // In bytes; of a chunk whose head alone was looked at, a page.
  std::uint64_t read() const { return read_; }

 private:
  // Chunks side by side that become one.
  struct neighbours {
    std::optional<chunk_header> first, last;
    std::vector<std::string> chunks;  // those of which something is left
    std::size_t rows = 0;
    bool is_worth_it = false;  // not only a head that stands there already
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
