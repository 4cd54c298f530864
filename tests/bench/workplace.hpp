// A directory for a benchmark, on the disk to be measured. The destructor removes it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace tidegate::bench {

class workplace {
 public:
  // Makes a directory in `base`, named `name` and characters that make the name unique. Throws std::runtime_error if it
  // cannot be made.
  workplace(const std::filesystem::path& base, const std::string& name) {
    std::string made = (std::filesystem::absolute(base) / (name + "-XXXXXX")).string();
    if (::mkdtemp(made.data()) == nullptr) throw std::runtime_error("cannot make " + made);
    path_ = made;
  }
  workplace(const workplace&) = delete;
  workplace& operator=(const workplace&) = delete;
  ~workplace() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace tidegate::bench
