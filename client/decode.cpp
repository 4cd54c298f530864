#include <fmt/format.h>

#include <cstring>

#include "client/codec.hpp"
#include "firmware/wire/frame.h"
#include "firmware/wire/link.pb.h"

namespace tidegate::client::codec {
namespace {

std::string_view view(const tg_bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data), bytes.size}; }
std::string text(const tg_bytes& bytes) { return std::string(view(bytes)); }

tg_frame to_wire(const frame& frame) {
  return {.member = frame.member,
          .body = reinterpret_cast<const std::uint8_t*>(frame.body.data()),
          .body_size = frame.body.size(),
          .size = frame.size};
}

error malformed(std::string_view what) { return {errc::invalid, fmt::format("malformed {}", what)}; }

// Copies the number instead of loading the enum: nanopb stores any number that came, and C++ may not load a value that
// is not a member of the enum.
std::uint32_t number(const tg_Code& code) {
  std::uint32_t value;
  static_assert(sizeof code == sizeof value);
  std::memcpy(&value, &code, sizeof value);
  return value;
}

// A code on the wire is the value of errc plus one. A code that only a newer broker knows becomes errc::unsupported.
errc to_errc(const tg_Code& code) {
  const std::uint32_t value = number(code);
  if (value == tg_Code_OK) return errc::invalid;
  return value <= tg_Code_MEMORY_FULL ? static_cast<errc>(value - 1) : errc::unsupported;
}

result<incoming> decode_ping(const tg_frame& frame) {
  tg_Ping message = tg_Ping_init_zero;
  if (!tg_frame_decode(&frame, tg_Ping_fields, &message)) return malformed("Ping");
  return ping{message.ticks};
}

result<incoming> decode_connected(const tg_frame& frame) {
  tg_Connected message = {};
  if (!tg_frame_decode(&frame, tg_Connected_fields, &message)) return malformed("Connected");
  return connected{.correlation = message.correlation,
                   .info = {.server = text(message.server),
                            .gateway = text(message.gateway),
                            .incarnation = text(message.incarnation),
                            .producer_sequence = message.producer_sequence},
                   .heartbeat = std::chrono::seconds(message.heartbeat_seconds),
                   .largest_frame = message.largest_frame};
}

result<incoming> decode_done(const tg_frame& frame) {
  tg_Done message = {};
  if (!tg_frame_decode(&frame, tg_Done_fields, &message)) return malformed("Done");
  return done{message.correlation,  message.partitions, message.message_count, text(message.topic_id),
              text(message.notice), text(message.name), message.consumers};
}

result<incoming> decode_error(const tg_frame& frame) {
  tg_Error message = {};
  if (!tg_frame_decode(&frame, tg_Error_fields, &message)) return malformed("Error");
  return refusal{.correlation = message.correlation,
                 .closing = message.closing,
                 .cause = {to_errc(message.code), text(message.text), text(message.field)}};
}

result<incoming> decode_listed(const tg_frame& frame) {
  tg_Listed message = {};
  if (!tg_frame_decode(&frame, tg_Listed_fields, &message)) return malformed("Listed");
  return listed{message.correlation, {text(message.json), text(message.next)}};
}

result<incoming> decode_confirm(const tg_frame& frame) {
  tg_Confirm message = {};
  if (!tg_frame_decode(&frame, tg_Confirm_fields, &message)) return malformed("Confirm");
  confirm decoded{.id = message.id, .multiple = message.multiple};
  if (number(message.code) != tg_Code_OK) decoded.failure = error{to_errc(message.code), text(message.text)};
  return decoded;
}

result<incoming> decode_return(const tg_frame& frame) {
  tg_Return message = {};
  if (!tg_frame_decode(&frame, tg_Return_fields, &message)) return malformed("Return");
  return returned{message.id};
}

struct header_collector {
  std::vector<header> headers;
  tg_Header slot = {};

  static bool step(void* context, void* item) {
    const auto& from = *static_cast<const tg_Header*>(item);
    static_cast<header_collector*>(context)->headers.push_back({view(from.name), view(from.value)});
    return true;
  }
};

// Copies a Deliver's body once and decodes the copy, so that the delivery outlives the receive buffer.
std::optional<delivery> deliver_of(std::string_view body) {
  auto storage = std::make_shared<const std::string>(body);
  const tg_frame frame{.member = TG_DELIVER,
                       .body = reinterpret_cast<const std::uint8_t*>(storage->data()),
                       .body_size = storage->size(),
                       .size = 0};
  header_collector collector;
  tg_Deliver message = {};
  message.headers = {.step = header_collector::step, .item = &collector.slot, .context = &collector};
  if (!tg_frame_decode(&frame, tg_Deliver_fields, &message)) return std::nullopt;
  return delivery{.consumer = message.consumer,
                  .tag = message.tag,
                  .redelivered = message.redelivered,
                  .delivery_count = message.delivery_count,
                  .timestamp_ms = static_cast<std::int64_t>(message.timestamp_ms),
                  .message = {.exchange = view(message.exchange),
                              .routing_key = view(message.routing_key),
                              .key = view(message.key),
                              .headers = std::move(collector.headers),
                              .body = view(message.body),
                              .properties = view(message.properties),
                              .deaths = view(message.deaths)},
                  .storage = std::move(storage)};
}

