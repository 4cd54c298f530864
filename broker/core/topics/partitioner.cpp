#include "broker/core/topics/partitioner.hpp"

namespace tidegate::core::topics {
namespace {

std::uint32_t byte_at(std::string_view key, std::size_t at) { return static_cast<std::uint8_t>(key[at]); }

}  // namespace

std::uint32_t murmur2(std::string_view key) {
  constexpr std::uint32_t seed = 0x9747b28c, m = 0x5bd1e995;
  std::uint32_t h = seed ^ static_cast<std::uint32_t>(key.size());
  std::size_t at = 0;
  for (; at + 4 <= key.size(); at += 4) {
    std::uint32_t k =
        byte_at(key, at) | byte_at(key, at + 1) << 8 | byte_at(key, at + 2) << 16 | byte_at(key, at + 3) << 24;
    k *= m;
    k ^= k >> 24;
    k *= m;
    h = (h * m) ^ k;
  }
  const std::size_t left = key.size() - at;
  if (left >= 3) h ^= byte_at(key, at + 2) << 16;
  if (left >= 2) h ^= byte_at(key, at + 1) << 8;
  if (left >= 1) h = (h ^ byte_at(key, at)) * m;
  h ^= h >> 13;
  h *= m;
  h ^= h >> 15;
  return h & 0x7fffffff;
}

}  // namespace tidegate::core::topics
