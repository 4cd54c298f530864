#include "client/tool/command_line.hpp"

#include <gmock/gmock.h>

#include <cstdlib>

#include "broker/base/error.hpp"

namespace tidegate::tool {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class command_line : public testing::Test {
 protected:
  command_line() { unsetenv("TIDEGATE_BROKER"); }

  std::variant<arguments, int> parse(std::vector<const char*> words) {
    words.insert(words.begin(), "tidegate");
    return parse_command_line(static_cast<int>(words.size()), words.data());
  }

  template <class Command>
  Command parsed(std::vector<const char*> words) {
    all_ = std::get<arguments>(parse(std::move(words)));
    return std::get<Command>(all_.command);
  }

  // Parses words that must be refused with the exit code for usage. Returns what is printed then.
  std::string refused(std::vector<const char*> words) {
    testing::internal::CaptureStderr();
    const auto outcome = parse(std::move(words));
    const std::string said = testing::internal::GetCapturedStderr();
    const int* const code = std::get_if<int>(&outcome);
    EXPECT_TRUE(code != nullptr && *code == exit_usage) << said;
    return said;
  }

  arguments all_;
};

TEST_F(command_line, has_global_options_before_and_behind_the_command) {
  parsed<list_arguments>({"--broker", "gateway:7000", "list", "queues", "--json", "--token", "t"});
  EXPECT_EQ(all_.broker.host, "gateway");
  EXPECT_EQ(all_.broker.port, 7000);
  EXPECT_TRUE(all_.json);
  EXPECT_EQ(all_.connect.token, "t");
  EXPECT_EQ(all_.connect.name, "tidegate list");
}

TEST_F(command_line, knows_the_broker) {
  parsed<list_arguments>({"status"});
  EXPECT_EQ(all_.broker.host, "127.0.0.1");
  EXPECT_EQ(all_.broker.port, 7420);
  setenv("TIDEGATE_BROKER", "elsewhere:1", 1);
  EXPECT_EQ(parsed<list_arguments>({"status"}).kind, "status");
  EXPECT_EQ(all_.broker.host, "elsewhere");
  unsetenv("TIDEGATE_BROKER");
}

TEST_F(command_line, publishes) {
  const auto one = parsed<publish_arguments>(
      {"publish", "--exchange", "e", "--key", "k", "--header", "a=1", "--header", "b=x=y", "body"});
  EXPECT_EQ(one.exchange, "e");
  EXPECT_EQ(one.body, "body");
  EXPECT_THAT(one.headers, ElementsAre(Pair("a", "1"), Pair("b", "x=y")));
}

TEST_F(command_line, publishes_mandatory_unless_told_otherwise) {
  EXPECT_TRUE(parsed<publish_arguments>({"publish", "body"}).mandatory);
  EXPECT_TRUE(parsed<publish_arguments>({"publish", "--mandatory", "body"}).mandatory);
  EXPECT_FALSE(parsed<publish_arguments>({"publish", "--no-mandatory", "body"}).mandatory);
}

TEST_F(command_line, publishes_load) {
  const auto load = parsed<publish_arguments>({"publish", "--size", "0", "--count", "5", "--window", "7", "--producer",
                                               "p", "--epoch", "3", "--first-sequence", "9"});
  EXPECT_EQ(load.generated_bytes, 0u);
  EXPECT_EQ(load.count, 5u);
  EXPECT_EQ(load.first_sequence, 9u);
  EXPECT_EQ(all_.connect.publish_window, 7u);
  EXPECT_EQ(all_.connect.producer, "p");
  EXPECT_EQ(all_.connect.producer_epoch, 3u);
}

TEST_F(command_line, consumes) {
  const auto asked = parsed<consume_arguments>(
      {"consume", "q", "--prefetch", "3", "--count", "2", "--idle-seconds", "0.5", "--reject", "discard"});
  EXPECT_EQ(asked.queue, "q");
  EXPECT_EQ(asked.prefetch, 3u);
  EXPECT_EQ(asked.count, 2u);
  EXPECT_EQ(asked.idle, std::chrono::milliseconds(500));
  EXPECT_EQ(asked.outcome, client::outcome::discard);
}

TEST_F(command_line, tails_from_a_time_that_looks_like_an_option) {
  const auto asked = parsed<tail_arguments>({"tail", "t", "--from", "-10m", "--follow", "--partition", "2"});
  EXPECT_GT(asked.from.timestamp_ms, 0);
  EXPECT_TRUE(asked.follow);
  EXPECT_EQ(asked.partition, 2u);
}

TEST_F(command_line, defines) {
  const auto topic = parsed<declare_arguments>(
      {"declare", "topic", "t", "--partitions", "3", "--retention-bytes", "64M", "--retention-age", "7d"});
  EXPECT_EQ(topic.kind, "topic");
  EXPECT_EQ(topic.topic.durability, "");
  EXPECT_EQ(topic.topic.partitions, 3u);
  EXPECT_EQ(topic.topic.retention_bytes, 64u << 20);
  EXPECT_EQ(topic.topic.retention_age, std::chrono::hours(7 * 24));
  EXPECT_EQ(parsed<declare_arguments>({"declare", "exchange", "e", "--type", "fanout"}).exchange.type, "fanout");
  const auto lazy = parsed<declare_arguments>({"declare", "queue", "q", "--durability", "interval:500"});
  EXPECT_EQ(lazy.queue.durability, "interval:500");
  const auto few = parsed<declare_arguments>(
      {"declare", "queue", "q", "--messages-max", "9", "--bytes-max", "1M", "--overflow", "reject"});
  EXPECT_EQ(few.queue.messages_max, 9u);
  EXPECT_EQ(few.queue.bytes_max, 1u << 20);
  EXPECT_EQ(few.queue.overflow, "reject");
  EXPECT_TRUE(parsed<binding_arguments>({"unbind", "e", "queue", "q", "k"}).remove);
  EXPECT_EQ(parsed<binding_arguments>({"bind", "e", "topic", "t"}).binding.routing_key, "");
  EXPECT_EQ(
      parsed<binding_arguments>({"bind", "e", "queue", "q", "--header", "a=b", "--match", "any"}).binding.arguments,
      std::string("\x01"
                  "aS\0\0\0\1b\x07x-matchS\0\0\0\3any",
                  24));
  EXPECT_EQ(parsed<delete_arguments>({"delete", "queue", "q"}).name, "q");
}

TEST_F(command_line, moves_offsets) {
  const auto asked = parsed<offsets_arguments>({"offsets", "t", "--group", "g", "--set", "12"});
  EXPECT_EQ(asked.set.value().offset, 12u);
  EXPECT_FALSE(parsed<offsets_arguments>({"offsets", "t"}).set);
}

TEST_F(command_line, works_on_stores) {
  EXPECT_EQ(parsed<store_arguments>({"store", "check", "d"}).action, store_action::check);
  EXPECT_EQ(parsed<store_arguments>({"store", "show", "d", "--json"}).directory, "d");
  EXPECT_TRUE(all_.json);
  const auto saved = parsed<store_arguments>({"store", "export", "d", "-"});
  EXPECT_EQ(saved.action, store_action::save);
  EXPECT_EQ(saved.file, "-");
  const auto salvaged = parsed<store_arguments>({"store", "salvage", "d", "f"});
  EXPECT_EQ(salvaged.action, store_action::salvage);
  EXPECT_EQ(salvaged.directory, "d");
  EXPECT_EQ(salvaged.file, "f");
  const auto restored = parsed<store_arguments>({"store", "import", "f", "d", "--bytes-max", "2G"});
  EXPECT_EQ(restored.action, store_action::restore);
  EXPECT_EQ(restored.file, "f");
  EXPECT_EQ(restored.directory, "d");
  EXPECT_EQ(restored.bytes_max, 2ull << 30);
}

TEST_F(command_line, benches) {
  const auto plain = parsed<bench_arguments>({"bench", "queue"});
  EXPECT_EQ(plain.kind, bench_kind::queue);
  EXPECT_EQ(plain.window, 1'000u);
  EXPECT_EQ(plain.rate, 0);
  EXPECT_EQ(plain.time, std::chrono::seconds(10));
  EXPECT_EQ(plain.warmup, std::chrono::seconds(1));
  const auto open = parsed<bench_arguments>({"bench", "queue", "--rate", "500", "--durability", "interval:50",
                                             "--consumers", "0", "--queues", "3", "--seconds", "0.5"});
  EXPECT_EQ(open.rate, 500);
  EXPECT_EQ(open.topic.durability, "interval:50");
  EXPECT_EQ(open.time, std::chrono::milliseconds(500));
  const auto topic =
      parsed<bench_arguments>({"bench", "topic", "--partitions", "4", "--retention-bytes", "8M", "--messages", "7"});
  EXPECT_EQ(topic.consumers, 0u);
  EXPECT_EQ(topic.topic.retention_bytes, 8u << 20);
  EXPECT_EQ(topic.warmup, std::chrono::seconds(0));
  EXPECT_GT(topic.time, std::chrono::hours(1));
  EXPECT_EQ(parsed<bench_arguments>({"bench", "topic", "--verify"}).consumers, 1u);
  EXPECT_EQ(parsed<bench_arguments>({"bench", "fetch", "--topic", "t"}).topic.name, "t");
  EXPECT_EQ(parsed<bench_arguments>({"bench", "fanout", "--topics", "2"}).queues, 4u);
  EXPECT_EQ(parsed<bench_arguments>({"bench", "request"}).window, 1u);
  EXPECT_EQ(parsed<bench_arguments>({"bench", "mixed", "--topic-rate", "9"}).topic_rate, 9);
}

TEST_F(command_line, refuses_benches_that_make_no_sense) {
  EXPECT_THAT(refused({"bench"}), HasSubstr("required"));
  EXPECT_THAT(refused({"bench", "queue", "--verify", "--size", "35"}), HasSubstr("36"));
  EXPECT_THAT(refused({"bench", "request", "--size", "0"}), HasSubstr("36"));
  EXPECT_THAT(refused({"bench", "queue", "--verify", "--consumers", "0"}), HasSubstr("consumers"));
  EXPECT_THAT(refused({"bench", "topic", "--batch", "20000"}), HasSubstr("--batch"));
  EXPECT_THAT(refused({"bench", "fanout", "--queues", "100", "--size", "100000"}), HasSubstr("--size"));
  EXPECT_THAT(refused({"bench", "fetch", "--topic", "t", "--verify"}), HasSubstr("--verify"));
  EXPECT_THAT(refused({"bench", "fetch", "--rate", "5"}), HasSubstr("--rate"));
  EXPECT_THAT(refused({"bench", "queue", "--durability", "never"}), HasSubstr("never"));
}

TEST_F(command_line, explains_every_bench) {
  for (const char* name : {"queue", "topic", "fetch", "fanout", "request", "mixed"}) {
    testing::internal::CaptureStdout();
    const auto outcome = parse({"bench", name, "--help"});
    const std::string said = testing::internal::GetCapturedStdout();
    EXPECT_EQ(std::get<int>(outcome), exit_ok) << name;
    EXPECT_THAT(said, HasSubstr("EXIT CODES")) << name;
    EXPECT_THAT(said, HasSubstr("--verify")) << name;
  }
}

TEST_F(command_line, refuses_what_makes_no_sense) {
  EXPECT_THAT(refused({}), HasSubstr("required"));
  EXPECT_THAT(refused({"frob"}), HasSubstr("'frob'"));
  EXPECT_THAT(refused({"list", "frobs"}), HasSubstr("frobs"));
  EXPECT_THAT(refused({"publish"}), HasSubstr("needs one of"));
  EXPECT_THAT(refused({"publish", "--lines", "body"}), HasSubstr("needs one of"));
  EXPECT_THAT(refused({"publish", "--lines", "--count", "3"}), HasSubstr("--count"));
  EXPECT_THAT(refused({"publish", "body", "--header", "x"}), HasSubstr("NAME=VALUE"));
  EXPECT_THAT(refused({"publish", "body", "--epoch", "1"}), HasSubstr("--producer"));
  EXPECT_THAT(refused({"consume", "q", "--raw", "--json"}), HasSubstr("--raw"));
  EXPECT_THAT(refused({"consume", "q", "--auto-ack", "--reject", "discard"}), HasSubstr("--auto-ack"));
  EXPECT_THAT(refused({"tail", "t", "--from", "soon"}), HasSubstr("'soon'"));
  EXPECT_THAT(refused({"offsets", "t", "--set", "start"}), HasSubstr("--group"));
  EXPECT_THAT(refused({"declare", "topic", "t", "--retention-bytes", "lots"}), HasSubstr("'lots'"));
  EXPECT_THAT(refused({"store"}), HasSubstr("required"));
  EXPECT_THAT(refused({"store", "check"}), HasSubstr("DIRECTORY"));
  EXPECT_THAT(refused({"store", "import", "f", "d", "--bytes-max", "1M"}), HasSubstr("67108864"));
  EXPECT_THAT(refused({"declare", "queue", "q", "--durability", "none"}), HasSubstr("\"memory\""));
  EXPECT_THAT(refused({"declare", "topic", "t", "--durability", "interval:0"}), HasSubstr("'interval:0'"));
  EXPECT_THAT(refused({"--broker", "a:b", "status"}), HasSubstr("'a:b'"));
}

TEST_F(command_line, explains_every_store_command) {
  for (const char* name : {"check", "show", "export", "import"}) {
    testing::internal::CaptureStdout();
    const auto outcome = parse({"store", name, "--help"});
    const std::string said = testing::internal::GetCapturedStdout();
    EXPECT_EQ(std::get<int>(outcome), exit_ok) << name;
    EXPECT_THAT(said, HasSubstr("EXIT CODES")) << name;
    EXPECT_THAT(said, HasSubstr("tidegate store ")) << name;
  }
}

TEST_F(command_line, explains_every_command) {
  for (const char* name :
       {"publish", "consume", "tail", "offsets", "declare", "bind", "unbind", "delete", "list", "status"}) {
    testing::internal::CaptureStdout();
    const auto outcome = parse({name, "--help"});
    const std::string said = testing::internal::GetCapturedStdout();
    EXPECT_EQ(std::get<int>(outcome), exit_ok) << name;
    EXPECT_THAT(said, HasSubstr("EXIT CODES")) << name;
  }
}

}  // namespace
}  // namespace tidegate::tool
