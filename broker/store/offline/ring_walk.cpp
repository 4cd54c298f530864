#include "broker/store/offline/ring_walk.hpp"

#include <algorithm>
#include <array>
#include <tuple>

#include "broker/base/bytes.hpp"
#include "broker/base/crc32c.hpp"

namespace tidegate::store::offline {
namespace {

// Maps positions to places in the file.
struct ring_shape {
  std::uint64_t block_bytes = 0;
  std::uint64_t file_bytes = 0;

  std::uint64_t first() const { return ring_header_slots * block_bytes; }
  bool fits(const found_blob& blob) const {
    return blob.at >= first() && blob.head.position % (file_bytes - first()) == blob.at - first();
  }
};

std::size_t fitting(const ring_shape& shape, const std::vector<found_blob>& blobs) {
  return static_cast<std::size_t>(
      std::count_if(blobs.begin(), blobs.end(), [&](const auto& blob) { return shape.fits(blob); }));
}

// Returns the shape that most blobs fit, if no header gives it; none if no blob fits any, because the file lost its
// end.
std::optional<ring_shape> guess_shape(std::uint64_t file_bytes, const std::vector<found_blob>& blobs) {
  std::optional<ring_shape> best;
  if (file_bytes < ring_bytes_min) return best;
  for (std::uint64_t block = ring_block_bytes_min; block <= ring_block_bytes_max; block *= 2) {
    const ring_shape shape{block, file_bytes};
    if (fitting(shape, blobs) > (best ? fitting(*best, blobs) : 0)) best = shape;
  }
  return best;
}

std::vector<std::uint32_t> seeds_of(const ring_walk_result& result, const std::optional<ring_id>& known_id) {
  std::vector<ring_id> ids;
  for (const ring_header& header : result.headers) ids.push_back(header.id);
  if (ids.empty() && known_id) ids.push_back(*known_id);
  std::vector<std::uint32_t> seeds;
  for (const ring_id& id : ids) seeds.push_back(crc32c({id.data(), id.size()}));
  seeds.erase(std::unique(seeds.begin(), seeds.end()), seeds.end());
  return seeds;
}

std::optional<found_blob> blob_in(std::string_view file, std::uint64_t at, const std::vector<std::uint32_t>& seeds) {
  const std::string_view rest = file.substr(at);
  const std::size_t length = blob_length(rest);
  if (length < blob_head_bytes || length > std::min(rest.size(), blob_bytes_most)) return std::nullopt;
  const std::string_view bytes = rest.substr(0, length);
  const bool is_whole =
      std::any_of(seeds.begin(), seeds.end(), [&](std::uint32_t seed) { return is_sealed(bytes, seed); });
  return is_whole ? std::optional(found_blob{read_blob_head(bytes), bytes, at}) : std::nullopt;
}

}  // namespace

ring_walk_result walk_ring(std::string_view file, const std::optional<ring_id>& known_id) {
  ring_walk_result result;
  result.headers = read_ring_headers(file);
  const auto seeds = seeds_of(result, known_id);
  std::optional<ring_shape> shape;
  if (!result.headers.empty()) shape = {result.headers[0].block_bytes, result.headers[0].file_bytes};
  const std::uint64_t block = shape ? shape->block_bytes : ring_block_bytes_min;
  for (std::uint64_t at = shape ? shape->first() : 0; at < file.size() && file.size() - at >= blob_head_bytes;) {
    const auto blob = blob_in(file, at, seeds);
    // A record may contain the bytes of one of this ring's blobs. Such a blob is not where its position says.
    const bool is_here = blob && (!shape || shape->fits(*blob));
    if (is_here) result.blobs.push_back(*blob);
    if (!is_here && blob_length(file.substr(at)) > 0) ++result.damaged_blobs;
    at += is_here ? (blob->bytes.size() + block - 1) / block * block : block;
  }
  if (!shape) shape = guess_shape(file.size(), result.blobs);
  if (shape) std::erase_if(result.blobs, [&](const found_blob& blob) { return !shape->fits(blob); });
  std::sort(result.blobs.begin(), result.blobs.end(), [](const found_blob& one, const found_blob& other) {
    return std::tie(one.head.commit, one.at) < std::tie(other.head.commit, other.at);
  });
  return result;
}

}  // namespace tidegate::store::offline
