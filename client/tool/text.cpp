#include "client/tool/text.hpp"

#include <fmt/format.h>

#include <cstdint>

#include "broker/model/definitions.hpp"
#include "broker/model/table_json.hpp"

namespace tidegate::tool {
namespace {

// Returns the number of bytes of a character, by its first byte; 0 = no character starts with this byte.
std::size_t character_bytes(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return 2;
  if (first >= 0xE0 && first <= 0xEF) return 3;
  if (first >= 0xF0 && first <= 0xF4) return 4;
  return 0;
}

// C0, DEL, and the C1 controls U+0080 to U+009F, which take two bytes.
bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 2) return first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;
  return first < 0x20 || first == 0x7F;
}

void add_visibly(std::string& line, std::string_view character) {
  if (character == "\n") {
    line += "\\n";
  } else if (character == "\t") {
    line += "\\t";
  } else if (is_control(character)) {
    for (const char byte : character) line += fmt::format("\\x{:02X}", static_cast<unsigned char>(byte));
  } else {
    line += character;
  }
}

}  // namespace

std::string to_line(std::string_view bytes) {
  if (!is_utf8(bytes)) return fmt::format("({} bytes, base64) {}", bytes.size(), to_base64(bytes));
  std::string line;
  while (!bytes.empty()) {
    const std::size_t size = character_bytes(static_cast<unsigned char>(bytes[0]));
    add_visibly(line, bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
  return line;
}

}  // namespace tidegate::tool
