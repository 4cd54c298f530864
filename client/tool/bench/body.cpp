#include "client/tool/bench/body.hpp"

#include "broker/base/bytes.hpp"
#include "broker/base/crc32c.hpp"

namespace tidegate::tool::bench {
namespace {

constexpr std::string_view magic = "TGB1";
constexpr std::size_t seal_bytes = 4;

}  // namespace

// The filler is the same in all bodies. It is noise, so that a disk or network that compresses does not shrink it to
// nothing.
body_maker::body_maker(std::size_t size, bool seals) : body_(size, '\0'), seals_(seals) {
  std::uint64_t noise = 1;
  for (char& byte : body_) {
    noise = noise * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<char>(noise >> 56);
  }
  if (size < stamped_bytes_min) return;
  body_.replace(0, magic.size(), magic);
  store_be<std::uint32_t>(body_.data() + size - seal_bytes, 0);
}

std::string_view body_maker::make(const stamp& stamp) {
  if (body_.size() < stamped_bytes_min) return body_;
  char* const at = body_.data();
  store_be(at + 4, stamp.run);
  store_be(at + 8, stamp.publisher);
  store_be(at + 12, stamp.target);
  store_be(at + 16, stamp.sequence);
  store_be(at + 24, stamp.sent_ns);
  const std::size_t sealed = body_.size() - seal_bytes;
  if (seals_) store_be(at + sealed, crc32c(std::string_view(body_).substr(0, sealed)));
  return body_;
}

std::optional<stamp> read_stamp(std::string_view body) {
  if (body.size() < stamped_bytes_min || !body.starts_with(magic)) return std::nullopt;
  const char* const at = body.data();
  return stamp{.run = load_be<std::uint32_t>(at + 4),
               .publisher = load_be<std::uint32_t>(at + 8),
               .target = load_be<std::uint32_t>(at + 12),
               .sequence = load_be<std::uint64_t>(at + 16),
               .sent_ns = load_be<std::uint64_t>(at + 24)};
}

bool is_whole(std::string_view body) {
  const std::size_t sealed = body.size() - seal_bytes;
  return load_be<std::uint32_t>(body.data() + sealed) == crc32c(body.substr(0, sealed));
}

}  // namespace tidegate::tool::bench
