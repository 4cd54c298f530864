// A file of a store's directory that is set to one crash image after another. Copies only the pages that differ from
// the file's present content, so an image does not cost a copy of the whole file.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "tests/faults/disk.hpp"

namespace tidegate::faults {

class image_file {
 public:
  // Creates the file `name` in `directory`. The caller removes the directory, because a process that opens an image may
  // not live to remove it. `bytes_max`: size of the largest image. Throws std::runtime_error if this fails.
  image_file(std::filesystem::path directory, const char* name, std::size_t bytes_max);
  image_file(const image_file&) = delete;
  image_file& operator=(const image_file&) = delete;
  ~image_file();

  const std::filesystem::path& directory() const { return directory_; }
  // Sets the file to `base` with `pieces` written over it in their order. Throws std::runtime_error if the result is
  // larger than bytes_max.
  void set(std::string_view base, const std::vector<piece>& pieces);
  // The file's present content, mapped.
  char* bytes() { return map_; }

 private:
  void resize(std::size_t size);

  std::filesystem::path directory_;
  std::size_t bytes_max_;
  int file_ = -1;
  char* map_ = nullptr;
};

}  // namespace tidegate::faults
