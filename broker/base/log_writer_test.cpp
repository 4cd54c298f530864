// Tests the log's writer on pipes and files that misbehave. None of these tests asserts a time: a call that must not
// wait would wait for ever if it were wrong.
#include "broker/base/log_writer.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "broker/base/error.hpp"
#include "broker/base/limits.hpp"
#include "broker/base/process.hpp"

namespace tidegate::log {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

const std::string stamp = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z ";

std::size_t occurrences(std::string_view of, std::string_view in) {
  std::size_t count = 0;
  for (auto at = in.find(of); at != in.npos; at = in.find(of, at + 1)) ++count;
  return count;
}

class writers : public testing::Test {
 protected:
  writers() {
    ignore_signals({SIGPIPE});
    EXPECT_EQ(::pipe2(ends_, O_CLOEXEC), 0);
  }
  ~writers() override {
    close_reader();
    ::close(ends_[1]);
  }
  void close_reader() {
    if (ends_[0] >= 0) ::close(ends_[0]);
    ends_[0] = -1;
  }
  // Returns what can be read until nothing comes for a while, or until `until` has come.
  std::string read(std::string_view until = {}) {
    std::string all;
    std::array<char, 4'096> buffer;
    pollfd waiting{ends_[0], POLLIN, 0};
    while (::poll(&waiting, 1, until.empty() ? 100 : 10'000) > 0) {
      const ssize_t size = ::read(ends_[0], buffer.data(), buffer.size());
      if (size <= 0) break;
      all.append(buffer.data(), static_cast<std::size_t>(size));
      if (!until.empty() && all.find(until) != all.npos) break;
    }
    return all;
  }
  // Fills the pipe until not even a short line fits it.
  void fill_pipe() const {
    const int flags = ::fcntl(ends_[1], F_GETFL);
    ::fcntl(ends_[1], F_SETFL, flags | O_NONBLOCK);
    while (::write(ends_[1], ".", 1) == 1) {
    }
    ::fcntl(ends_[1], F_SETFL, flags);
  }
  // Writes more lines, all different, than the pipe and the writer's memory hold. The writer's thread is blocked in the
  // first line when the others come, so there is exactly one gap, however busy the machine is.
  void overflow(writer& writer) {
    fill_pipe();
    writer.put(level::info, "line 0 x");
    EXPECT_FALSE(writer.flush());
    const std::string filling(1'000, 'x');
    for (int i = 1; i < lines; ++i) writer.put(level::info, fmt::format("line {} {}", i, filling));
  }
  static constexpr int lines = 1'000;

  int ends_[2] = {-1, -1};
};

TEST_F(writers, lines_have_the_time_and_the_level) {
  {
    writer writer(ends_[1]);
    writer.put(level::info, "as it is");
    writer.put(level::warning, "careful");
    writer.put_plain("program: the end");
    EXPECT_TRUE(writer.flush());
  }
  EXPECT_THAT(read(), MatchesRegex(stamp + "info    as it is\n" + stamp + "warning careful\n" + "program: the end\n"));
}

TEST_F(writers, the_free_functions_go_through_the_one_that_lives) {
  {
    const writer writer(ends_[1]);
    log::warning("number {}", 7);
    log::debug("not this one");
    log::say("last");
  }
  EXPECT_THAT(read(), MatchesRegex(stamp + "warning number 7\nlast\n"));
  EXPECT_EQ(writer::active(), nullptr);
}

TEST_F(writers, repeats_are_counted_at_the_end) {
  {
    writer writer(ends_[1]);
    for (int i = 0; i < 100; ++i) writer.put(level::warning, "again");
  }
  EXPECT_THAT(read(),
              MatchesRegex(stamp + "warning again\n" + stamp + "warning again \\(repeated 99 times in [0-9]+ s\\)\n"));
}

TEST_F(writers, a_reader_that_does_not_read_costs_lines_and_never_time) {
  writer writer(ends_[1]);
  overflow(writer);
  EXPECT_FALSE(writer.flush());
  const std::string got = read("dropped");
  EXPECT_THAT(got, HasSubstr("line 0 x"));
  const auto kept = static_cast<int>(occurrences(" line ", got));
  EXPECT_GT(kept, 64);
  EXPECT_LT(kept, lines);
  // The count follows the last line before the gap.
  EXPECT_THAT(got + read(), ContainsRegex(fmt::format("line {} x+\n{}warning {} lines were dropped here: standard "
                                                      "error was blocked, full or closed\n$",
                                                      kept - 1, stamp, lines - kept)));
  writer.put(level::info, "goes on");
  EXPECT_THAT(read("goes on\n"), MatchesRegex(stamp + "info    goes on\n"));
}

TEST_F(writers, an_end_does_not_wait_for_a_reader_that_does_not_read) {
  const int kept_open = ::dup(ends_[1]);  // for the thread that is left behind
  {
    writer writer(kept_open);
    overflow(writer);
    writer.put_plain("last words");
  }
  EXPECT_THAT(read("line 1 x"), HasSubstr("line 0 x"));
}

TEST_F(writers, a_reader_that_is_gone_is_survived) {
  writer writer(ends_[1]);
  close_reader();
  for (int i = 0; i < 10; ++i) writer.put(level::info, "line " + std::to_string(i));
  EXPECT_TRUE(writer.flush());
}

TEST_F(writers, a_closed_descriptor_is_survived) {
  writer writer(-1);
  writer.put(level::info, "line");
  EXPECT_TRUE(writer.flush());
}

TEST_F(writers, a_full_disk_is_survived) {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  {
    writer writer(full);
    for (int i = 0; i < 10; ++i) {
      writer.put(level::info, "line " + std::to_string(i));
      EXPECT_TRUE(writer.flush());
    }
    // From here on there is room again.
    ASSERT_EQ(::dup2(ends_[1], full), full);
    writer.put(level::info, "line 10");
  }
  ::close(full);
  EXPECT_THAT(read(), MatchesRegex(stamp + "warning 10 lines were dropped here: .*\n" + stamp + "info    line 10\n"));
}

TEST_F(writers, somebody_elses_non_blocking_is_waited_for_as_a_blocking_end_is) {
  ASSERT_EQ(::fcntl(ends_[1], F_SETFL, O_NONBLOCK), 0);
  const std::string filling(1'000, 'x');
  {
    writer writer(ends_[1]);
    for (int i = 0; i < 100; ++i) writer.put(level::info, fmt::format("line {} {}", i, filling));
    EXPECT_FALSE(writer.flush());
    EXPECT_EQ(occurrences(" line ", read("line 99 ")), 100u);
  }
  EXPECT_THAT(read(), Not(HasSubstr("dropped")));
}

TEST_F(writers, a_broken_expectation_is_written_before_the_end) {
  const auto expect_too_much = [] {
    const writer writer(STDERR_FILENO);
    log::info("the line before");
    TIDEGATE_EXPECT(1 + 1 == 3);
  };
  EXPECT_DEATH(expect_too_much(), "the line before\ntidegate: broken expectation: 1 \\+ 1 == 3");
}

TEST_F(writers, an_endless_line_is_cut) {
  {
    writer writer(ends_[1]);
    writer.put(level::info, std::string(limits::mib, 'x'));
  }
  const std::string got = read();
  EXPECT_GT(got.size(), limits::log_line_bytes);
  EXPECT_LT(got.size(), limits::log_line_bytes + 64);
}

}  // namespace
}  // namespace tidegate::log
