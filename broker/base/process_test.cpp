#include "broker/base/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

namespace tidegate {
namespace {

// Ends the process with 0, or with the number of the first step that went wrong.
[[noreturn]] void leave(int step) { ::_exit(step); }

TEST(processes, closed_standard_descriptors_are_occupied) {
  const auto start_with_all_closed = [] {
    for (const int number : {0, 1, 2}) ::close(number);
    occupy_standard_descriptors();
    const int file = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (file <= 2) leave(1);
    char byte = 0;
    if (::read(0, &byte, 1) != -1 || errno != EBADF) leave(2);
    if (::write(1, &byte, 1) != -1 || errno != EBADF) leave(3);
    if (::write(2, &byte, 1) != -1 || errno != EBADF) leave(4);
    leave(0);
  };
  EXPECT_EXIT(start_with_all_closed(), testing::ExitedWithCode(0), "");
}

TEST(processes, open_standard_descriptors_stay_what_they_are) {
  const auto start = [] {
    int ends[2];
    if (::pipe(ends) != 0) leave(1);
    ::dup2(ends[1], 2);
    ::close(1);
    occupy_standard_descriptors();
    leave(::write(2, "x", 1) == 1 ? 0 : 2);
  };
  EXPECT_EXIT(start(), testing::ExitedWithCode(0), "");
}

TEST(processes, ignored_signals_become_errors) {
  const auto write_too_much = [] {
    ignore_signals({SIGPIPE, SIGXFSZ});
    int ends[2];
    if (::pipe(ends) != 0) leave(1);
    ::close(ends[0]);
    if (::write(ends[1], "x", 1) != -1 || errno != EPIPE) leave(2);
    const rlimit one_byte{1, 1};
    ::setrlimit(RLIMIT_FSIZE, &one_byte);
    char name[] = "/tmp/tidegate-limit-XXXXXX";
    const int file = ::mkstemp(name);
    ::unlink(name);
    if (::pwrite(file, "x", 1, 1) != -1 || errno != EFBIG) leave(3);
    leave(0);
  };
  EXPECT_EXIT(write_too_much(), testing::ExitedWithCode(0), "");
}

TEST(processes, the_limit_of_open_files_is_raised_as_far_as_it_may_be) {
  const auto raise_limit = [] {
    const rlimit low{50, 100};
    if (::setrlimit(RLIMIT_NOFILE, &low) != 0) leave(1);
    if (allow_open_files(40) != 50) leave(2);
    if (allow_open_files(60) != 60) leave(3);
    if (allow_open_files(1'000) != 100) leave(4);
    rlimit now{};
    ::getrlimit(RLIMIT_NOFILE, &now);
    leave(now.rlim_cur == 100 ? 0 : 5);
  };
  EXPECT_EXIT(raise_limit(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace tidegate
