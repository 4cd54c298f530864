#include "broker/base/settings/file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "broker/base/limits.hpp"

namespace tidegate::settings {
namespace {

using testing::HasSubstr;
using namespace std::string_literals;

class settings_file : public testing::Test {
 protected:
  settings_file() { std::filesystem::create_directories(folder_); }
  ~settings_file() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path holding(std::string_view text) const {
    const auto path = folder_ / "file.toml";
    std::ofstream(path) << text;
    return path;
  }
  std::filesystem::path folder() const { return folder_; }

 private:
  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("tidegate-settings-" + std::to_string(getpid()));
};

std::string complaint(const std::filesystem::path& file) {
  const auto read = read_file(file);
  return read ? "none" : read.error().text;
}

TEST_F(settings_file, is_read_as_it_is) {
  EXPECT_EQ(read_file(holding("a\r\n\xff")).value(), "a\r\n\xff");
  EXPECT_EQ(read_file(holding("")).value(), "");
}

TEST_F(settings_file, that_is_missing_or_a_directory_is_named) {
  EXPECT_EQ(complaint("/nowhere/f.toml"),
            "cannot read the configuration file /nowhere/f.toml: No such file or directory");
  EXPECT_EQ(complaint(folder()), "cannot read the configuration file " + folder().string() + ": is a directory");
}

TEST_F(settings_file, is_read_up_to_its_bound) {
  const auto file = holding(std::string(limits::configuration_bytes, '#'));
  EXPECT_EQ(read_file(file).value().size(), limits::configuration_bytes);
  std::filesystem::resize_file(file, limits::configuration_bytes + 1);
  EXPECT_THAT(complaint(file), HasSubstr("file.toml: is longer than 1048576 bytes"));
  std::filesystem::resize_file(file, 100'000'000);
  EXPECT_THAT(complaint(file), HasSubstr("is longer than 1048576 bytes"));
  EXPECT_THAT(complaint("/dev/zero"), HasSubstr("is longer than 1048576 bytes"));
}

std::string refused(std::string_view text) {
  const auto checked = check_text(text, "f");
  return checked ? "none" : checked.error().text;
}

TEST(settings_text, marks_and_zero_bytes_are_refused) {
  EXPECT_EQ(refused("\xEF\xBB\xBF[box]"),
            "f: line 1: begins with a byte order mark: save the file as UTF-8 without one");
  EXPECT_THAT(refused("\xFF\xFE[\0"s), HasSubstr("byte order mark"));
  EXPECT_THAT(refused("\xFE\xFF\0["s), HasSubstr("byte order mark"));
  EXPECT_THAT(refused("\0\0\xFE\xFF\0\0\0["s), HasSubstr("byte order mark"));
  EXPECT_EQ(refused("[box]\n\0"s), "f: line 2: holds a zero byte: it is no text in UTF-8");
  EXPECT_THAT(refused(std::string(limits::configuration_bytes + 1, ' ')), HasSubstr("is longer than"));
}

TEST(settings_text, dots_count_in_keys_only) {
  const std::string dots(100, '.');
  for (const std::string& text :
       {"# " + dots, "a = \"" + dots + "\"", "a = '" + dots + "'", "a = \"\\\"" + dots + "\"",
        "a = \"\"\"\n\"" + dots + "\n\"\"\"", "a = '''\n" + dots + "'''", "a.b = 1\n" + dots.substr(0, 15),
        "a.b = { c.d = 1, e.f = 2 }"s, "\"" + dots + "\" = 1", ""s}) {
    EXPECT_EQ(refused(text), "none") << text;
  }
  for (const std::string& text :
       {dots + " = 1", "[" + dots + "]", "a = \"x\"\n\"b\"" + dots, "a = '\\'" + dots, "a = \"\"" + dots,
        "a = \"\"\"\"\"\"" + dots, "a = { b = \"\"\"x\"\"\"\"\", c" + dots}) {
    EXPECT_THAT(refused(text), HasSubstr("a key has at most 16 parts")) << text;
  }
}

}  // namespace
}  // namespace tidegate::settings
