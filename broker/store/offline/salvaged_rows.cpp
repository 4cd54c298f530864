#include "broker/store/offline/salvaged_rows.hpp"

#include <algorithm>

#include "broker/base/bytes.hpp"
#include "broker/store/chunk_rows.hpp"
#include "broker/store/rows.hpp"

namespace tidegate::store::offline {
namespace {

constexpr std::size_t chunk_key_bytes = sizeof(stream_id) + sizeof(offset_t) + sizeof(std::uint16_t);

// Most versions that are kept of one row of a chunk.
constexpr std::size_t versions_max = 8;

bool is_definition(std::string_view key) {
  if (key.empty()) return false;
  return key.front() == catalog_exchange || key.front() == catalog_queue || key.front() == catalog_topic ||
         key.front() == catalog_binding;
}

bool is_meta(std::string_view key) {
  return key == meta_incarnation || key == meta_journal || key == meta_clean || key == meta_flash_bytes ||
         key == meta_next_stream;
}

// Returns the table whose keys look like this one, for a row on a page that no tree leads to. A committed offset's name
// starts with a letter that no definition has.
std::string_view table_like(std::string_view key) {
  if (key.size() == sizeof(loss_number) && key.front() == '\0') return "loss";
  if (is_meta(key)) return "meta";
  return is_definition(key) ? "catalog" : "state";
}

}  // namespace

void salvaged_rows::take(const found_row& row) {
  const bool may_be_chunk = row.table == "chunk" || row.table.empty();
  if (may_be_chunk && row.key.size() == chunk_key_bytes) take_chunk(row);
  if (row.table == "chunk" || row.is_free) return;
  try {
    take_small(row);
  } catch (const storage_failure&) {
    return;  // the seal is right, but the row is of another table or shape
  }
}

void salvaged_rows::take_small(const found_row& row) {
  const auto value = unsealed({row.key, row.value});
  if (!value) return;
  const std::string_view table = row.table.empty() ? table_like(row.key) : row.table;
  if (table == "state") return take_state(row, *value);
  if (table == "loss") {
    losses_.try_emplace(number_of_loss_key(row.key), decode_loss(*value));
    return;
  }
  const found_fact fact = fact_in(row.key, *value, table == "meta" ? "M" : "D");
  check_fact_name(fact.name);
  facts_.try_emplace(fact.name, fact.value);
}

void salvaged_rows::take_state(const found_row& row, std::string_view value) {
  if (row.key.front() == state_stream && row.key.size() == stream_key_bytes) {
    const checkpoint found = decode_checkpoint(value);
    const auto [known, is_new] = checkpoints_.try_emplace(stream_of_key(row.key), found);
    if (!is_new && !row.is_in_tree && known->second.commit < found.commit) known->second = found;
  } else if (row.key.front() == state_block && row.key.size() == block_key_bytes) {
    const std::pair place(stream_of_key(row.key), load_be<std::uint64_t>(row.key.data() + stream_key_bytes));
    const ack_block found = decode_block(value);
    const auto [known, is_new] = blocks_.try_emplace(place, found);
    if (is_new || row.is_in_tree) return;
    // Acknowledged messages stay acknowledged: of two copies, the newer one has more of them.
    for (std::size_t i = 0; i < found.bits.size(); ++i) {
      known->second.bits[i] = static_cast<char>(known->second.bits[i] | found.bits[i]);
    }
    known->second.full_after = std::max(known->second.full_after, found.full_after);
  } else {
    const found_fact fact = fact_in(row.key, value);
    check_fact_name(fact.name);
    facts_.try_emplace(fact.name, fact.value);
  }
}

void salvaged_rows::take_chunk(const found_row& row) {
  const chunk_place place = place_of_chunk_key(row.key);
  const piece_key key{place.stream, place.last_offset, piece_of_chunk_key(row.key)};
  if (key.piece == 0 && !read_chunk_header(place, row.value)) return;
  versions& known = (row.is_free ? old_ : current_)[key];
  const bool is_new = std::find(known.begin(), known.end(), row.value) == known.end();
  if (is_new && known.size() < versions_max) known.push_back(row.value);
}

std::optional<journal_row> salvaged_rows::journal() const {
  const auto found = facts_.find(fact_name(fact_space::store, meta_journal));
  if (found == facts_.end()) return std::nullopt;
  try {
    return decode_journal_row(found->second);
  } catch (const storage_failure&) {
    return std::nullopt;
  }
}

// No row says which versions of the pieces belong together; the batches' own CRCs do. So each version of the first
// piece is tried with the first version of each other piece, with the second, and so on.
void salvaged_rows::each_version(chunk_place place, const std::vector<const versions*>& pieces,
                                 const std::function<void(const found_chunk&)>& take) {
  std::size_t most = 1;
  for (std::size_t i = 1; i < pieces.size(); ++i) most = std::max(most, pieces[i]->size());
  for (const std::string_view first : *pieces.front()) {
    const std::size_t length = chunk_length(first);
    for (std::size_t version = 0; version < most; ++version) {
      found_chunk chunk{place, scattered_bytes(first.substr(0, length))};
      for (std::size_t i = 1; i < pieces.size() && chunk.bytes.size() < length; ++i) {
        const std::string_view piece = (*pieces[i])[std::min(version, pieces[i]->size() - 1)];
        chunk.bytes.add(piece.substr(0, length - chunk.bytes.size()));
      }
      if (chunk.bytes.size() > 0) take(chunk);
    }
  }
}

void salvaged_rows::each_chunk(origin origin, const std::function<void(const found_chunk&)>& take) const {
  const piece_map& rows = origin == origin::in_use ? current_ : old_;
  for (auto row = rows.begin(); row != rows.end();) {
    const auto [stream, last_offset, first] = row->first;
    std::vector<const versions*> pieces;
    for (; row != rows.end() && row->first.stream == stream && row->first.last_offset == last_offset; ++row) {
      if (row->first.piece == pieces.size()) pieces.push_back(&row->second);
    }
    if (!pieces.empty()) each_version({stream, last_offset}, pieces, take);
  }
}

}  // namespace tidegate::store::offline
