// A file's bytes, mapped for reading.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

namespace tidegate::store::offline {

class mapped_file {
 public:
  // A missing file has no bytes. Throws storage_failure if the file cannot be read.
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
