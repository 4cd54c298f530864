// A step of the tables: one LMDB transaction that brings the tables up to date with the journal, or frees what they no
// longer need. Steps follow commits, which are durable without them. The work of an interrupted step is done again.
#pragma once

#include <functional>
#include <set>
#include <vector>

#include "broker/store/books.hpp"
#include "broker/store/chunk_rows.hpp"
#include "broker/store/lmdb.hpp"

namespace tidegate::store {

// Bounds of one step, so that a confirm does not wait long for it.
struct step_bounds {
  std::uint64_t moved_bytes = 1 << 20;  // from the journal into chunks; the last stream may exceed it
  std::uint64_t freed_bytes = 4 << 20;  // the last chunk may exceed it; as much is read to find nearly empty chunks
  std::size_t row_bytes = store::row_bytes;
};

class table_step {
 public:
  table_step(lmdb::env& env, const tables& tables, books& books, ring& journal, step_bounds bounds)
      : tables_(tables), books_(books), journal_(journal), bounds_(bounds), txn_(env, lmdb::access::write) {}

  // Rolls up the streams with many bytes in the journal (books::due), within the bound.
  void roll_up_due();
  // Moves everything that the journal has of the stream into chunks, and writes the stream's row. The stream then needs
  // no blob up to the last commit's. `own`: the last commit's blob, if it is not in the ring.
  void roll_up(stream_id id, blob_writer* own = nullptr);
  // Rolls up the streams that need the blob of `through` or of an older commit, oldest first, within the bound.
  void roll_up_through(commit_number through);
  // Writes everything into the tables, without a bound. No blob is needed after that. `own`: see roll_up().
  void put_all(std::uint64_t loss_rows_max, blob_writer* own = nullptr);
  // Write the facts and the loss rows that only blobs up to `through` hold.
  void put_facts(commit_number through);
  void put_losses(commit_number through, std::uint64_t rows_max);
  void erase_dropped();
  // Replaces chunks of a log by these batches. Does nothing if the chunks are gone or were replaced.
  void repack(const chunk_repack& wanted);
  // Deletes chunks that are acknowledged, below a log start, or of deleted streams, within the bound.
  void free_chunks();

  // Commits the transaction. It is synced to the disk when this returns, and the journal's head is then where the
  // tables say. `generation`: of this start. `before_it`, if set, is called when everything is written: only LMDB's
  // commit can fail after it.
  void commit(std::uint64_t generation, const std::function<void()>& before_it = {});

  const std::set<stream_id>& touched() const { return touched_; }
  // Returns LMDB's number of this transaction, once it is committed.
  std::uint64_t number() const { return number_; }
  std::uint64_t written() const { return written_; }
  bool has_room_to_move() const { return moved_ < bounds_.moved_bytes; }

 private:
  bool may_free_more() const { return freed_ < bounds_.freed_bytes; }
  std::string_view batch_of(const segment& segment, blob_writer* own) const;
  void put(lmdb::table table, std::string_view key, std::string value);
  void put_stream(stream_id id, stream_ledger& ledger);
  void put_blocks(stream_id id, stream_ledger& ledger);
  void erase_block_rows(stream_id id, stream_ledger& ledger, offset_range blocks);
  void put_chunk_bytes();
  void erase_prefix(const std::string& prefix);
  void thin(stream_id id, stream_ledger& ledger);
  void free_chunk(chunk_cursor& chunks, stream_id id, stream_ledger& ledger);
  void free_head_chunks();
  void free_orphans();
  commit_number oldest_needed() const;

  const tables& tables_;
  books& books_;
  ring& journal_;
  step_bounds bounds_;
  lmdb::txn txn_;
  std::set<stream_id> touched_, resized_;
  std::uint64_t moved_ = 0, freed_ = 0, written_ = 0, number_ = 0;
  std::uint64_t read_ = 0;  // bytes of chunks that might have been nearly empty
};

}  // namespace tidegate::store
