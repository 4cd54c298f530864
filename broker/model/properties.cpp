#include "broker/model/properties.hpp"

#include <fmt/format.h>

#include <charconv>

#include "broker/base/bytes.hpp"
#include "broker/base/limits.hpp"
#include "broker/model/field_table.hpp"

namespace tidegate {
namespace {

constexpr std::uint16_t flag_headers = 1 << 13;
constexpr std::uint16_t flags_not_known = 0b11;  // the lowest bit says that more flags follow: of no known property

error malformed(std::string_view what) {
  return {errc::invalid, fmt::format("the message's properties {}", what), "properties"};
}

// Calls `each` for every property in the order of the layout, with its flag and its place in `all`.
template <class Properties, class Each>
void for_each(Properties& all, const Each& each) {
  each(1 << 15, all.content_type);
  each(1 << 14, all.content_encoding);
  each(flag_headers, all.headers);
  each(1 << 12, all.delivery_mode);
  each(1 << 11, all.priority);
  each(1 << 10, all.correlation_id);
  each(1 << 9, all.reply_to);
  each(1 << 8, all.expiration);
  each(1 << 7, all.message_id);
  each(1 << 6, all.timestamp);
  each(1 << 5, all.type);
  each(1 << 4, all.user_id);
  each(1 << 3, all.app_id);
  each(1 << 2, all.cluster_id);
}

struct value_reader {
  byte_reader& from;
  std::uint16_t flags;

  void operator()(int flag, properties::text& text) const {
    if ((flags & flag) == 0) return;
    text = from.take(flag == flag_headers ? from.be<std::uint32_t>() : from.be<std::uint8_t>());
  }
  template <class Number>
  void operator()(int flag, std::optional<Number>& number) const {
    if ((flags & flag) != 0) number = from.be<Number>();
  }
};

struct value_writer {
  std::string& out;
  std::uint16_t& flags;

  void operator()(int flag, const properties::text& text) const {
    if (!text) return;
    flags = static_cast<std::uint16_t>(flags | flag);
    if (flag == flag_headers) {
      append_be(out, static_cast<std::uint32_t>(text->size()));
    } else {
      TIDEGATE_EXPECT(text->size() <= 255);
      append_be(out, static_cast<std::uint8_t>(text->size()));
    }
    out.append(*text);
  }
  template <class Number>
  void operator()(int flag, const std::optional<Number>& number) const {
    if (!number) return;
    flags = static_cast<std::uint16_t>(flags | flag);
    append_be(out, *number);
  }
};

}  // namespace

result<properties> read_properties(std::string_view encoded) {
  properties read;
  if (encoded.empty()) return read;
  byte_reader reader(encoded);
  const auto flags = reader.be<std::uint16_t>();
  if ((flags & flags_not_known) != 0) return malformed("have flags that are not known");
  for_each(read, value_reader{reader, flags});
  if (reader.failed()) return malformed("are cut off");
  if (!reader.at_end()) return malformed(fmt::format("have {} bytes too many", reader.remaining()));
  if (read.headers) {
    if (const auto checked = check_table("headers", *read.headers); !checked) return checked.error();
  }
  return read;
}

std::string encode(const properties& properties) {
  std::string out(sizeof(std::uint16_t), '\0');
  std::uint16_t flags = 0;
  for_each(properties, value_writer{out, flags});
  if (flags == 0) return {};
  store_be(out.data(), flags);
  return out;
}

result<std::optional<std::chrono::milliseconds>> time_to_live_of(const properties& properties) {
  if (!properties.expiration) return std::optional<std::chrono::milliseconds>();
  const std::string_view text = *properties.expiration;
  std::int64_t ms = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), ms);
  const std::chrono::milliseconds live(ms);
  const bool is_whole = failure == std::errc() && end == text.data() + text.size() && !text.empty();
  if (is_whole && ms >= 0 && live <= limits::time_to_live_max) return std::optional(live);
  return error{errc::precondition,
               fmt::format("expiration '{}' is not a whole number of milliseconds from 0 to {}", text.substr(0, 32),
                           limits::time_to_live_max.count()),
               "expiration"};
}

}  // namespace tidegate
