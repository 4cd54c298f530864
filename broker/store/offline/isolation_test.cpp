#include "broker/store/offline/isolation.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "broker/store/offline/lived_store.hpp"

namespace tidegate::store::offline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(isolation, lines_come_through) {
  std::vector<std::string> lines;
  const auto outcome = run_isolated(
      [](isolated_end& end) {
        end.send("one");
        end.send(std::string(100'000, 'x'));
      },
      {[&](std::string_view line) { lines.emplace_back(line); }, {}});
  EXPECT_THAT(lines, ElementsAre("one", std::string(100'000, 'x')));
  EXPECT_FALSE(outcome.crashed);
  EXPECT_EQ(outcome.failure, "");
}

TEST(isolation, failures_come_through) {
  const auto outcome = run_isolated([](isolated_end&) { throw storage_failure("no disk"); }, {});
  EXPECT_FALSE(outcome.crashed);
  EXPECT_EQ(outcome.failure, "no disk");
}

TEST(isolation, crash_is_told_with_its_place) {
  std::vector<std::string> lines;
  const auto outcome = run_isolated(
      [](isolated_end& end) {
        end.send("before");
        end.at("row 17", 1, 2);
        ::raise(SIGABRT);
      },
      {[&](std::string_view line) { lines.emplace_back(line); }, {}});
  EXPECT_TRUE(outcome.crashed);
  EXPECT_EQ(outcome.place, "row 17");
  EXPECT_THAT(outcome.failure, HasSubstr("signal 6"));
  EXPECT_THAT(lines, ElementsAre("before"));
}

TEST(isolation, an_end_from_outside_is_no_crash) {
  const auto outcome = run_isolated([](isolated_end&) { ::raise(SIGKILL); }, {});
  EXPECT_FALSE(outcome.crashed);
  EXPECT_THAT(outcome.failure, HasSubstr("signal 9"));
}

TEST(isolation, a_request_to_end_ends_the_work_only) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    const auto outcome = run_isolated(
        [](isolated_end& end) {
          end.send("here");
          ::pause();
        },
        {[&](std::string_view) { ::raise(signal); }, {}});
    EXPECT_FALSE(outcome.crashed);
    EXPECT_EQ(outcome.failure, "interrupted");
  }
}

class forward final : public inspection_listener {
 public:
  explicit forward(isolated_end& end) : end_(end) {}
  void at(std::string_view place, std::uint64_t done, std::uint64_t total) override { end_.at(place, done, total); }
  void found(const finding& finding) override { end_.send(finding.what); }

 private:
  isolated_end& end_;
};

// Overwrites pages with random bytes. Whatever LMDB does then, this process survives and damage is reported.
TEST(isolation, wild_pages_are_survived) {
  int damaged = 0;
  for (std::uint32_t seed = 1; seed <= 40; ++seed) {
    lived_store store(seed % 4);
    store.live(10);
    store.store().kill();
    {
      std::mt19937 random(seed);
      std::fstream file(store.path() / store_file, std::ios::in | std::ios::out | std::ios::binary);
      for (int page = 0; page < 6; ++page) {
        file.seekp(static_cast<std::streamoff>(4096 * (2 + random() % 60)));
        for (int i = 0; i < 16; ++i) file.put(static_cast<char>(random()));
      }
    }
    int lines = 0;
    const auto outcome = run_isolated(
        [&](isolated_end& end) {
          ::close(STDERR_FILENO);  // discards a sanitizer's report of the crash
          offline_store opened(store.path());
          forward listener(end);
          inspect(opened, &listener);
        },
        {[&](std::string_view) { ++lines; }, {}});
    damaged += lines > 0 || !outcome.failure.empty() ? 1 : 0;
  }
  EXPECT_GT(damaged, 20);
}

}  // namespace
}  // namespace tidegate::store::offline
