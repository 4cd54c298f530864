#include "broker/frontends/native/codec.hpp"

#include <algorithm>

#include "broker/base/limits.hpp"
#include "broker/base/protobuf.hpp"
#include "broker/model/definitions.hpp"

namespace tidegate::native {
namespace {

// Keys, lengths and numbers of the largest message beside its text and bytes.
constexpr std::size_t frame_overhead = 160;

bool take_header(void* context, void* item) {
  auto& headers = *static_cast<std::vector<header>*>(context);
  // One more than the limit, so that the check of the message names it.
  if (headers.size() > limits::headers_count) return false;
  const auto& decoded = *static_cast<tg_Header*>(item);
  headers.push_back({view_of(decoded.name), view_of(decoded.value)});
  return true;
}

}  // namespace

tg_Code wire_code(errc code) {
  switch (code) {
    case errc::invalid: return tg_Code_INVALID;
    case errc::not_found: return tg_Code_NOT_FOUND;
    case errc::precondition: return tg_Code_PRECONDITION;
    case errc::too_large: return tg_Code_TOO_LARGE;
    case errc::store_full: return tg_Code_STORE_FULL;
    case errc::not_allowed: return tg_Code_NOT_ALLOWED;
    case errc::out_of_range: return tg_Code_OUT_OF_RANGE;
    case errc::fenced: return tg_Code_FENCED;
    case errc::limit: return tg_Code_LIMIT;
    case errc::unsupported: return tg_Code_UNSUPPORTED;
  }
  return tg_Code_INVALID;
}

std::string presentable(std::string_view text) {
  const bool fits = text.size() <= limits::error_text_bytes && is_utf8(text);
  std::string out(text.substr(0, limits::error_text_bytes));
  std::replace_if(
      out.begin(), out.end(),
      [&](char c) { return (c >= 0 && c < 0x20) || c == 0x7f || (!fits && static_cast<std::uint8_t>(c) >= 0x80); },
      '?');
  return out;
}

void append_frame(std::string& out, tg_member member, const pb_msgdesc_t* fields, const void* message,
                  std::size_t size_hint) {
  const std::size_t before = out.size();
  out.resize(before + size_hint + frame_overhead);
  const std::size_t size = tg_frame_encode(reinterpret_cast<std::uint8_t*>(out.data()) + before, out.size() - before,
                                           member, fields, message);
  TIDEGATE_EXPECT(size > 0);
  out.resize(before + size);
}

tg_list header_list::decoder() { return {take_header, &slot_, &headers_}; }

// Field numbers as in link.proto; the order is nanopb's.
void append_deliver(std::string& out, std::uint32_t consumer, const core::delivery_view& delivery) {
  using protobuf::size_of;
  const message_view& message = delivery.message;
  const auto timestamp_ms = static_cast<std::uint64_t>(delivery.timestamp_ms);
  std::size_t size = size_of(std::uint64_t{consumer}) + size_of(delivery.number) +
                     size_of(std::uint64_t{delivery.redelivered}) + size_of(std::uint64_t{delivery.deliveries}) +
                     size_of(message.routing_key) + size_of(message.key) + size_of(message.body) +
                     size_of(timestamp_ms) + size_of(message.exchange);
  for (const header& header : message.headers) size += size_of(header.name, header.value);
  if (message.is_time_estimated) size += size_of(header_estimated, {});
  protobuf::field_writer writer(out, TG_DELIVER, size);
  writer.number(1, consumer);
  writer.number(2, delivery.number);
  writer.number(3, delivery.redelivered);
  writer.number(4, delivery.deliveries);
  writer.text(5, message.routing_key);
  writer.text(6, message.key);
  for (const header& header : message.headers) writer.pair(7, header.name, header.value);
  if (message.is_time_estimated) writer.pair(7, header_estimated, {});
  writer.text(8, message.body);
  writer.number(9, timestamp_ms);
  writer.text(10, message.exchange);
  writer.finish();
}

}  // namespace tidegate::native
