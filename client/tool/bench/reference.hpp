// Measures the disk without a broker, to judge a broker's figures on a disk that has good and bad days.
#pragma once

#include <cstddef>
#include <string>

namespace tidegate::tool::bench {

struct raw_rate {
  std::size_t bytes_at_a_time = 0;
  double syncs_per_second = 0;
};

// Appends so many bytes at a time to a file in `directory`, each followed by fdatasync, for half a second and at most
// 128 MiB. Removes the file. Throws std::system_error.
raw_rate measure_raw(const std::string& directory, std::size_t bytes_at_a_time);

}  // namespace tidegate::tool::bench
