// A file's bytes, mapped to be read.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

namespace tidegate::store::offline {

class mapped_file {
 public:
  // A file that is not there has no bytes. Throws storage_failure where it cannot be read.
  explicit mapped_file(const std::filesystem::path& path);
  mapped_file(const mapped_file&) = delete;
  mapped_file& operator=(const mapped_file&) = delete;
  ~mapped_file();

  std::string_view bytes() const { return {static_cast<const char*>(bytes_), size_}; }

 private:
  void* bytes_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace tidegate::store::offline
