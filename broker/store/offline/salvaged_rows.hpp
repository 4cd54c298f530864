// What a walk over a damaged data.mdb finds in the tables, row by row, as far as each is whole.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "broker/store/books.hpp"
#include "broker/store/chunk.hpp"
#include "broker/store/offline/page_walk.hpp"

namespace tidegate::store::offline {

// A row may be found several times, old copies among them. Of what changes, the one in the tree counts, and where there
// is none one that the damage cut off. Chunks never change, so an old copy of one is as good as another.
class salvaged_rows {
 public:
  void take(const found_row& row);

  const std::map<std::string, std::string>& facts() const { return facts_; }  // by name; of all spaces
  const std::map<stream_id, checkpoint>& checkpoints() const { return checkpoints_; }
  const std::map<std::pair<stream_id, std::uint64_t>, ack_block>& blocks() const { return blocks_; }
  const std::map<loss_number, loss_record>& losses() const { return losses_; }
  std::optional<journal_row> journal() const;

  // Chunk by chunk, those that count first: of a stream's chunks, what of each is there.
  struct found_chunk {
    chunk_place place;
    std::string bytes;  // in one piece; may be cut short where a piece is missing
  };
  void each_chunk(const std::function<void(const found_chunk&)>& take) const;

 private:
  void take_small(const found_row& row);
  void take_state(const found_row& row, std::string_view value);
  void take_chunk(const found_row& row);

  struct piece_key {
    stream_id stream;
    offset_t last_offset;
    std::uint16_t piece;
    auto operator<=>(const piece_key&) const = default;
  };
  using piece_map = std::map<piece_key, std::string_view>;
  static void each_chunk(const piece_map& pieces, const std::function<void(const found_chunk&)>& take);

  std::map<std::string, std::string> facts_;
  std::map<stream_id, checkpoint> checkpoints_;
  std::map<std::pair<stream_id, std::uint64_t>, ack_block> blocks_;
  std::map<loss_number, loss_record> losses_;
  piece_map current_, old_;
};

}  // namespace tidegate::store::offline
