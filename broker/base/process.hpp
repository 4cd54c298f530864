// The first steps of a program, so that it does not depend on how it was started.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace tidegate {

// Opens /dev/null for each of descriptors 0, 1 and 2 that is closed, so that no file or socket gets a number to which a
// stray line is written. Reading from 0 and writing to 1 or 2 still fail with EBADF, as on a closed descriptor. Call it
// before any other file is opened.
void occupy_standard_descriptors();

// Ignores these signals from now on, unless a handler is set. A write to a pipe without reader then fails with EPIPE
// instead of ending the process (SIGPIPE), and one beyond the limit of file sizes with EFBIG (SIGXFSZ).
void ignore_signals(std::initializer_list<int> signals);

// Raises the soft limit of open files (RLIMIT_NOFILE) to `wanted`, or to the hard limit if that is lower. Never lowers
// it. Returns the limit in force.
std::uint64_t allow_open_files(std::uint64_t wanted);

}  // namespace tidegate
