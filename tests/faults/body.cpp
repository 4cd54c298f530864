#include "tests/faults/body.hpp"

#include "broker/base/bytes.hpp"
#include "broker/base/crc32c.hpp"

namespace tidegate::faults {
namespace {

constexpr std::string_view magic = "TGF1";
constexpr std::size_t head_bytes = 28, seal_bytes = 4;

std::uint32_t metadata_crc(const message_view& message) {
  std::uint32_t crc = crc32c(message.exchange);
  crc = crc32c(message.routing_key, crc32c("|", crc));
  return crc32c(message.key, crc32c("|", crc));
}

}  // namespace

std::string make_body(const label& label, const message_view& message, std::size_t size) {
  std::string body(magic);
  append_be(body, label.number);
  append_be(body, label.publisher);
  append_be(body, label.sequence);
  append_be(body, metadata_crc(message));
  std::uint64_t filler = label.number;
  while (body.size() + seal_bytes < size) {
    filler = filler * 6364136223846793005u + 1442695040888963407u;
    body.push_back(static_cast<char>(filler >> 56));
  }
  append_be(body, crc32c(body));
  return body;
}

body_state read_body(const message_view& message, label& label) {
  const std::string_view body = message.body;
  if (body.size() < head_bytes + seal_bytes || !body.starts_with(magic)) return body_state::wrong_body;
  const std::size_t sealed = body.size() - seal_bytes;
  if (load_be<std::uint32_t>(body.data() + sealed) != crc32c(body.substr(0, sealed))) return body_state::wrong_body;
  label.number = load_be<std::uint64_t>(body.data() + 4);
  label.publisher = load_be<std::uint32_t>(body.data() + 12);
  label.sequence = load_be<std::uint64_t>(body.data() + 16);
  const bool is_right = load_be<std::uint32_t>(body.data() + 24) == metadata_crc(message);
  return is_right ? body_state::right : body_state::wrong_metadata;
}

}  // namespace tidegate::faults
