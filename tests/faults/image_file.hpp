// A file of a store's directory that is set to one crash image after the other. Only pages that differ from the last
// one are copied, so an image costs no copy of the file.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "tests/faults/disk.hpp"

namespace tidegate::faults {

class image_file {
 public:
  // In this directory, which is someone else's to remove: a process with an image may not survive it. `bytes_max`: of
  // any image.
  image_file(std::filesystem::path directory, const char* name, std::size_t bytes_max);
  image_file(const image_file&) = delete;
  image_file& operator=(const image_file&) = delete;
  ~image_file();

  const std::filesystem::path& directory() const { return directory_; }
  void set(std::string_view base, const std::vector<piece>& pieces);
  // The file as it is now.
  char* bytes() { return map_; }

 private:
  void resize(std::size_t size);

  std::filesystem::path directory_;
  std::size_t bytes_max_;
  int file_ = -1;
  char* map_ = nullptr;
};

}  // namespace tidegate::faults
