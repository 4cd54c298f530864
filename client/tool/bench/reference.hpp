// Measures the disk without a broker, to judge the broker's figures on a disk whose speed changes from day to day.
#pragma once

#include <cstddef>
#include <string>

namespace tidegate::tool::bench {

struct raw_rate {
  std::size_t bytes_at_a_time = 0;
  double syncs_per_second = 0;
};

// Appends `bytes_at_a_time` bytes to a file in `directory` and calls fdatasync, again and again for half a second, at
// most 128 MiB. The file is removed. Throws std::system_error.
raw_rate measure_raw(const std::string& directory, std::size_t bytes_at_a_time);

}  // namespace tidegate::tool::bench
