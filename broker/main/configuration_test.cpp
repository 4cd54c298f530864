#include "broker/main/configuration.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "broker/base/settings/example_check.hpp"
#include "broker/base/settings/reference.hpp"
#include "broker/main/known_settings.hpp"
#include "broker/model/table_json.hpp"

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

configuration good(std::string_view text) {
  const auto parsed = parse_configuration(text, "test.toml");
  if (!parsed) throw std::runtime_error(parsed.error().text);
  return *parsed;
}

std::string complaint(std::string_view text) {
  const auto parsed = parse_configuration(text, "test.toml");
  return parsed ? "none" : parsed.error().text;
}

void expect_equal(const configuration& a, const configuration& b) {
  EXPECT_EQ(a.store.directory, b.store.directory);
  EXPECT_EQ(a.store.bytes_max, b.store.bytes_max);
  EXPECT_EQ(a.store.writer.journal_bytes_max, b.store.writer.journal_bytes_max);
  EXPECT_EQ(a.store.memory_bytes_max, b.store.memory_bytes_max);
  EXPECT_EQ(a.core.retention_bytes_default, b.core.retention_bytes_default);
  EXPECT_EQ(a.core.group_bytes_max, b.core.group_bytes_max);
  EXPECT_EQ(a.core.commit.profile, b.core.commit.profile);
  EXPECT_EQ(a.core.commit.linger, b.core.commit.linger);
  EXPECT_EQ(a.core.commit.linger_max, b.core.commit.linger_max);
  EXPECT_EQ(a.core.commit.per_second_max, b.core.commit.per_second_max);
  EXPECT_EQ(a.core.commit.budget_bytes_per_day, b.core.commit.budget_bytes_per_day);
  EXPECT_EQ(a.native.gateway, b.native.gateway);
  EXPECT_EQ(a.native.token, b.native.token);
  EXPECT_EQ(a.native.device_exchange, b.native.device_exchange);
  EXPECT_EQ(a.native.heartbeat, b.native.heartbeat);
  EXPECT_EQ(a.native_listen, b.native_listen);
  EXPECT_EQ(a.native_connections_max, b.native_connections_max);
  EXPECT_EQ(a.store.sets_damaged_aside, b.store.sets_damaged_aside);
  EXPECT_EQ(a.clock_trust, b.clock_trust);
  EXPECT_EQ(a.log_level, b.log_level);
  EXPECT_EQ(a.exchanges.size(), b.exchanges.size());
  EXPECT_EQ(a.queues.size(), b.queues.size());
  EXPECT_EQ(a.topics.size(), b.topics.size());
  EXPECT_EQ(a.bindings.size(), b.bindings.size());
}

TEST(configuration, an_empty_file_is_all_defaults) {
  const auto all = good("");
  EXPECT_EQ(all.store.directory, "/var/lib/tidegate");
  EXPECT_EQ(all.store.bytes_max, 1ull << 30);
  EXPECT_EQ(all.native.heartbeat, limits::heartbeat);
  EXPECT_EQ(all.native_connections_max, limits::connections);
}

std::string text_of(const char* file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}
std::string example() { return text_of(TIDEGATE_EXAMPLE_CONFIGURATION); }

TEST(configuration, the_example_states_every_default) {
  ASSERT_FALSE(example().empty());
  expect_equal(good(example()), good(""));
  EXPECT_THAT(settings::not_shown(known_settings(), example()), IsEmpty());
}

// After a change of known_settings.cpp, put the output of `tidegate-broker --print-settings` into that file.
TEST(configuration, the_reference_is_of_this_version) {
  if (sizeof(void*) == 4) GTEST_SKIP() << "the bounds in the reference are those of 64-bit systems";
  EXPECT_THAT(text_of(TIDEGATE_CONFIGURATION_REFERENCE), HasSubstr(settings::reference(known_settings())));
}

TEST(configuration, the_examples_definitions_are_good_when_they_are_uncommented) {
  std::string text, line;
  std::stringstream lines(example());
  bool definitions = false;
  while (std::getline(lines, line)) {
    definitions |= line.starts_with("# [[");
    text += (definitions && line.starts_with("# ") ? line.substr(2) : line) + "\n";
  }
  const auto all = good(text);
  EXPECT_THAT(all.exchanges, SizeIs(1));
  EXPECT_THAT(all.queues, SizeIs(1));
  EXPECT_THAT(all.topics, SizeIs(1));
  EXPECT_THAT(all.bindings, SizeIs(4));
}

