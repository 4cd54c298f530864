// A message's properties in the layout of AMQP 0-9-1's content header (clause 4.2.6.1): a u16 of flags, then the values
// whose flags are set. Core stores them and hands them on as they came. No bytes at all = no properties.
//
//   bit 15 content type, 14 content encoding, 13 headers (field table), 12 delivery mode u8, 11 priority u8,
//   10 correlation id, 9 reply to, 8 expiration (ms as text), 7 message id, 6 timestamp u64 (seconds), 5 type,
//   4 user id, 3 app id, 2 cluster id (of old); texts have a length u8, the table a length u32
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/base/error.hpp"

namespace tidegate {

// Views point into the encoded properties. A field that is not set is absent, which is not the same as empty.
struct properties {
  using text = std::optional<std::string_view>;
  text content_type = {}, content_encoding = {};
  text headers = {};  // a field table: field_table.hpp
  std::optional<std::uint8_t> delivery_mode = {}, priority = {};
  text correlation_id = {}, reply_to = {}, expiration = {}, message_id = {};
  std::optional<std::uint64_t> timestamp = {};
  text type = {}, user_id = {}, app_id = {}, cluster_id = {};
};

// Decodes properties. Errors: they are cut off, have bytes left over or flags that are not known; the headers do not
// decode.
result<properties> read_properties(std::string_view encoded);
// Encodes properties; empty if none is set. Texts have at most 255 bytes.
std::string encode(const properties& properties);

// Returns the time to live that `expiration` states; none if it is not set. Error: it is not a whole number of
// milliseconds from 0 to limits::time_to_live_max.
result<std::optional<std::chrono::milliseconds>> time_to_live_of(const properties& properties);

}  // namespace tidegate
