#include "broker/model/deaths.hpp"

#include <algorithm>

#include "broker/base/protobuf.hpp"

namespace tidegate {
namespace {

std::string encode(const death& one) {
  std::string out;
  protobuf::append_text(out, 1, one.queue);
  protobuf::append_number(out, 2, static_cast<std::uint64_t>(one.reason));
  protobuf::append_number(out, 3, one.count);
  protobuf::append_number(out, 4, static_cast<std::uint64_t>(one.time_ms));
  protobuf::append_text(out, 5, one.exchange);
  for (const std::string& key : one.routing_keys) protobuf::append_element(out, 6, key);
  if (one.original_expiration) protobuf::append_number(out, 7, *one.original_expiration + 1);
  return out;
}

std::optional<death> decode_death(std::string_view encoded) {
  death one;
  protobuf::field_reader fields(encoded);
  protobuf::field field;
  while (fields.next(field)) {
    switch (field.number) {
      case 1: one.queue = field.text; break;
      case 2: one.reason = static_cast<death_reason>(field.value); break;
      case 3: one.count = field.value; break;
      case 4: one.time_ms = static_cast<std::int64_t>(field.value); break;
      case 5: one.exchange = field.text; break;
      case 6: one.routing_keys.emplace_back(field.text); break;
      case 7: one.original_expiration = field.value - 1; break;
      default: break;
    }
  }
  return fields.failed() ? std::nullopt : std::optional(std::move(one));
}

}  // namespace

std::string_view name(death_reason reason) {
  switch (reason) {
    case death_reason::rejected: return "rejected";
    case death_reason::expired: return "expired";
    case death_reason::maxlen: return "maxlen";
    case death_reason::delivery_limit: return "delivery_limit";
  }
  return "unknown";
}

void deaths::add(death died) {
  if (list.empty()) {
    first_queue = died.queue;
    first_reason = died.reason;
    first_exchange = died.exchange;
  }
  const auto known = std::find_if(
      list.begin(), list.end(), [&](const death& one) { return one.queue == died.queue && one.reason == died.reason; });
  if (known == list.end()) {
    list.insert(list.begin(), std::move(died));
    return;
  }
  ++known->count;
  std::rotate(list.begin(), known, known + 1);
}

bool deaths::is_cycle(std::string_view queue) const {
  for (const death& one : list) {
    if (one.reason == death_reason::rejected) return false;
    if (one.queue == queue) return true;
  }
  return false;
}

std::string encode(const deaths& deaths) {
  std::string out;
  for (const death& one : deaths.list) protobuf::append_element(out, 1, encode(one));
  protobuf::append_text(out, 2, deaths.first_queue);
  protobuf::append_number(out, 3, static_cast<std::uint64_t>(deaths.first_reason));
  protobuf::append_text(out, 4, deaths.first_exchange);
  return out;
}

std::optional<deaths> decode_deaths(std::string_view encoded) {
  deaths read;
  protobuf::field_reader fields(encoded);
  protobuf::field field;
  while (fields.next(field)) {
    switch (field.number) {
      case 1:
        if (auto one = decode_death(field.text)) {
          read.list.push_back(std::move(*one));
        } else {
          return std::nullopt;
        }
        break;
      case 2: read.first_queue = field.text; break;
      case 3: read.first_reason = static_cast<death_reason>(field.value); break;
      case 4: read.first_exchange = field.text; break;
      default: break;
    }
  }
  return fields.failed() ? std::nullopt : std::optional(std::move(read));
}

}  // namespace tidegate
