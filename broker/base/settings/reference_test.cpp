#include "broker/base/settings/reference.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/base/settings/example_check.hpp"
#include "broker/base/settings/test_schema.hpp"

namespace tidegate::settings {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

TEST(reference, has_a_table_of_keys_for_each_table) {
  const std::string text = reference(test_tables);
  EXPECT_THAT(text, StartsWith("### `[box]`\n\nWhere things are.\n\n| key | takes | default | meaning |\n|---|---|---|"
                               "---|\n| `path` | text | `\"/var\"` | the directory |\n"));
  EXPECT_THAT(text, HasSubstr("\n\n### `[[item]]`\n\n| key | takes"));
}

TEST(reference, says_what_each_kind_takes) {
  const std::string text = reference(test_tables);
  for (const char* const row :
       {"| `token` | text | none | a secret |", "| `mode` | slow or fast | `\"slow\"` | slow \\| fast |",
        "| `checked` | true or false | `false` |", "| `count` | whole number from 1 to 10 | `3` |",
        "| `anything` | whole number | none |", "| `bytes_max` | bytes from 1K to 1G, or 0 | `\"1M\"` |",
        "| `age` | time from 0ms to 10d | `\"7d\"` |", "| `wait` | time from 0ms to 10s | `\"0ms\"` |",
        "| `groups` | list of texts of at most 2 | none |", "| `properties` | table of texts | none |",
        "| `name` | text | must be given | its name |", "| `size` | bytes of 1 or more | none | of each |"}) {
    EXPECT_THAT(text, HasSubstr(std::string("\n") + row)) << row;
  }
}

constexpr std::string_view example = R"(# A sentence with a key = and [box] in it.
[box]  # the box
path = "/var"   # the directory
token = "any"
mode = "slow"
checked = false
count = 3
anything = 77
bytes_max = "1M"
age = "7d"
wait = "0ms"
groups = ["a#b"]  # more
# properties = { }

# [[item]]
# name = "one"
# size = 3
)";

std::string with(std::string_view from, std::string_view to) {
  std::string text(example);
  return text.replace(text.find(from), from.size(), to);
}

TEST(example_check, a_whole_example_is_good) { EXPECT_THAT(not_shown(test_tables, example), IsEmpty()); }

TEST(example_check, finds_what_is_missing_or_has_another_default) {
  EXPECT_THAT(not_shown(test_tables, with("count = 3\n", "")), ElementsAre("[box] count is not shown"));
  EXPECT_THAT(not_shown(test_tables, with("# size = 3\n", "")), ElementsAre("[[item]] size is not shown"));
  EXPECT_THAT(not_shown(test_tables, with("\"7d\"", "\"8d\"")),
              ElementsAre("[box] age = \"8d\": its default is \"7d\""));
  EXPECT_THAT(not_shown(test_tables, with("wait", "wart")),
              ElementsAre("[box] wart is not known", "[box] wait is not shown"));
}

}  // namespace
}  // namespace tidegate::settings
