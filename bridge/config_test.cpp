#include "bridge/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "bridge/known_settings.hpp"
#include "broker/base/settings/example_check.hpp"
#include "broker/base/settings/reference.hpp"

namespace tidegate::bridge {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr std::string_view least = R"([[route]]
name = "r"
topic = "t"
sink = "kafka"
destination = "d"
brokers = "localhost:1"
)";

const std::string example_file = std::string(BRIDGE_SOURCE_DIR) + "/tidegate-bridge.example.toml";

std::string text_of(const std::string& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string error_of(const std::string& text) {
  const auto read = parse_config(text, "f");
  return read ? "" : read.error().text;
}

TEST(config, takes_its_defaults) {
  const config read = parse_config(least, "f").value();
  EXPECT_EQ(read.broker_address, "127.0.0.1:7420");
  EXPECT_EQ(read.name, "bridge");
  ASSERT_EQ(read.routes.size(), 1u);
  const kafka_settings& kafka = read.routes[0].kafka;
  EXPECT_EQ(kafka.topic, "d");
  EXPECT_EQ(kafka.linger, milliseconds(500));
  EXPECT_EQ(kafka.queue_bytes, 8u << 20);
  EXPECT_EQ(kafka.partitioner, partitioner::source);
  EXPECT_EQ(read.routes[0].route.backoff_max, milliseconds(60'000));
}

TEST(config, reads_every_key) {
  const config read = parse_config(R"([broker]
address = "[::1]:7"
token = "secret"
[bridge]
name = "b"
status_file = "/tmp/s"
backoff_min = "100ms"
backoff_max = "2s"
progress_deadline = "1m"
time_ahead_max = "2m"
time_behind_max = "3d"
[[route]]
name = "r"
topic = "t"
sink = "kafka"
destination = "d"
brokers = "localhost:1"
linger_ms = 5
batch_bytes = 10_000
queue_bytes = 100_000
compression = "lz4"
partitioner = "crc32"
properties = { "socket.timeout.ms" = "5000" }
)",
                                   "f")
                          .value();
  EXPECT_EQ(read.broker_token, "secret");
  EXPECT_EQ(read.status_file, "/tmp/s");
  const route_config& route = read.routes[0];
  EXPECT_EQ(route.route.backoff_min, milliseconds(100));
  EXPECT_EQ(route.kafka.backoff_max, milliseconds(2'000));
  EXPECT_EQ(route.route.progress_deadline, milliseconds(60'000));
  EXPECT_EQ(route.route.times.ahead_max, milliseconds(120'000));
  EXPECT_EQ(route.route.times.behind_max, std::chrono::hours(72));
  EXPECT_EQ(route.kafka.linger, milliseconds(5));
  EXPECT_EQ(route.kafka.batch_bytes, 10'000u);
  EXPECT_EQ(route.kafka.compression, "lz4");
  EXPECT_EQ(route.kafka.partitioner, partitioner::crc32);
  EXPECT_EQ(route.kafka.properties.at("socket.timeout.ms"), "5000");
}

TEST(config, sizes_are_numbers_or_have_a_unit) {
  const std::string text = std::string(least) + "batch_bytes = \"16K\"\nqueue_bytes = 65536\n";
  const config read = parse_config(text, "f").value();
  EXPECT_EQ(read.routes[0].kafka.batch_bytes, 16u << 10);
  EXPECT_EQ(read.routes[0].kafka.queue_bytes, 64u << 10);
}

TEST(config, names_an_unknown_key_and_its_line) {
  EXPECT_EQ(error_of("[broker]\naddress = \"a\"\nadress = \"b\"\n"),
            "f: line 3: unknown key 'adress' in [broker]: did you mean 'address'?");
  EXPECT_EQ(error_of(std::string(least) + "lingerms = 5\n"),
            "f: line 7: unknown key 'lingerms' in [[route]]: did you mean 'linger_ms'?");
  EXPECT_EQ(error_of("\n[brige]\n" + std::string(least)), "f: line 2: unknown table [brige]: did you mean [bridge]?");
}

TEST(config, names_a_wrong_value_and_its_line) {
  EXPECT_THAT(error_of("[bridge]\nbackoff_min = 5\n" + std::string(least)),
              StartsWith("f: line 2: bridge.backoff_min: takes a time"));
  EXPECT_THAT(error_of("[bridge]\nbackoff_max = \"5 parsec\"\n" + std::string(least)), StartsWith("f: line 2: "));
  EXPECT_THAT(error_of("[bridge]\nbackoff_min = \"9s\"\nbackoff_max = \"1s\"\n"),
              HasSubstr("line 3: bridge.backoff_max: takes no less than bridge.backoff_min, which is 9s; found 1s"));
  EXPECT_THAT(error_of("[bridge]\nbackoff_min = \"0s\"\n"),
              StartsWith("f: line 2: bridge.backoff_min: takes a time of 1ms"));
  EXPECT_THAT(error_of("[broker]\naddress = \":1\"\n"), StartsWith("f: line 2: broker.address: "));
  EXPECT_THAT(error_of("[broker]\ntoken = 12345\n"), HasSubstr("takes a text in quotes; found a number"));
  EXPECT_THAT(error_of(std::string(least) + "queue_bytes = 1\n"),
              StartsWith("f: line 7: route.queue_bytes: takes bytes from 64K to 1G"));
  EXPECT_THAT(error_of(std::string(least) + "linger_ms = \"5\"\n"),
              StartsWith("f: line 7: route.linger_ms: takes a whole number"));
  EXPECT_THAT(error_of(std::string(least) + "partitioner = \"random\"\n"), HasSubstr("murmur2"));
  EXPECT_THAT(error_of("[broker\n"), StartsWith("f: line 1: "));
}

TEST(config, needs_routes_that_are_whole_and_named_apart) {
  EXPECT_THAT(error_of(""), HasSubstr("no [[route]]"));
  EXPECT_EQ(error_of("[[route]]\nname = \"r\"\n"), "f: line 1: route.topic: is missing");
  EXPECT_THAT(error_of(std::string(least) + std::string(least)), StartsWith("f: line 8: route.name: a second route"));
}

TEST(config, lets_librdkafka_judge_its_settings) {
  EXPECT_THAT(error_of(std::string(least) + "properties = { \"no.such.thing\" = \"1\" }\n"),
              HasSubstr("no.such.thing"));
  EXPECT_THAT(error_of(std::string(least) + "compression = \"zip\"\n"), HasSubstr("compression.codec"));
  EXPECT_THAT(error_of(std::string(least) + "properties = { \"acks\" = \"0\" }\n"), HasSubstr("the bridge's own"));
  EXPECT_THAT(error_of(std::string(least) + "properties = { \"linger.ms\" = 5 }\n"),
              HasSubstr("line 7: route.properties.linger.ms: takes a text in quotes; found 5"));
}

TEST(config, example_file_is_good_and_shows_the_defaults) {
  EXPECT_THAT(settings::not_shown(known_settings(), text_of(example_file)), IsEmpty());
  const config example = read_config(example_file).value();
  const config plain = parse_config(least, "f").value();
  EXPECT_EQ(example.broker_address, plain.broker_address);
  EXPECT_EQ(example.status_file, plain.status_file);
  EXPECT_EQ(example.routes[0].kafka.batch_bytes, plain.routes[0].kafka.batch_bytes);
  EXPECT_EQ(example.routes[0].kafka.queue_bytes, plain.routes[0].kafka.queue_bytes);
  EXPECT_EQ(example.routes[0].kafka.linger, plain.routes[0].kafka.linger);
  EXPECT_EQ(example.routes[0].route.progress_deadline, plain.routes[0].route.progress_deadline);
  EXPECT_EQ(example.routes[0].route.backoff_min, plain.routes[0].route.backoff_min);
  EXPECT_EQ(example.routes[0].route.backoff_max, plain.routes[0].route.backoff_max);
  EXPECT_EQ(example.routes[0].route.times.ahead_max, plain.routes[0].route.times.ahead_max);
  EXPECT_EQ(example.routes[0].route.times.behind_max, plain.routes[0].route.times.behind_max);
  EXPECT_EQ(example.routes[0].kafka.compression, plain.routes[0].kafka.compression);
  EXPECT_EQ(example.routes[0].kafka.partitioner, plain.routes[0].kafka.partitioner);
  EXPECT_EQ(example.routes[0].kafka.properties, plain.routes[0].kafka.properties);
}

// After a change of known_settings.cpp, copy the output of `tidegate-bridge --print-settings` into that file.
TEST(config, the_reference_is_of_this_version) {
  EXPECT_THAT(text_of(TIDEGATE_CONFIGURATION_REFERENCE), HasSubstr(settings::reference(known_settings())));
}

TEST(config, a_missing_file_is_named) {
  EXPECT_THAT(read_config("/nowhere/bridge.toml").error().text, HasSubstr("/nowhere/bridge.toml"));
}

}  // namespace
}  // namespace tidegate::bridge
