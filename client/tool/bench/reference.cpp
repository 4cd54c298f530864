#include "client/tool/bench/reference.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <system_error>

#include "broker/base/limits.hpp"

namespace tidegate::tool::bench {
namespace {

constexpr std::size_t raw_bytes_max = 128 * limits::mib;
constexpr std::chrono::milliseconds raw_time{500};

// A file whose name is removed as soon as it is open, so that no file is left behind however the tool ends.
class raw_file {
 public:
  explicit raw_file(const std::string& directory) {
    std::string path = directory + "/tidegate-bench-XXXXXX";
    file_ = ::mkstemp(path.data());
    if (file_ < 0) throw std::system_error(errno, std::generic_category(), "cannot write in " + directory);
    ::unlink(path.c_str());
  }
  raw_file(const raw_file&) = delete;
  raw_file& operator=(const raw_file&) = delete;
  ~raw_file() { ::close(file_); }

  void append(const std::string& data) {
    for (std::size_t written = 0; written < data.size();) {
      const ssize_t size = ::write(file_, data.data() + written, data.size() - written);
      if (size < 0) throw std::system_error(errno, std::generic_category(), "cannot write the reference");
      written += static_cast<std::size_t>(size);
    }
    if (::fdatasync(file_) != 0) throw std::system_error(errno, std::generic_category(), "cannot sync the reference");
  }

 private:
  int file_ = -1;
};

}  // namespace

raw_rate measure_raw(const std::string& directory, std::size_t bytes_at_a_time) {
  raw_file file(directory);
  const std::string data(bytes_at_a_time, 'x');
  std::size_t syncs = 0;
  const auto began = std::chrono::steady_clock::now();
  std::chrono::duration<double> elapsed{0};
  do {
    file.append(data);
    ++syncs;
    elapsed = std::chrono::steady_clock::now() - began;
  } while (elapsed < raw_time && syncs * data.size() < raw_bytes_max);
  return {bytes_at_a_time, static_cast<double>(syncs) / elapsed.count()};
}

}  // namespace tidegate::tool::bench
