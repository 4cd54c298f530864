// Frames of the native protocol: decodes them into the generated structs, and encodes them into an outbox.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "broker/base/error.hpp"
#include "broker/core/events/events.hpp"
#include "broker/model/message.hpp"
#include "firmware/wire/frame.h"
#include "firmware/wire/link.pb.h"

namespace tidegate::native {

inline std::string_view view_of(const tg_bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data), bytes.size};
}
inline tg_bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

tg_Code wire_code(errc code);

// Returns a peer's text in a form that is safe to show or send: at most limits::error_text_bytes of UTF-8 in one line.
// Control characters become '?'. If the text is longer or not UTF-8, so does every byte that is not ASCII.
std::string presentable(std::string_view text);

// Appends one frame. `size_hint` has to be at least the bytes of its text and bytes fields; a smaller one may abort.
void append_frame(std::string& out, tg_member member, const pb_msgdesc_t* fields, const void* message,
                  std::size_t size_hint);

// Appends a Deliver, the one frame that a broker sends by the hundred thousand a second.
void append_deliver(std::string& out, std::uint32_t consumer, const core::delivery_view& delivery);

// Appends a Got with the delivery; `left`: how many messages are ready after it; `place`: its place, if it was peeked.
void append_got(std::string& out, std::uint32_t correlation, std::uint64_t left, const core::delivery_view& delivery,
                std::string_view place = {});

// Appends a Return: the message of publish `id` comes back whole.
void append_return(std::string& out, std::uint64_t id, const message_view& message);

// A PublishMessage. This frame and Settle are decoded by hand, because clients send them by the hundred thousand a
// second; others go through nanopb's descriptors. Views point into the frame's body.
struct publish_frame {
  std::uint64_t id = 0;
  std::uint64_t sequence = 0;
  bool mandatory = false;
  std::uint64_t delay_ms = 0;
  message_view message;
};
// Decodes into `publish`, whose memory for headers is reused. Returns false if the frame is malformed or has more than
// limits::headers_count + 1 headers. One header above the limit decodes, so that check() of the message can name it.
bool decode(const tg_frame& frame, publish_frame& publish);
struct settle_frame {
  std::uint64_t tag = 0;
  bool multiple = false;
  std::uint32_t outcome = 0;  // may be a number that tg_Settle_Outcome does not have: of a later version
};
// Decodes into `settle`. Returns false if the frame is malformed.
bool decode(const tg_frame& frame, settle_frame& settle);
// A Transact. Views point into the frame's body.
struct transact_frame {
  std::uint32_t correlation = 0;
  std::vector<publish_frame> publishes;
  std::vector<settle_frame> settles;
  bool all_routable = false;
};
// Decodes into `transact`. Returns false if the frame is malformed. Ends after limits::transaction_items + 1 items, so
// that the caller can name the limit.
bool decode(const tg_frame& frame, transact_frame& transact);

// A Define. Views point into the frame's body.
struct define_frame {
  std::uint32_t correlation = 0;
  std::vector<std::string_view> exchanges, queues, topics, bindings;  // encoded
  bool only_check = false;
  std::size_t size() const { return exchanges.size() + queues.size() + topics.size() + bindings.size(); }
};
// Decodes into `define`. Returns false if the frame is malformed. Ends after limits::document_items + 1 definitions, so
// that the caller can name the limit.
bool decode(const tg_frame& frame, define_frame& define);

}  // namespace tidegate::native
