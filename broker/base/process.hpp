// What a program does first, so that it does not depend on how it was started.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace tidegate {

// Where descriptors 0, 1 or 2 are closed, opens /dev/null in their place, so that no file or socket becomes what a
// stray line is written to. Reading and writing there fail, as on a closed one.
void occupy_standard_descriptors();

// From now on these signals do nothing, unless a handler is set. A write to a pipe without reader then fails with EPIPE
// instead of ending the process (SIGPIPE), one beyond the limit of file sizes with EFBIG (SIGXFSZ).
void ignore_signals(std::initializer_list<int> signals);

// Raises the limit of open files (RLIMIT_NOFILE) to `wanted`, or as far as this process may. Returns the limit.
std::uint64_t allow_open_files(std::uint64_t wanted);

}  // namespace tidegate
