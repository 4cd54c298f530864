#include "broker/base/flash_meter.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace tidegate {
namespace {

TEST(flash_meter, reads_the_kernels_line) {
  EXPECT_EQ(write_bytes_in("rchar: 1\nwchar: 2\nread_bytes: 3\nwrite_bytes: 4096\ncancelled_write_bytes: 7\n"), 4096u);
  EXPECT_EQ(write_bytes_in("syscw: 0\nwrite_bytes: 18446744073709551615\n"), 18446744073709551615u);
}

TEST(flash_meter, knows_nothing_where_there_is_no_such_line) {
  for (const char* const text : {"", "write_bytes", "cancelled_write_bytes: 5\n", "\nwrite_bytes: \n",
                                 "\nwrite_bytes: many\n", "\nwrite_bytes: 99999999999999999999\n"}) {
    EXPECT_FALSE(write_bytes_in(text)) << text;
  }
  EXPECT_FALSE(kernel_flash_meter("/nowhere/io").bytes_written());
}

TEST(flash_meter, needs_no_descriptor_later) {
  const kernel_flash_meter meter;
  if (!meter.bytes_written()) GTEST_SKIP() << "this kernel does not account for writes";
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto bytes = meter.bytes_written();
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_TRUE(bytes);
}

TEST(flash_meter, never_counts_backwards) {
  const kernel_flash_meter meter;
  const auto first = meter.bytes_written();
  if (!first) GTEST_SKIP() << "this kernel does not account for writes";
  EXPECT_GE(*meter.bytes_written(), *first);
}

}  // namespace
}  // namespace tidegate
