// Message bodies that carry their message's identity and checksums: a reader can tell which message a body belongs to
// and whether the message is intact.
//
//    0  magic "TGF1"
//    4  number     u64   number of the attempt, from 1
//   12  publisher  u32
//   16  sequence   u64   rising for each publisher
//   24  metadata   u32   CRC-32C of the message's exchange, routing key and key
//   28  filler           derived from the number
//       CRC-32C    u32   of all bytes before
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/model/message.hpp"

namespace tidegate::faults {

struct label {
  std::uint64_t number = 0;
  std::uint32_t publisher = 0;
  std::uint64_t sequence = 0;
  friend bool operator==(const label&, const label&) = default;
};

// Returns a body of `size` bytes, at least 32, for a message whose exchange, routing key and key are set.
std::string make_body(const label& label, const message_view& message, std::size_t size);

// wrong_metadata: the body is intact, but the exchange, routing key or key are not those it was made for.
enum class body_state { right, wrong_body, wrong_metadata };
// Checks the body of `message`, and sets `label` unless the result is wrong_body.
body_state read_body(const message_view& message, label& label);

}  // namespace tidegate::faults
