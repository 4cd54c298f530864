// A message's body that tells who it is, and whether it is whole.
//
//    0  magic "TGF1"
//    4  number     u64   of the attempt, from 1
//   12  publisher  u32
//   16  sequence   u64   of the publisher, rising
//   24  metadata   u32   CRC-32C of what the message has besides its body
//   28  filler           made from the number
//       CRC-32C    u32   of everything before
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

// The body of a message whose exchange, routing key and key are set; at least 32 bytes.
std::string make_body(const label& label, const message_view& message, std::size_t size);

enum class body_state { right, wrong_body, wrong_metadata };
// The label is worth something only where the body is right or has the wrong metadata.
body_state read_body(const message_view& message, label& label);

}  // namespace tidegate::faults
