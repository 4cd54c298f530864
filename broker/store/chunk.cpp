#include "broker/store/chunk.hpp"

#include <fmt/format.h>

#include "broker/base/bytes.hpp"
#include "broker/base/crc32c.hpp"

namespace tidegate::store {
namespace {

constexpr std::uint32_t chunk_magic = 0x54474331;  // "TGC1"
constexpr std::size_t crc_at = 20;
constexpr std::size_t batch_head_bytes = 21;  // what comes before the attributes, where the batch's own CRC begins

error damaged(chunk_place place, std::string_view what) {
  return {errc::invalid, fmt::format("the store is damaged: the chunk of stream {} that ends at offset {} {}",
                                     static_cast<std::uint32_t>(place.stream), place.last_offset, what)};
}

std::uint32_t crc_of(std::string_view chunk_head, const std::vector<batch_view>& batches) {
  std::uint32_t crc = crc32c(chunk_head);
  for (const batch_view& batch : batches) crc = crc32c(batch.bytes.substr(0, batch_head_bytes), crc);
  return crc;
}

result<std::vector<batch_view>> split(std::string_view batches) {
  std::vector<batch_view> all;
  while (!batches.empty()) {
    const auto batch = read_batch(batches);
    if (!batch) return batch.error();
    batches.remove_prefix(batch->bytes.size());
    all.push_back(*batch);
  }
  return all;
}

}  // namespace

std::string seal_chunk(chunk_place place, std::string_view batches) {
  std::string value;
  value.reserve(chunk_header_bytes + batches.size());
  append_be(value, chunk_magic);
  append_be(value, static_cast<std::uint32_t>(place.stream));
  append_be(value, place.last_offset);
  append_be(value, static_cast<std::uint32_t>(chunk_header_bytes + batches.size()));
  append_be(value, crc_of(value, split(batches).value()));
  return value.append(batches);
}

std::size_t chunk_length(std::string_view first_row) {
  byte_reader reader(first_row);
  reader.take(sizeof chunk_magic + sizeof(stream_id) + sizeof(offset_t));
  const auto length = reader.be<std::uint32_t>();
  return reader.failed() ? 0 : length;
}

result<std::vector<batch_view>> read_chunk(chunk_place place, std::string_view value) {
  byte_reader reader(value);
  const auto magic = reader.be<std::uint32_t>();
  reader.take(sizeof(stream_id) + sizeof(offset_t));
  const auto length = reader.be<std::uint32_t>();
  const auto crc = reader.be<std::uint32_t>();
  if (reader.failed() || magic != chunk_magic || length != value.size()) return damaged(place, "has a wrong header");
  if (!is_in_place(place, value)) return damaged(place, "belongs elsewhere");
  auto batches = split(reader.rest());
  if (!batches || batches->empty()) return damaged(place, "has a batch that does not decode");
  if (crc_of(value.substr(0, crc_at), *batches) != crc) return damaged(place, "fails its CRC-32C");
  return batches;
}

bool is_in_place(chunk_place place, std::string_view value) {
  byte_reader reader(value);
  reader.take(sizeof chunk_magic);
  const auto stream = static_cast<stream_id>(reader.be<std::uint32_t>());
  return stream == place.stream && reader.be<std::uint64_t>() == place.last_offset && !reader.failed();
}

std::vector<batch_view> read_chunk_or_fail(chunk_place place, std::string_view value) {
  auto batches = read_chunk(place, value);
  if (!batches) throw store_damaged(batches.error().text);
  return std::move(*batches);
}

}  // namespace tidegate::store
