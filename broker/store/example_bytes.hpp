// For tests: the bytes of the worked example in docs/store-format.md.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/model/record_batch.hpp"
#include "broker/store/chunk.hpp"
#include "broker/store/format.hpp"

namespace tidegate::store {

inline std::string hex(std::string_view data) {
  std::string out;
  for (const char byte : data) out += fmt::format("{:02x}", static_cast<std::uint8_t>(byte));
  return out;
}

inline std::string with_flipped_bit(std::string bytes, std::size_t bit) {
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
  return bytes;
}

inline std::string one_reading() {
  message_view message;
  message.routing_key = "hall";
  message.body = "21.5";
  batch_builder builder;
  builder.add(0, 1'700'000'000'000, message);
  return builder.finish();
}

// The batch of the worked example: its 61 bytes of header, then the record.
constexpr std::string_view batch_hex =
    "0000000000000000"
    "00000050"
    "00000000"
    "02"
    "dbec9160"
    "0000"
    "00000000"
    "0000018bcfe56800"
    "0000018bcfe56800"
    "ffffffffffffffff"
    "ffff"
    "ffffffff"
    "00000001"
    "3c"
    "00"
    "00"
    "00"
    "01"
    "08"
    "32312e35"
    "02"
    "1c"
    "74672d726f7574696e672d6b6579"
    "08"
    "68616c6c";

inline chunk_header example_chunk_header() {
  return {{stream_id{1}, 0}, 0, 1'700'000'000'000, 1'700'000'000'000, false};
}
constexpr std::string_view chunk_header_hex =
    "54474332"
    "00000001"
    "0000000000000000"
    "00000092"
    "0000000000000000"
    "0000018bcfe56800"
    "0000018bcfe56800"
    "0000"
    "372d8741"
    "cc1ddff1";

const commit_time example_time{milliseconds(60'000), milliseconds(1'700'000'000'000), true, 11, milliseconds(90'000)};

inline loss_record example_loss() {
  return {loss_reason::retention_bytes,    stream_id{1}, {}, 5, 9, 4, 3, 500, milliseconds(1'700'000'000'000),
          milliseconds(1'700'000'000'100), true};
}

}  // namespace tidegate::store
