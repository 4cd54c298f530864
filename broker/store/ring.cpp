#include "broker/store/ring.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/base/crc32c.hpp"

namespace tidegate::store {

void ring::begin_generation(std::uint64_t generation) {
  // A process whose sync failed left its last blob in the kernel's memory, which calls the page clean from then on: the
  // blob would never reach the disk, and what is built on it would.
  if (is_read_ && end_.commit > head_.commit) {
    const std::string last(at(last_position_, bytes_of_last()));
    file_.write(last_position_, last);
  }
  file_.write_generation(generation);
}

// Returns a whole blob of any lap that starts there.
std::optional<std::string_view> ring::sealed_at(ring_position position) const {
  const std::uint64_t rest = file_.rest_of_lap(position);
  if (rest < blob_head_bytes) return std::nullopt;
  const auto length = blob_length(at(position, blob_head_bytes));
  if (length < blob_head_bytes || length > std::min<std::uint64_t>(rest, blob_bytes_max())) return std::nullopt;
  const std::string_view blob = at(position, length);
  const bool is_here = read_blob_head(blob).position % capacity() == position % capacity();
  return is_here && is_sealed(blob, file_.seed()) ? std::optional(blob) : std::nullopt;
}

std::optional<std::string_view> ring::blob_at(ring_position position) const {
  const auto blob = sealed_at(position);
  return blob && read_blob_head(*blob).position == position ? blob : std::nullopt;
}

std::optional<std::string_view> ring::find_next(const ring_place& end) const {
  for (const ring_position position : {end.position, file_.next_lap(end.position)}) {
    const auto blob = blob_at(position);
    if (!blob) continue;
    const blob_head head = read_blob_head(*blob);
    if (head.commit == end.commit + 1 && head.previous_crc == end.crc) return blob;
  }
  return std::nullopt;
}

void ring::read(const ring_place& head, commit_number in_tables, const blob_taker& take) {
  head_ = end_ = before_last_ = head;
  last_position_ = head.position;
  if (!is_read_) kept_from_ = head.position;
  is_read_ = true;
  commit_number taken_back = 0;
  ring_position taken_back_at = 0;
  while (const auto blob = find_next(end_)) {
    const blob_head found = read_blob_head(*blob);
    // The commit was to be in the tables, and they do not have it: it was interrupted, and is void.
    if (found.is_in_tables && found.commit > in_tables) {
      taken_back = found.commit;
      taken_back_at = found.position;
      break;
    }
    take(*blob, found);
    last_position_ = found.position;
    end_ = {found.commit, found.position + file_.padded(blob->size()), blob_crc(*blob)};
  }
  if (end_.commit < in_tables) {
    throw store_damaged(
        fmt::format("the store is damaged: the journal ends with commit {}, and the tables were written "
                    "in {}",
                    end_.commit, in_tables));
  }
  incomplete_ = taken_back == 0 && looks_incomplete(end_) ? end_.commit + 1 : 0;
  look_behind_end(taken_back);
  if (taken_back != 0 && file_.is_writable()) wipe(taken_back_at);
}

// Older bytes there have another number, position and previous blob. One flipped bit leaves three of the four right.
bool ring::looks_incomplete(const ring_place& end) const {
  for (const ring_position position : {end.position, file_.next_lap(end.position)}) {
    if (file_.rest_of_lap(position) < blob_head_bytes) continue;
    const std::string_view there = at(position, blob_head_bytes);
    const blob_head head = read_blob_head(there);
    const int fitting = (blob_length(there) > 0 ? 1 : 0) + (head.commit == end.commit + 1 ? 1 : 0) +
                        (head.position == position ? 1 : 0) + (head.previous_crc == end.crc ? 1 : 0);
    if (fitting >= 3) return true;
  }
  return false;
}

// A commit is written after the one before was synced. So no whole blob of a later commit can follow the end, unless
// the blob between was damaged, or the tables are older than the ring. Looks as far as the longest blob reaches, which
// may be the damaged one.
void ring::look_behind_end(commit_number taken_back) const {
  const auto look = [&](ring_position from, ring_position until) {
    for (ring_position position = from; position < until; position += file_.block_bytes()) {
      const auto blob = sealed_at(position);
      if (!blob) continue;
      const commit_number commit = read_blob_head(*blob).commit;
      if (commit <= end_.commit || commit == taken_back) continue;
      throw store_damaged(fmt::format("the store is damaged: the journal lacks commit {}, and has commit {} behind it",
                                      end_.commit + 1, commit));
    }
  };
  const ring_position lap = file_.next_lap(end_.position), reach = blob_bytes_max();
  look(end_.position, std::min(lap, end_.position + reach + file_.block_bytes()));
  look(lap, lap + std::min<ring_position>(reach + file_.block_bytes(), end_.position % capacity()));
}

ring_position ring::position_for(std::size_t size) const {
  const std::uint64_t rest = file_.rest_of_lap(end_.position);
  return file_.padded(size) <= rest ? end_.position : file_.next_lap(end_.position);
}

bool ring::has_room(std::size_t size, std::uint64_t blocks) const {
  const std::uint64_t bytes = file_.padded(size) + blocks * file_.block_bytes();
  return size <= blob_bytes_max() && position_for(size) + bytes - kept_from_ <= capacity();
}

void ring::append(std::string& blob) {
  TIDEGATE_EXPECT(has_room(blob.size()));
  const ring_position position = position_for(blob.size());
  const std::size_t size = blob.size();
  const std::uint32_t crc = seal_blob(blob, position, end_.crc, file_.seed());
  blob.resize(file_.padded(size), '\0');
  file_.write(position, blob);
  file_.sync();
  blob.resize(size);
  before_last_ = end_;
  last_position_ = position;
  end_ = {end_.commit + 1, position + file_.padded(size), crc};
}

void ring::take_back() {
  wipe(last_position_);
  end_ = before_last_;
}

// The next blob may be longer and start elsewhere, and then this one would still be the first that fits.
void ring::wipe(ring_position position) const {
  file_.write(position, std::string(file_.block_bytes(), '\0'));
  file_.sync();
}

// The blobs have their commits and lengths, so the way from the head is found in the ring itself.
ring_place ring::place_before(commit_number needed) const {
  ring_place place = head_;
  while (place.commit + 1 < needed && place.commit < end_.commit) {
    ring_position position = place.position;
    const ring_position lap = file_.next_lap(position);
    const auto is_next = [&](ring_position at) {
      if (file_.rest_of_lap(at) < blob_head_bytes) return false;
      const blob_head head = read_blob_head(this->at(at, blob_head_bytes));
      return head.commit == place.commit + 1 && head.position == at;
    };
    // A commit that a power cut tore at the lap's end has left its head there, if the commit of its number that came
    // afterwards was longer and is in the next lap. Only the whole one is sealed.
    if (!is_next(position) || (is_next(lap) && !blob_at(position))) position = lap;
    TIDEGATE_EXPECT(is_next(position));
    const std::string_view head = at(position, blob_head_bytes);
    place = {place.commit + 1, position + file_.padded(blob_length(head)), blob_crc(head)};
  }
  return place;
}

}  // namespace tidegate::store
