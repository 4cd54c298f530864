#include "broker/base/crc32c.hpp"

#include <array>
#include <cstring>

#if defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#endif

// Written by hand because Debian 12 has no library that offers CRC-32C to C++, and Boost.CRC's table form runs at a
// tenth of the speed of the processor's instruction. The speed matters: every batch that leaves the store is checked.
namespace tidegate {
namespace {

constexpr std::uint32_t polynomial_reflected = 0x82F63B78;

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? polynomial_reflected : 0);
    table[i] = value;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> table = make_table();

#if defined(__x86_64__)
bool has_instruction() { return __builtin_cpu_supports("sse4.2") != 0; }

[[gnu::target("sse4.2")]] std::uint32_t by_instruction(std::string_view data, std::uint32_t state) {
  std::uint64_t wide = state;
  while (data.size() >= 8) {
    std::uint64_t word;
    std::memcpy(&word, data.data(), 8);
    wide = __builtin_ia32_crc32di(wide, word);
    data.remove_prefix(8);
  }
  state = static_cast<std::uint32_t>(wide);
  for (const char byte : data) state = __builtin_ia32_crc32qi(state, static_cast<std::uint8_t>(byte));
  return state;
}
#elif defined(__aarch64__)
bool has_instruction() { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }

[[gnu::target("+crc")]] std::uint32_t by_instruction(std::string_view data, std::uint32_t state) {
  while (data.size() >= 8) {
    std::uint64_t word;
    std::memcpy(&word, data.data(), 8);
    state = __crc32cd(state, word);
    data.remove_prefix(8);
  }
  for (const char byte : data) state = __crc32cb(state, static_cast<std::uint8_t>(byte));
  return state;
}
#else
bool has_instruction() { return false; }
std::uint32_t by_instruction(std::string_view, std::uint32_t state) { return state; }
#endif

}  // namespace

std::uint32_t detail::crc32c_portable(std::string_view data, std::uint32_t before) {
  std::uint32_t state = ~before;
  for (const char byte : data) state = (state >> 8) ^ table[(state ^ static_cast<std::uint8_t>(byte)) & 0xFF];
  return ~state;
}

std::uint32_t crc32c(std::string_view data, std::uint32_t before) {
  static const bool by_processor = has_instruction();
  return by_processor ? ~by_instruction(data, ~before) : detail::crc32c_portable(data, before);
}

}  // namespace tidegate
