#include "broker/store/chunk.hpp"

#include <fmt/format.h>

#include "broker/base/bytes.hpp"
#include "broker/base/crc32c.hpp"

namespace tidegate::store {
namespace {

constexpr std::uint32_t chunk_magic = 0x54474332;  // "TGC2"
constexpr std::size_t heads_crc_at = 46;
constexpr std::size_t crc_at = 50;
constexpr std::uint16_t flag_repacked = 1;
constexpr std::size_t batch_head_bytes = 21;  // the bytes before the attributes, where the batch's own CRC starts

error damaged(chunk_place place, std::string_view what) {
  return {errc::invalid, fmt::format("the store is damaged: the chunk of stream {} that ends at offset {} {}",
                                     static_cast<std::uint32_t>(place.stream), place.last_offset, what)};
}

std::uint32_t crc_of_heads(const std::vector<batch_view>& batches) {
  std::uint32_t crc = 0;
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

std::string seal_chunk(const chunk_header& header, std::string_view batches) {
  std::string row;
  row.reserve(chunk_header_bytes + batches.size());
  row.assign(chunk_header_bytes, '\0').append(batches);
  seal_in_place(header, row);
  return row;
}

void seal_in_place(const chunk_header& header, std::string& row) {
  std::string head;
  head.reserve(chunk_header_bytes);
  append_be(head, chunk_magic);
  append_be(head, static_cast<std::uint32_t>(header.place.stream));
  append_be(head, header.place.last_offset);
  append_be(head, static_cast<std::uint32_t>(row.size()));
  append_be(head, header.covered_from);
  append_be(head, static_cast<std::uint64_t>(header.newest_timestamp_ms));
  append_be(head, static_cast<std::uint64_t>(header.running_newest_ms));
  append_be(head, header.is_repacked ? flag_repacked : std::uint16_t{0});
  append_be(head, crc_of_heads(split(std::string_view(row).substr(chunk_header_bytes)).value()));
  append_be(head, crc32c(head));
  TIDEGATE_EXPECT(head.size() == chunk_header_bytes);
  row.replace(0, chunk_header_bytes, head);
}

std::size_t chunk_length(std::string_view first_row) {
  byte_reader reader(first_row);
  reader.take(sizeof chunk_magic + sizeof(stream_id) + sizeof(offset_t));
  const auto length = reader.be<std::uint32_t>();
  return reader.failed() ? 0 : length;
}

result<chunk_header> read_chunk_header(chunk_place place, std::string_view first_row) {
  byte_reader reader(first_row);
  const auto magic = reader.be<std::uint32_t>();
  chunk_header header{place};
  reader.take(sizeof(stream_id) + sizeof(offset_t) + sizeof(std::uint32_t));
  header.covered_from = reader.be<std::uint64_t>();
  header.newest_timestamp_ms = static_cast<std::int64_t>(reader.be<std::uint64_t>());
  header.running_newest_ms = static_cast<std::int64_t>(reader.be<std::uint64_t>());
  header.is_repacked = (reader.be<std::uint16_t>() & flag_repacked) != 0;
  reader.take(sizeof(std::uint32_t));
  const auto crc = reader.be<std::uint32_t>();
  if (reader.failed() || magic != chunk_magic) return damaged(place, "has a wrong header");
  if (!is_in_place(place, first_row)) return damaged(place, "belongs elsewhere");
  if (crc32c(first_row.substr(0, crc_at)) != crc) return damaged(place, "fails its header's CRC-32C");
  return header;
}

result<chunk_view> read_chunk(chunk_place place, std::string_view value) {
  const auto header = read_chunk_header(place, value);
  if (!header) return header.error();
  if (chunk_length(value) != value.size()) return damaged(place, "is not as long as it says");
  auto batches = split(value.substr(chunk_header_bytes));
  if (!batches) return damaged(place, "has a batch that does not decode");
  if (crc_of_heads(*batches) != load_be<std::uint32_t>(value.data() + heads_crc_at)) {
    return damaged(place, "fails its CRC-32C");
  }
  return chunk_view{*header, std::move(*batches)};
}

bool is_in_place(chunk_place place, std::string_view value) {
  byte_reader reader(value);
  reader.take(sizeof chunk_magic);
  const auto stream = static_cast<stream_id>(reader.be<std::uint32_t>());
  return stream == place.stream && reader.be<std::uint64_t>() == place.last_offset && !reader.failed();
}

}  // namespace tidegate::store
