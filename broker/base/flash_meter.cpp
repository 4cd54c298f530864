#include "broker/base/flash_meter.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>

namespace tidegate {

std::optional<std::uint64_t> write_bytes_in(std::string_view text) {
  constexpr std::string_view name = "\nwrite_bytes: ";
  const auto at = text.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  std::uint64_t bytes = 0;
  const char* const begin = text.data() + at + name.size();
  const auto parsed = std::from_chars(begin, text.data() + text.size(), bytes);
  if (parsed.ec != std::errc() || parsed.ptr == begin) return std::nullopt;
  return bytes;
}

kernel_flash_meter::kernel_flash_meter(const char* path) : file_(::open(path, O_RDONLY | O_CLOEXEC)) {}

kernel_flash_meter::~kernel_flash_meter() {
  if (file_ >= 0) ::close(file_);
}

std::optional<std::uint64_t> kernel_flash_meter::bytes_written() const {
  std::array<char, 512> buffer{};  // the kernel writes seven lines with at most 20 digits each
  const ssize_t size = ::pread(file_, buffer.data(), buffer.size(), 0);
  if (size <= 0) return std::nullopt;
  return write_bytes_in({buffer.data(), static_cast<std::size_t>(size)});
}

}  // namespace tidegate
