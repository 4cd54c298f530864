#include "client/tool/text.hpp"

#include <fmt/format.h>

#include <cstdint>

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

// The range of the second byte is narrower after four of the first bytes: RFC 3629, section 4.
bool fits_second(unsigned char first, unsigned char second) {
  switch (first) {
    case 0xE0: return second >= 0xA0 && second <= 0xBF;
    case 0xED: return second >= 0x80 && second <= 0x9F;
    case 0xF0: return second >= 0x90 && second <= 0xBF;
    case 0xF4: return second >= 0x80 && second <= 0x8F;
    default: return second >= 0x80 && second <= 0xBF;
  }
}

bool is_character(std::string_view bytes) {
  if (bytes.size() > 1 && !fits_second(static_cast<unsigned char>(bytes[0]), static_cast<unsigned char>(bytes[1]))) {
    return false;
  }
  for (std::size_t i = 2; i < bytes.size(); ++i) {
    if ((static_cast<unsigned char>(bytes[i]) & 0xC0) != 0x80) return false;
  }
  return true;
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

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t size = character_bytes(static_cast<unsigned char>(bytes[0]));
    if (size == 0 || size > bytes.size() || !is_character(bytes.substr(0, size))) return false;
    bytes.remove_prefix(size);
  }
  return true;
}

std::string to_base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t given = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = (group << 8) | (j < given ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; ++j) text += j <= given ? digits[(group >> (18 - 6 * j)) & 63] : '=';
  }
  return text;
}

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
