// For tests: a record batch of a producer that compresses.
#pragma once

#include <zstd.h>

#include <string>
#include <string_view>

#include "broker/base/bytes.hpp"
#include "broker/base/crc32c.hpp"
#include "broker/model/compression.hpp"

namespace tidegate {

// Returns the batch with its records compressed by zstd.
inline std::string zstd_compressed(std::string batch) {
  const std::string_view records = std::string_view(batch).substr(record_batch_header_bytes);
  std::string packed(ZSTD_compressBound(records.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), records.data(), records.size(), 1));
  batch.replace(record_batch_header_bytes, std::string::npos, packed);
  store_be<std::uint32_t>(batch.data() + 8, static_cast<std::uint32_t>(batch.size() - 12));
  store_be<std::uint16_t>(batch.data() + 21, static_cast<std::uint16_t>(codec::zstd));
  store_be<std::uint32_t>(batch.data() + 17, crc32c(std::string_view(batch).substr(21)));
  return batch;
}

}  // namespace tidegate
