#include "broker/model/message.hpp"

#include <fmt/format.h>

#include "broker/base/limits.hpp"

namespace tidegate {
namespace {

error too_large(std::string_view field, std::size_t size, std::size_t limit) {
  return {errc::too_large, fmt::format("{} of {} bytes is over the limit of {}", field, size, limit),
          std::string(field)};
}

}  // namespace

result<void> check(const message_view& message) {
  if (message.exchange.size() > limits::name_bytes) {
    return too_large("exchange", message.exchange.size(), limits::name_bytes);
  }
  if (message.routing_key.size() > limits::routing_key_bytes) {
    return too_large("routing_key", message.routing_key.size(), limits::routing_key_bytes);
  }
  if (message.key.size() > limits::partition_key_bytes) {
    return too_large("key", message.key.size(), limits::partition_key_bytes);
  }
  if (message.properties.size() > limits::properties_bytes) {
    return too_large("properties", message.properties.size(), limits::properties_bytes);
  }
  if (message.body.size() > limits::body_bytes) return too_large("body", message.body.size(), limits::body_bytes);
  if (message.headers.size() > limits::headers_count) {
    return error{errc::too_large,
                 fmt::format("{} headers are over the limit of {}", message.headers.size(), limits::headers_count),
                 "headers"};
  }
  std::size_t headers_size = 0;
  for (const header& header : message.headers) headers_size += header.name.size() + header.value.size();
  if (headers_size > limits::headers_bytes) return too_large("headers", headers_size, limits::headers_bytes);
  return {};
}

}  // namespace tidegate
