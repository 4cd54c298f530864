#include "tests/faults/image_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace tidegate::faults {
namespace {

constexpr std::size_t page_bytes = 4096;

// Compares each page before it copies the page: comparing is cheaper than making a page dirty.
void copy_changes(char* to, std::string_view from) {
  for (std::size_t at = 0; at < from.size(); at += page_bytes) {
    const std::size_t size = std::min(page_bytes, from.size() - at);
    if (std::memcmp(to + at, from.data() + at, size) != 0) std::memcpy(to + at, from.data() + at, size);
  }
}

}  // namespace

image_file::image_file(std::filesystem::path directory, const char* name, std::size_t bytes_max)
    : directory_(std::move(directory)), bytes_max_(bytes_max) {
  file_ = ::open((directory_ / name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  resize(bytes_max_);
  void* const map = ::mmap(nullptr, bytes_max_, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
  if (map == MAP_FAILED) throw std::runtime_error("cannot map an image");
  map_ = static_cast<char*>(map);
}

image_file::~image_file() {
  ::munmap(map_, bytes_max_);
  ::close(file_);
}

void image_file::resize(std::size_t size) {
  if (file_ < 0 || ::ftruncate(file_, static_cast<off_t>(size)) != 0) throw std::runtime_error("cannot size an image");
}

void image_file::set(std::string_view base, const std::vector<piece>& pieces) {
  std::size_t size = base.size();
  for (const piece& piece : pieces) size = std::max<std::size_t>(size, piece.write->offset + piece.end);
  if (size > bytes_max_) throw std::runtime_error("an image is larger than the store");
  resize(size);
  copy_changes(map_, base);
  if (size > base.size()) std::memset(map_ + base.size(), 0, size - base.size());
  for (const piece& piece : pieces) {
    std::memcpy(map_ + piece.write->offset + piece.begin, piece.write->bytes.data() + piece.begin,
                piece.end - piece.begin);
  }
}

}  // namespace tidegate::faults
