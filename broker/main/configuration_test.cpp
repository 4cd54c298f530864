#include "broker/main/configuration.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace tidegate {
namespace {

using testing::HasSubstr;
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
  EXPECT_EQ(a.core.retention_bytes_default, b.core.retention_bytes_default);
  EXPECT_EQ(a.native.gateway, b.native.gateway);
  EXPECT_EQ(a.native.token, b.native.token);
  EXPECT_EQ(a.native.device_exchange, b.native.device_exchange);
  EXPECT_EQ(a.native.heartbeat, b.native.heartbeat);
  EXPECT_EQ(a.native_listen, b.native_listen);
  EXPECT_EQ(a.native_connections_max, b.native_connections_max);
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

std::string example() {
  std::ifstream in(TIDEGATE_EXAMPLE_CONFIGURATION);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(configuration, the_example_states_every_default) {
  ASSERT_FALSE(example().empty());
  expect_equal(good(example()), good(""));
  for (const char* const key : {"id", "path", "bytes_max", "journal_bytes_max", "retention_bytes_default", "listen",
                                "token", "device_exchange", "heartbeat_seconds", "connections_max", "level"}) {
    EXPECT_THAT(example(), HasSubstr("\n" + std::string(key) + " = ")) << key;
  }
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
  EXPECT_THAT(all.bindings, SizeIs(1));
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
[native]
listen = "[::1]:1"
token = "t"
device_exchange = "x"
heartbeat_seconds = 5
connections_max = 7
[log]
level = "warning"
[[exchange]]
name = "x"
type = "fanout"
[[queue]]
name = "q"
[[topic]]
name = "t"
partitions = 3
retention_bytes = "5M"
retention_age = "2h"
[[binding]]
exchange = "x"
queue = "q"
[[binding]]
exchange = "x"
topic = "t"
routing_key = "k"
)");
  EXPECT_EQ(all.native.gateway, "g");
  EXPECT_EQ(all.store.directory, "/p");
  EXPECT_EQ(all.store.bytes_max, 2ull << 30);
  EXPECT_EQ(all.store.writer.journal_bytes_max, 16u << 20);
  EXPECT_EQ(all.core.retention_bytes_default, 2u << 20);
  EXPECT_EQ(all.native_listen, "[::1]:1");
  EXPECT_EQ(all.native.token, "t");
  EXPECT_EQ(all.native.device_exchange, "x");
  EXPECT_EQ(all.native.heartbeat, std::chrono::seconds(5));
  EXPECT_EQ(all.native_connections_max, 7u);
  EXPECT_EQ(all.log_level, log::level::warning);
  ASSERT_THAT(all.exchanges, SizeIs(1));
  EXPECT_EQ(all.exchanges[0].type, exchange_type::fanout);
  EXPECT_THAT(all.queues, testing::ElementsAre("q"));
  ASSERT_THAT(all.topics, SizeIs(1));
  EXPECT_EQ(all.topics[0].partitions, 3u);
  EXPECT_EQ(all.topics[0].retention_bytes, 5u << 20);
  EXPECT_EQ(all.topics[0].retention_age, std::chrono::hours(2));
  ASSERT_THAT(all.bindings, SizeIs(2));
  EXPECT_EQ(all.bindings[0], (binding_definition{"x", target_kind::queue, "q", ""}));
  EXPECT_EQ(all.bindings[1], (binding_definition{"x", target_kind::topic, "t", "k"}));
}

TEST(configuration, unknown_keys_are_named_with_their_line) {
  EXPECT_THAT(complaint("[store]\npath = \"/p\"\nspeed = 3\n"),
              HasSubstr("test.toml: line 3: store.speed: unknown key"));
  EXPECT_THAT(complaint("\n[shop]\n"), HasSubstr("line 2: file.shop: unknown key"));
  EXPECT_THAT(complaint("[[queue]]\nname = \"q\"\ndurable = true\n"), HasSubstr("line 3: queue.durable"));
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
    {"[store]\nbytes_max = -1", "store.bytes_max: takes a whole number"},
    {"[store]\nbytes_max = \"64\"", "store.bytes_max: takes bytes"},
    {"[store]\nbytes_max = \"\"", "store.bytes_max: takes bytes"},
    {"[store]\nbytes_max = \"99999999999G\"", "store.bytes_max: takes bytes"},
    {"[store]\njournal_bytes_max = \"1K\"", "store.journal_bytes_max"},
    {"[store]\nbytes_max = \"64M\"\njournal_bytes_max = \"17M\"",
     "line 3: store.journal_bytes_max: takes at most a quarter"},
    {"[store]\nbytes_max = \"64M\"\nretention_bytes_default = \"17M\"",
     "line 3: store.retention_bytes_default: takes at"},
    {"[gateway]\nid = \"\"", "gateway.id"},
    {"[native]\nlisten = \"here\"", "native.listen: address 'here'"},
    {"[native]\nheartbeat_seconds = 0", "native.heartbeat_seconds: takes a whole number from 1 to 3600"},
    {"[native]\nheartbeat_seconds = 1.5", "native.heartbeat_seconds"},
    {"[native]\nconnections_max = 0", "native.connections_max"},
    {"[log]\nlevel = \"loud\"", "log.level: takes debug"},
    {"[[exchange]]\ntype = \"fanout\"", "exchange.name: is missing"},
    {"[[exchange]]\nname = \"x\"\ntype = \"headers\"", "line 3: exchange.type"},
    {"[[queue]]", "queue.name: is missing"},
    {"[queue]\nname = \"q\"", "write [[queue]]"},
    {"queue = [3]", "write [[queue]]"},
    {"[[topic]]\nname = \"a b\"", "topic.name"},
    {"[[topic]]\nname = \"t\"\npartitions = 1001", "topic.partitions"},
    {"[[topic]]\nname = \"t\"\nretention_bytes = \"1K\"", "topic.retention_bytes"},
    {"[[topic]]\nname = \"t\"\nretention_age = \"1 week\"", "topic.retention_age"},
    {"[[topic]]\nname = \"t\"\nretention_age = 3", "topic.retention_age"},
    {"[[topic]]\nname = \"t\"\nretention_age = \"999999d\"", "topic.retention_age"},
    {"[[binding]]\nexchange = \"x\"", "binding: names one queue or one topic"},
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

TEST(configuration, a_missing_file_is_named) {
  EXPECT_THAT(read_configuration("/nowhere/broker.toml").error().text, HasSubstr("/nowhere/broker.toml"));
}

}  // namespace
}  // namespace tidegate
