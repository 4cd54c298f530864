#include "broker/store/offline/mapped_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "broker/base/error.hpp"

namespace tidegate::store::offline {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, int file) {
  const int cause = errno;
  if (file >= 0) ::close(file);
  throw storage_failure(fmt::format("cannot read {}: {}", path.string(), std::strerror(cause)));
}

}  // namespace

mapped_file::mapped_file(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return;
  struct stat told {};
  if (file < 0 || ::fstat(file, &told) != 0) fail(path, file);
  size_ = static_cast<std::size_t>(told.st_size);
  if (size_ > 0) bytes_ = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file, 0);
  if (bytes_ == MAP_FAILED) fail(path, file);
  ::close(file);
}

mapped_file::~mapped_file() {
  if (size_ > 0) ::munmap(bytes_, size_);
}

}  // namespace tidegate::store::offline