result<incoming> decode_deliver(const tg_frame& received) {
  auto decoded = deliver_of(view({received.body, received.body_size}));
  if (!decoded) return malformed("Deliver");
  return *std::move(decoded);
}

result<incoming> decode_got(const tg_frame& frame) {
  tg_Got message = {};
  if (!tg_frame_decode(&frame, tg_Got_fields, &message)) return malformed("Got");
  if (message.delivery.data == nullptr) return got{message.correlation, std::nullopt};
  auto decoded = deliver_of(view(message.delivery));
  if (!decoded) return malformed("Got");
  return got{message.correlation, got_message{*std::move(decoded), message.message_count}, text(message.place)};
}

result<incoming> decode_cancelled(const tg_frame& frame) {
  tg_Cancelled message = {};
  if (!tg_frame_decode(&frame, tg_Cancelled_fields, &message)) return malformed("Cancelled");
  return cancelled{message.consumer, text(message.queue)};
}

result<incoming> decode_produced(const tg_frame& frame) {
  tg_Produced message = tg_Produced_init_zero;
  if (!tg_frame_decode(&frame, tg_Produced_fields, &message)) return malformed("Produced");
  return produced{message.correlation, message.base_offset};
}

result<incoming> decode_fetched(const tg_frame& frame) {
  tg_Fetched message = {};
  if (!tg_frame_decode(&frame, tg_Fetched_fields, &message)) return malformed("Fetched");
  const std::uint32_t code = number(message.code);
  if (code != tg_Code_OK && code != tg_Code_OUT_OF_RANGE) return malformed("Fetched: its code");
  return fetch_answer{message.correlation,
                      {.out_of_range = code == tg_Code_OUT_OF_RANGE,
                       .log_start = message.log_start,
                       .high_watermark = message.high_watermark,
                       .batches = text(message.batches)}};
}

result<incoming> decode_offset_listed(const tg_frame& frame) {
  tg_OffsetListed message = tg_OffsetListed_init_zero;
  if (!tg_frame_decode(&frame, tg_OffsetListed_fields, &message)) return malformed("OffsetListed");
  return offset_answer{message.correlation, {message.offset, message.log_start, message.high_watermark}};
}

result<incoming> decode_offset_fetched(const tg_frame& frame) {
  tg_OffsetFetched message = {};
  if (!tg_frame_decode(&frame, tg_OffsetFetched_fields, &message)) return malformed("OffsetFetched");
  committed_answer decoded{message.correlation, std::nullopt};
  if (message.found) decoded.value = committed_offset{message.offset, text(message.metadata)};
  return decoded;
}

}  // namespace

result<std::optional<frame>> split(std::string_view bytes, std::size_t body_max) {
  tg_frame found;
  switch (tg_frame_split(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), body_max, &found)) {
    case TG_SPLIT_MORE: return std::optional<frame>();
    case TG_SPLIT_READY:
      return std::optional(
          frame{.member = found.member, .body = view({found.body, found.body_size}), .size = found.size});
    case TG_SPLIT_TOO_LARGE:
      return error{errc::too_large, fmt::format("a frame of {} bytes is over the limit of {}", found.size, body_max)};
    case TG_SPLIT_MALFORMED: break;
  }
  return error{errc::invalid, "not the native protocol: malformed frame"};
}

result<incoming> decode(const frame& frame) {
  const tg_frame wire = to_wire(frame);
  switch (frame.member) {
    case TG_PING: return decode_ping(wire);
    case TG_CONNECTED: return decode_connected(wire);
    case TG_DONE: return decode_done(wire);
    case TG_ERROR: return decode_error(wire);
    case TG_LISTED: return decode_listed(wire);
    case TG_CONFIRM: return decode_confirm(wire);
    case TG_RETURN: return decode_return(wire);
    case TG_DELIVER: return decode_deliver(wire);
    case TG_GOT: return decode_got(wire);
    case TG_CANCELLED: return decode_cancelled(wire);
    case TG_PRODUCED: return decode_produced(wire);
    case TG_FETCHED: return decode_fetched(wire);
    case TG_OFFSET_LISTED: return decode_offset_listed(wire);
    case TG_OFFSET_FETCHED: return decode_offset_fetched(wire);
    default: return skipped{};
  }
}

}  // namespace tidegate::client::codec
