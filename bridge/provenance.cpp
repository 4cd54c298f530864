#include "bridge/provenance.hpp"

#include <charconv>

namespace tidegate::bridge {
namespace {

const std::string_view* find(const std::vector<header>& headers, std::string_view name) {
  for (const header& header : headers) {
    if (header.name == name) return &header.value;
  }
  return nullptr;
}

template <class Number>
bool parse(const std::string_view* text, Number& value) {
  if (text == nullptr) return false;
  const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), value);
  return failure == std::errc{} && end == text->data() + text->size();
}

}  // namespace

std::optional<provenance> read_provenance(const std::vector<header>& headers) {
  const std::string_view* gateway = find(headers, header_gateway);
  const std::string_view* incarnation = find(headers, header_incarnation);
  const std::string_view* topic = find(headers, header_topic);
  const std::string_view* topic_id = find(headers, header_topic_id);
  if (gateway == nullptr || incarnation == nullptr || topic == nullptr) return std::nullopt;
  provenance from{{std::string(*gateway), std::string(*incarnation), std::string(topic_id == nullptr ? "" : *topic_id)},
                  std::string(*topic)};
  if (!parse(find(headers, header_partition), from.partition)) return std::nullopt;
  if (!parse(find(headers, header_offset), from.offset)) return std::nullopt;
  return from;
}

}  // namespace tidegate::bridge
