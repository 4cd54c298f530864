// Work in a child process, for what may not survive it: a store whose pages are damaged can end in a crash.
#pragma once

#include <functional>
#include <string>

namespace tidegate::faults {

struct contained_result {
  bool is_over = false;  // the work came to its end
  std::string text;      // what it returned, or what ended it
};

contained_result run_contained(const std::function<std::string()>& work, unsigned seconds_max);

}  // namespace tidegate::faults