TEST(configuration, every_key_arrives) {
  const auto all = good(R"(
[gateway]
id = "g"
[store]
path = "/p"
bytes_max = "2G"
journal_bytes_max = "16M"
retention_bytes_default = 2097152
memory_bytes_max = "5M"
on_damage = "set-aside"
[clock]
trusted = "never"
[native]
listen = "[::1]:1"
token = "t"
device_exchange = "x"
heartbeat_seconds = 5
connections_max = 7
[log]
level = "warning"
)");
  EXPECT_EQ(all.native.gateway, "g");
  EXPECT_EQ(all.store.directory, "/p");
  EXPECT_EQ(all.store.bytes_max, 2ull << 30);
  EXPECT_EQ(all.store.writer.journal_bytes_max, 16u << 20);
  EXPECT_EQ(all.core.retention_bytes_default, 2u << 20);
  EXPECT_EQ(all.store.memory_bytes_max, 5u << 20);
  EXPECT_TRUE(all.store.sets_damaged_aside);
  EXPECT_EQ(all.clock_trust, wall_trust::never);
  EXPECT_EQ(all.native_listen, "[::1]:1");
  EXPECT_EQ(all.native.token, "t");
  EXPECT_EQ(all.native.device_exchange, "x");
  EXPECT_EQ(all.native.heartbeat, std::chrono::seconds(5));
  EXPECT_EQ(all.native_connections_max, 7u);
  EXPECT_EQ(all.log_level, log::level::warning);
}

