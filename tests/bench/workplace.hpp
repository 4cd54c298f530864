// For benchmarks: a directory on the disk to be measured, which is removed in the end.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace tidegate::bench {

class workplace {
 public:
  // Throws where it cannot be made. `name` is followed by characters that make it unique.
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
