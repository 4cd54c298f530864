// A step of the tables: one LMDB transaction that brings them up to date with the journal, or frees what they no longer
// need. It follows commits, which are durable without it; what a cut leaves undone is done again.
#pragma once

#include <functional>
#include <set>
#include <vector>

#include "broker/store/books.hpp"
#include "broker/store/chunk_rows.hpp"
#include "broker/store/lmdb.hpp"

namespace tidegate::store {

// What one step may do, so that a confirm that waits for it waits not for long.
struct step_bounds {
  std::uint64_t moved_bytes = 1 << 20;  // from the journal into chunks, besides the last stream
  std::uint64_t freed_bytes = 4 << 20;  // besides the last chunk; as much is read to find what is thin
  std::size_t row_bytes = store::row_bytes;
};

class table_step {
 public:
  table_step(lmdb::env& env, const tables& tables, books& books, ring& journal, step_bounds bounds)
      : tables_(tables), books_(books), journal_(journal), bounds_(bounds), txn_(env, lmdb::access::write) {}

  // Streams of which much is in the journal.
  void roll_up_due();
  // Moves all that the journal has of the stream into chunks; then the stream needs no blob up to the last one. `own`:
  // of the last commit, if its batches are not in the ring.
  void roll_up(stream_id id, blob_writer* own = nullptr);
  // What needs a commit up to this one, the oldest first, within the bound.
  void roll_up_through(commit_number through);
  // Everything, whatever it is: no blob is needed behind it. `own`: as above.
  void put_all(std::uint64_t loss_rows_max, blob_writer* own = nullptr);
  void put_facts(commit_number through);
  void put_losses(commit_number through, std::uint64_t rows_max);
  void erase_dropped();
  // Puts these batches in the place of a log's chunks. Nothing happens where those are there no longer, or are others.
  void repack(const chunk_repack& wanted);
  // Chunks that are acknowledged, below a log start, or of streams that are no more.
  void free_chunks();

  // `generation`: of this start. Synced to the disk when it returns; then the journal begins where the tables say.
  // `before_it`, if there is one, is called when all is put, and nothing may fail before the commit but the commit.
  void commit(std::uint64_t generation, const std::function<void()>& before_it = {});

  const std::set<stream_id>& touched() const { return touched_; }
  // LMDB's number of it.
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
  std::uint64_t read_ = 0;  // of chunks that might have been thin
};

}  // namespace tidegate::store