TEST(configuration, every_key_of_the_definitions_arrives) {
  const auto all = good(R"(
[[exchange]]
name = "x"
type = "fanout"
internal = true
alternate = "rest"
[[queue]]
name = "q"
durability = "interval:500"
messages_max = 1000
bytes_max = "2M"
overflow = "reject"
single_active = true
[[topic]]
name = "t"
partitions = 3
retention_bytes = "5M"
retention_age = "2h"
retention_records = 9
overflow = "reject"
protect = ["a", "b"]
durability = "memory"
[[binding]]
exchange = "x"
queue = "q"
[[binding]]
exchange = "x"
topic = "t"
routing_key = "k"
[[binding]]
exchange = "x"
target_exchange = "y"
headers = { "level" = "high" }
match = "any"
)");
  ASSERT_THAT(all.exchanges, SizeIs(1));
  EXPECT_EQ(all.exchanges[0].type, exchange_type::fanout);
  ASSERT_THAT(all.queues, SizeIs(1));
  EXPECT_EQ(all.queues[0].name, "q");
  EXPECT_EQ(all.queues[0].durability, durability::every(milliseconds(500)));
  EXPECT_EQ(all.queues[0].messages_max, 1'000u);
  EXPECT_EQ(all.queues[0].bytes_max, 2u << 20);
  EXPECT_EQ(all.queues[0].overflow, overflow::reject);
  EXPECT_EQ(all.queues[0].single_active, true);
  ASSERT_THAT(all.topics, SizeIs(1));
  EXPECT_EQ(all.topics[0].partitions, 3u);
  EXPECT_EQ(all.topics[0].retention_bytes, 5u << 20);
  EXPECT_EQ(all.topics[0].retention_age, std::chrono::hours(2));
  EXPECT_EQ(all.topics[0].retention_records, 9u);
  EXPECT_EQ(all.topics[0].overflow, overflow::reject);
  EXPECT_THAT(all.topics[0].protect, ElementsAre("a", "b"));
  EXPECT_EQ(all.topics[0].durability, durability::memory());
  EXPECT_EQ(all.exchanges[0].internal, true);
  EXPECT_EQ(all.exchanges[0].alternate, "rest");
  ASSERT_THAT(all.bindings, SizeIs(3));
  EXPECT_EQ(all.bindings[2].kind, target_kind::exchange);
  EXPECT_EQ(all.bindings[2].target, "y");
  EXPECT_EQ(to_json(all.bindings[2].arguments), R"({"level":"high","x-match":"any"})");
  EXPECT_EQ(all.bindings[0], (binding_definition{"x", target_kind::queue, "q", ""}));
  EXPECT_EQ(all.bindings[1], (binding_definition{"x", target_kind::topic, "t", "k"}));
}

TEST(configuration, every_key_of_the_pace_arrives) {
  const auto all = good(R"(
[commit]
profile = "default"
linger = "5ms"
linger_max = "2s"
bytes = "256K"
per_second_max = 50
[flash]
budget_bytes_per_day = "10G"
)");
  EXPECT_EQ(all.core.commit.profile, "default");
  EXPECT_EQ(all.core.commit.linger, milliseconds(5));
  EXPECT_EQ(all.core.commit.linger_max, milliseconds(2'000));
  EXPECT_EQ(all.core.group_bytes_max, 256u << 10);
  EXPECT_EQ(all.core.commit.per_second_max, 50u);
  EXPECT_EQ(all.core.commit.budget_bytes_per_day, 10ull << 30);
}

TEST(configuration, unknown_keys_are_named_with_their_line) {
  EXPECT_THAT(complaint("[store]\npath = \"/p\"\nspeed = 3\n"),
              HasSubstr("test.toml: line 3: unknown key 'speed' in [store]: it takes path, bytes_max,"));
  EXPECT_THAT(complaint("[store]\nbytes_mx = 3\n"),
              HasSubstr("line 2: unknown key 'bytes_mx' in [store]: did you mean 'bytes_max'?"));
  EXPECT_THAT(complaint("\n[shop]\n"), HasSubstr("line 2: unknown table [shop]"));
  EXPECT_THAT(complaint("[[queue]]\nname = \"q\"\ndurable = true\n"),
              HasSubstr("line 3: unknown key 'durable' in [[queue]]"));
  EXPECT_THAT(complaint("[store\n"), HasSubstr("test.toml: line 1: "));
}

struct mistake {
  const char* text;
  const char* complaint;
};

constexpr mistake mistakes[] = {
    {"store = 3", "write [store]"},
    {"[store]\npath = 3", "line 2: store.path: takes a text"},
    {"[store]\nbytes_max = \"63M\"", "line 2: store.bytes_max: takes bytes from"},
    {"[store]\nbytes_max = -1", "store.bytes_max: takes bytes from 64M to"},
    {"[store]\nbytes_max = \"64\"", "store.bytes_max: takes bytes"},
    {"[store]\nbytes_max = \"\"", "store.bytes_max: takes bytes"},
    {"[store]\nbytes_max = \"99999999999G\"", "store.bytes_max: takes bytes"},
    {"[store]\njournal_bytes_max = \"1K\"", "store.journal_bytes_max"},
    {"[store]\nbytes_max = \"64M\"\njournal_bytes_max = \"17M\"",
     "line 3: store.journal_bytes_max: takes at most a quarter of store.bytes_max, which is 16M; found 17M"},
    {"[store]\nbytes_max = \"64M\"\nretention_bytes_default = \"17M\"",
     "line 3: store.retention_bytes_default: takes at"},
    {"[commit]\nprofile = \"nvme\"", "line 2: commit.profile: takes default or sd-card"},
    {"[commit]\nprofile = 1", "commit.profile: takes default or sd-card, in quotes; found 1"},
    {"[commit]\nlinger = -1", "line 2: commit.linger: takes a time from 0ms to 10s"},
    {"[commit]\nlinger = \"11s\"", "commit.linger: takes a time from 0ms to 10s"},
    {"[commit]\nlinger = \"5m\"", "commit.linger: takes a time from 0ms to 10s"},
    {"[commit]\nlinger = \"ms\"", "commit.linger: takes a time from 0ms to 10s"},
    {"[commit]\nlinger_max = 0", "commit.linger_max: takes a time from 1ms to 10s"},
    {"[commit]\nlinger = 50\nlinger_max = 20", "line 3: commit.linger_max: takes no less than commit.linger"},
    {"[commit]\nbytes = \"15K\"", "commit.bytes: takes bytes from 16K to 1M"},
    {"[commit]\nbytes = \"2M\"", "commit.bytes: takes bytes from 16K to 1M"},
    {"[commit]\nper_second_max = 1001", "commit.per_second_max: takes a whole number from 0 to 1000"},
    {"[commit]\nspeed = 1", "unknown key 'speed' in [commit]"},
    {"[flash]\nbudget_bytes_per_day = \"1K\"", "flash.budget_bytes_per_day: takes bytes from 1M"},
    {"[flash]\nbudget_bytes_per_day = -1", "flash.budget_bytes_per_day"},
    {"[store]\nmemory_bytes_max = \"3M\"", "line 2: store.memory_bytes_max: takes bytes from 4M"},
    {"[store]\nmemory_bytes_max = -1", "store.memory_bytes_max"},
    {"[[queue]]\nname = \"q\"\ndurability = \"interval:0\"", "queue.durability: durability 'interval:0'"},
    {"[[topic]]\nname = \"t\"\ndurability = \"interval:3600001\"", "line 3: topic.durability"},
    {"[[topic]]\nname = \"t\"\ndurability = 5", "topic.durability: takes a text"},
    {"[gateway]\nid = \"\"", "gateway.id"},
    {"[native]\nlisten = \"here\"", "native.listen: address 'here'"},
    {"[native]\nheartbeat_seconds = 0", "native.heartbeat_seconds: takes a whole number from 1 to 3600"},
    {"[native]\nheartbeat_seconds = 1.5", "native.heartbeat_seconds"},
    {"[native]\nconnections_max = 0", "native.connections_max"},
    {"[log]\nlevel = \"loud\"", "log.level: takes debug"},
    {"[[exchange]]\ntype = \"fanout\"", "exchange.name: is missing"},
    {"[[exchange]]\nname = \"x\"\ntype = \"any\"", "line 3: exchange.type"},
    {"[[queue]]", "queue.name: is missing"},
    {"[queue]\nname = \"q\"", "write [[queue]]"},
    {"queue = [3]", "write [[queue]]"},
    {"[[topic]]\nname = \"a b\"", "topic.name"},
    {"[[topic]]", "topic.name: is missing"},
    {"[[topic]]\nname = \"t\"\nprotect = [\"\"]", "line 3: topic.protect: takes 1 to 249 bytes"},
    {"[[queue]]\nname = \"\"", "line 2: queue.name: takes 1 to 249 bytes"},
    {"[[queue]]\nname = \"q\"\noverflow = \"grow\"",
     "line 3: queue.overflow: takes drop-oldest, reject or reject-dead-letter"},
    {"[[topic]]\nname = \"t\"\npartitions = 1001", "topic.partitions"},
    {"[[topic]]\nname = \"t\"\nretention_bytes = \"1K\"", "topic.retention_bytes"},
    {"[[topic]]\nname = \"t\"\nretention_age = \"1 week\"", "topic.retention_age"},
    {"[[topic]]\nname = \"t\"\nretention_age = 3", "topic.retention_age"},
    {"[[topic]]\nname = \"t\"\nretention_age = \"999999d\"", "topic.retention_age"},
    {"[[binding]]\nexchange = \"x\"", "binding: names one queue, one topic or one target_exchange"},
    {"[[binding]]\nexchange = \"x\"\nqueue = \"q\"\ntopic = \"t\"", "binding: names one"},
    {"[[binding]]\nqueue = \"q\"", "binding.exchange: is missing"},
};

TEST(configuration, mistakes_are_named) {
  for (const auto& [text, expected] : mistakes) EXPECT_THAT(complaint(text), HasSubstr(expected)) << text;
}

TEST(configuration, the_defaults_fit_a_small_store) {
  const auto small = good("[store]\nbytes_max = \"64M\"");
  EXPECT_EQ(small.store.writer.journal_bytes_max, 16u << 20);
  EXPECT_EQ(small.core.retention_bytes_default, 16u << 20);
}

TEST(configuration, memory_may_hold_nothing_or_enough_for_a_topic) {
  EXPECT_EQ(good("[store]\nmemory_bytes_max = 0").store.memory_bytes_max, 0u);
  EXPECT_EQ(good("[store]\nmemory_bytes_max = \"4M\"").store.memory_bytes_max, 4u << 20);
}

TEST(configuration, a_profile_stands_for_keys_and_each_key_overrides_it) {
  const auto card = good("[commit]\nprofile = \"sd-card\"").core.commit;
  EXPECT_EQ(card.profile, "sd-card");
  EXPECT_EQ(card.per_second_max, 20u);
  EXPECT_EQ(card.linger, milliseconds(50));
  EXPECT_EQ(card.linger_max, milliseconds(1'000));
  const auto mixed = good("[commit]\nlinger = 7\nper_second_max = 0\nprofile = \"sd-card\"").core.commit;
  EXPECT_EQ(mixed.linger, milliseconds(7));
  EXPECT_EQ(mixed.per_second_max, 0u);
}

TEST(configuration, waits_and_budgets_reach_their_bounds) {
  EXPECT_EQ(good("[commit]\nlinger = 0\nlinger_max = 1").core.commit.linger_max, milliseconds(1));
  EXPECT_EQ(good("[commit]\nlinger = \"10s\"").core.commit.linger, milliseconds(10'000));
  EXPECT_EQ(good("[commit]\nlinger = \"10s\"").core.commit.linger_max, milliseconds(10'000));
  EXPECT_EQ(good("[commit]\nper_second_max = 1000").core.commit.per_second_max, 1'000u);
  EXPECT_EQ(good("[commit]\nbytes = \"16K\"").core.group_bytes_max, 16u << 10);
  EXPECT_EQ(good("[flash]\nbudget_bytes_per_day = 0").core.commit.budget_bytes_per_day, 0u);
  EXPECT_EQ(good("[flash]\nbudget_bytes_per_day = 1048576").core.commit.budget_bytes_per_day, 1u << 20);
}

TEST(configuration, a_missing_file_is_named) {
  EXPECT_THAT(read_configuration("/nowhere/broker.toml").error().text, HasSubstr("/nowhere/broker.toml"));
  EXPECT_THAT(read_configuration("/").error().text, HasSubstr("is a directory"));
}

}  // namespace
}  // namespace tidegate
