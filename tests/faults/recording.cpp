#include "tests/faults/recording.hpp"

#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace tidegate::faults {
namespace {

constexpr std::size_t head_bytes = 15;

event::what kind_of(char letter) {
  switch (letter) {
    case 'w': return event::what::write;
    case 's': return event::what::sync;
    case 't': return event::what::size;
    case 'n': return event::what::name;
    case 'm': return event::what::mark;
    default: throw std::runtime_error("a recording holds an event of unknown kind");
  }
}

}  // namespace

recording::recording(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw std::runtime_error("no recording " + file.string());
  content_.assign(std::istreambuf_iterator<char>(stream), {});
  for (std::string_view rest = content_; rest.size() >= head_bytes;) {
    event next;
    next.kind = kind_of(rest[0]);
    next.part = static_cast<store_part>(rest[1]);
    next.synced = rest[2] != 0;
    std::uint32_t length = 0;
    std::memcpy(&next.offset, rest.data() + 3, sizeof next.offset);
    std::memcpy(&length, rest.data() + 11, sizeof length);
    if (rest.size() - head_bytes < length) break;  // the program was killed while it wrote this event
    next.bytes = rest.substr(head_bytes, length);
    events_.push_back(next);
    rest.remove_prefix(head_bytes + length);
  }
}

}  // namespace tidegate::faults
