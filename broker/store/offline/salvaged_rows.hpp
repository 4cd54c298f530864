// Collects the whole rows that a walk over a damaged data.mdb finds.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "broker/store/books.hpp"
#include "broker/store/chunk.hpp"
#include "broker/store/offline/page_walk.hpp"
#include "broker/store/offline/salvaged_stream.hpp"

namespace tidegate::store::offline {

// A row may be found several times, in old copies. The copy in a tree is used or, if there is none, one that the damage
// cut off. Every version of a chunk is kept: thinning replaces a chunk by one under the same key, which lacks
// acknowledged messages and may include its neighbours.
class salvaged_rows {
 public:
  void take(const found_row& row);

  const std::map<std::string, std::string>& facts() const { return facts_; }  // by name; of all spaces
  const std::map<stream_id, checkpoint>& checkpoints() const { return checkpoints_; }
  const std::map<std::pair<stream_id, std::uint64_t>, ack_block>& blocks() const { return blocks_; }
  const std::map<loss_number, loss_record>& losses() const { return losses_; }
  std::optional<journal_row> journal() const;

  // The rows found of a chunk, or of one of its versions.
  struct found_chunk {
    chunk_place place;
    scattered_bytes bytes;  // ends early if a piece is missing
  };
  void each_chunk(origin origin, const std::function<void(const found_chunk&)>& take) const;

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
  using versions = std::vector<std::string_view>;
  using piece_map = std::map<piece_key, versions>;
  static void each_version(chunk_place place, const std::vector<const versions*>& pieces,
                           const std::function<void(const found_chunk&)>& take);

  std::map<std::string, std::string> facts_;
  std::map<stream_id, checkpoint> checkpoints_;
  std::map<std::pair<stream_id, std::uint64_t>, ack_block> blocks_;
  std::map<loss_number, loss_record> losses_;
  piece_map current_, old_;
};

}  // namespace tidegate::store::offline
