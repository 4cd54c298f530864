// Changes and breaks valid conversations: nothing that a peer sends may crash the gateway or make it grow. The random
// numbers are the same in every run.
#include <gtest/gtest.h>

#include <random>

#include "broker/frontends/native/testing.hpp"

namespace tidegate::native {
namespace {

using conversation = std::vector<std::string>;  // frames

template <class Message>
void add(conversation& frames, tg_member member, const pb_msgdesc_t* fields, const Message& message) {
  frames.push_back(frame_of(member, fields, message, 2'048));
}

std::string produced_batch() {
  batch_builder builder;
  builder.add(record_view{0, 17, "key", "body", {{"h", "v"}}});
  builder.add(record_view{1, 18, {}, "more", {}});
  return builder.finish();
}

void add_definitions(conversation& frames) {
  add(frames, TG_DECLARE_QUEUE, tg_DeclareQueue_fields, tg_DeclareQueue{1, bytes_of("work"), false, 0, 0, {}, {}});
  add(frames, TG_DECLARE_TOPIC, tg_DeclareTopic_fields,
      tg_DeclareTopic{2, bytes_of("log"), 2, 0, 60'000, false, 1'000, {}, {}, {}});
  add(frames, TG_DECLARE_EXCHANGE, tg_DeclareExchange_fields,
      tg_DeclareExchange{3, bytes_of("x"), bytes_of("topic"), false});
  add(frames, TG_BIND, tg_Bind_fields,
      tg_Bind{4, bytes_of("x"), bytes_of("queue"), bytes_of("work"), bytes_of("a.#.b")});
  add(frames, TG_BIND, tg_Bind_fields,
      tg_Bind{4, bytes_of("amq.headers"), bytes_of("queue"), bytes_of("work"), {}, bytes_of("\1kS")});
  add(frames, TG_BIND, tg_Bind_fields, tg_Bind{5, bytes_of("x"), bytes_of("topic"), bytes_of("log"), bytes_of("#")});
  add(frames, TG_UNBIND, tg_Bind_fields, tg_Bind{6, bytes_of("x"), bytes_of("topic"), bytes_of("log"), bytes_of("k")});
  add(frames, TG_DELETE, tg_Delete_fields, tg_Delete{7, bytes_of("queue"), bytes_of("works")});
  for (const char* const kind : {"exchanges", "bindings", "queues", "topics", "groups", "connections", "status"}) {
    add(frames, TG_LIST, tg_List_fields, tg_List{8, bytes_of(kind), {}, 0});
  }
}

conversation application_of_queues() {
  conversation frames;
  add(frames, TG_CONNECT, tg_Connect_fields, tg_Connect{1, 1, bytes_of("name"), {}, 10, bytes_of("p"), 1});
  add_definitions(frames);
  const std::vector<header> headers{{"h1", "v1"}, {"h2", "v2"}};
  for (std::uint64_t id = 1; id <= 6; ++id) {
    header_source source(headers);
    tg_PublishMessage publish{id,
                              bytes_of(id % 2 == 0 ? "x" : ""),
                              bytes_of(id % 2 == 0 ? "a.b" : "work"),
                              bytes_of("key"),
                              source.encoder(),
                              bytes_of("body"),
                              true,
                              id % 3};
    add(frames, TG_PUBLISH_MESSAGE, tg_PublishMessage_fields, publish);
  }
  add(frames, TG_CONSUME, tg_Consume_fields, tg_Consume{9, 1, bytes_of("work"), 10, false});
  add(frames, TG_CONSUME, tg_Consume_fields, tg_Consume{9, 2, bytes_of("work"), 1, true});
  for (std::uint64_t tag = 1; tag <= 3; ++tag) {
    add(frames, TG_SETTLE, tg_Settle_fields, tg_Settle{tag, tag == 3, static_cast<tg_Settle_Outcome>(tag - 1)});
  }
  // Transact: correlation 16, one PublishMessage with a delay, one Settle.
  frames.push_back(
      std::string("\x92\x03\x1c\x08\x10\x12\x0e\x1a\x04work\x32\x03"
                  "abc\x50\x90\x4e\x1a\x06\x08\x02\x10\x01\x18\x01\x20\x01",
                  31));
  // Define: correlation 20, an exchange, a queue, a topic, a binding.
  frames.push_back(
      from_hex("9a 03 2b 08 14 12 0a 12 01 78 1a 05 74 6f 70 69 63 1a 03 12 01 71 22 05 12 01 74 18 02"
               "2a 0d 12 01 78 1a 05 71 75 65 75 65 22 01 71 30 00"));
  add(frames, TG_CANCEL, tg_Cancel_fields, tg_Cancel{10, 1});
  add(frames, TG_GET, tg_Get_fields, tg_Get{11, bytes_of("work"), false, false, {}});
  add(frames, TG_GET, tg_Get_fields, tg_Get{18, bytes_of("work"), false, true, {}});
  const std::string place("\0\0\0\0\0\0\0\0\1", 9);
  add(frames, TG_GET, tg_Get_fields, tg_Get{19, bytes_of("work"), false, true, bytes_of(place)});
  add(frames, TG_PURGE, tg_Purge_fields, tg_Purge{12, bytes_of("work")});
  tg_DeclareQueue exclusive{13};
  exclusive.exclusive = true;
  add(frames, TG_DECLARE_QUEUE, tg_DeclareQueue_fields, exclusive);
  tg_DeclareQueue ruled{17, bytes_of("ruled")};
  ruled.has_time_to_live_ms = ruled.has_expires_ms = ruled.has_priority_max = ruled.has_retry_delay_ms = true;
  ruled.time_to_live_ms = ruled.expires_ms = ruled.retry_delay_ms = 100;
  ruled.priority_max = 9;
  ruled.dead_letter_exchange = {tg_empty, 0};
  ruled.dead_letter_key = bytes_of("work");
  add(frames, TG_DECLARE_QUEUE, tg_DeclareQueue_fields, ruled);
  add(frames, TG_DELETE, tg_Delete_fields, tg_Delete{14, bytes_of("queue"), bytes_of("work"), false, true});
  add(frames, TG_DELETE, tg_Delete_fields, tg_Delete{15, bytes_of("queue"), bytes_of("work")});
  add(frames, TG_PING, tg_Ping_fields, tg_Ping{7});
  return frames;
}

conversation application_of_topics() {
  conversation frames;
  add(frames, TG_CONNECT, tg_Connect_fields, tg_Connect{1, 1, bytes_of("name"), {}, 0, {}, 0});
  add_definitions(frames);
  const std::string batch = produced_batch();
  for (std::uint32_t i = 0; i < 3; ++i) {
    add(frames, TG_PRODUCE, tg_Produce_fields, tg_Produce{20 + i, bytes_of("log"), i % 2, bytes_of(batch)});
    add(frames, TG_FETCH, tg_Fetch_fields,
        tg_Fetch{30 + i, bytes_of("log"), i % 2, i, 1'000, i * 100, i * 1'000, bytes_of(i == 0 ? "" : "an id")});
  }
  add(frames, TG_LIST_OFFSET, tg_ListOffset_fields, tg_ListOffset{40, bytes_of("log"), 0, 17, {}});
  add(frames, TG_LIST_OFFSET, tg_ListOffset_fields, tg_ListOffset{41, bytes_of("log"), 1, -1, bytes_of("an id")});
  add(frames, TG_COMMIT_OFFSET, tg_CommitOffset_fields,
      tg_CommitOffset{42, bytes_of("g"), bytes_of("log"), 0, 2, bytes_of("m"), {}});
  add(frames, TG_FETCH_OFFSET, tg_FetchOffset_fields, tg_FetchOffset{43, bytes_of("g"), bytes_of("log"), 0, {}});
  add(frames, TG_LEASE, tg_Lease_fields, tg_Lease{45, bytes_of("bridge/log"), false, bytes_of("drawn")});
  add(frames, TG_DELETE, tg_Delete_fields, tg_Delete{44, bytes_of("topic"), bytes_of("log")});
  return frames;
}

conversation device() {
  conversation frames;
  add(frames, TG_HELLO, tg_Hello_fields, tg_Hello{1, bytes_of("dev"), 7, 1, 1, 1, 0, 10, 256, {}, 99});
  add(frames, TG_TOPIC, tg_Topic_fields, tg_Topic{1, bytes_of("s.t")});
  add(frames, TG_TOPIC, tg_Topic_fields, tg_Topic{2, bytes_of("s.h")});
  for (int i = 0; i < 4; ++i) add(frames, TG_PUBLISH, tg_Publish_fields, tg_Publish{1, bytes_of("21.5")});
  //                         Batch: first 5, ticks 100, now 200, boot 1, three items
  frames.push_back(
      from_hex("2a 25 08 05 10 64 18 c8 01 20 01 2a 08 08 01 10 05 1a 02 61 61"
               "2a 06 10 05 1a 02 62 62 2a 08 08 02 10 05 1a 02 63 63"));
  add(frames, TG_PING, tg_Ping_fields, tg_Ping{7});
  return frames;
}

class fuzzer {
 public:
  void round(gateway& gateway, const std::vector<conversation>& seeds) {
    peer peer(gateway);
    std::string bytes;
    for (const std::string& frame : bent(seeds[below(seeds.size())])) bytes += frame;
    if (below(4) == 0) break_bytes(bytes);
    for (std::size_t at = 0; at < bytes.size() && !peer.is_closing();) {
      const std::size_t size = std::min(bytes.size() - at, 1 + below(below(3) == 0 ? 8 : 400));
      peer.send_bytes(std::string_view(bytes).substr(at, size));
      at += size;
      if (below(3) == 0) peer.on().fill();
      if (below(5) == 0) peer.on().answers().clear();
      ASSERT_LE(peer.on().answers().size(), limits::outbox_bytes_mark + 2 * limits::frame_bytes);
      happen(gateway);
    }
    peer.on().fill();
  }

 private:
  std::size_t below(std::size_t bound) { return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_); }
  char any_byte() { return static_cast<char>(below(256)); }

  void happen(gateway& gateway) {
    switch (below(24)) {
      case 0: gateway.broker.flush(); return;
      case 1: gateway.broker.finish(); return;
      case 2: gateway.broker.commit(); return;
      case 3: gateway.broker.clock.advance(milliseconds(below(3'000))); return;
      case 4: gateway.broker->tick(); return;
      default: return;
    }
  }

  // Changes whole frames: leaves some out, sends some twice, exchanges them, or changes bytes after a frame's header.
  conversation bent(conversation frames) {
    for (std::size_t changes = below(6); changes > 0 && !frames.empty(); --changes) {
      const std::size_t at = below(frames.size()), other = below(frames.size());
      switch (below(6)) {
        case 0: frames.erase(frames.begin() + static_cast<std::ptrdiff_t>(at)); break;
        case 1: frames.insert(frames.begin() + static_cast<std::ptrdiff_t>(at), std::string(frames[other])); break;
        case 2: std::swap(frames[at], frames[other]); break;
        default: bend_inside(frames[at]);
      }
    }
    return frames;
  }

  void bend_inside(std::string& frame) {
    constexpr std::size_t header = 3;
    if (frame.size() <= header) return;
    for (std::size_t changes = 1 + below(3); changes > 0; --changes) {
      char& byte = frame[header + below(frame.size() - header)];
      byte = below(2) == 0 ? any_byte() : static_cast<char>(byte ^ (1 << below(8)));
    }
  }

  void break_bytes(std::string& bytes) {
    for (std::size_t changes = 1 + below(4); changes > 0 && !bytes.empty(); --changes) {
      const std::size_t at = below(bytes.size());
      switch (below(4)) {
        case 0: bytes[at] = any_byte(); break;
        case 1: bytes.erase(at, 1 + below(20)); break;
        case 2: bytes.insert(at, 1 + below(20), any_byte()); break;
        default: bytes.resize(at); break;
      }
    }
  }

  std::mt19937 random_{20'240'607};
};

TEST(fuzz, fifty_thousand_bent_conversations) {
  const std::vector<conversation> seeds{application_of_queues(), application_of_topics(), device()};
  fuzzer fuzzer;
  for (int generation = 0; generation < 10; ++generation) {
    gateway gateway;
    for (int round = 0; round < 5'000; ++round) {
      fuzzer.round(gateway, seeds);
      if (testing::Test::HasFatalFailure()) return;
    }
    EXPECT_TRUE(gateway.front().sessions().empty());
    gateway.broker.commit();
    EXPECT_TRUE(gateway.broker->is_idle());
    for (const auto& row : gateway.broker.inspecting().list_queues()) EXPECT_EQ(row.unsettled, 0u);
    // The definitions that the conversations made are there after a restart.
    const auto queues = gateway.broker.inspecting().list_queues().size(),
               topics = gateway.broker.inspecting().list_topics().size();
    gateway.reopen_killed();
    EXPECT_EQ(gateway.broker.inspecting().list_queues().size(), queues);
    EXPECT_EQ(gateway.broker.inspecting().list_topics().size(), topics);
  }
}

}  // namespace
}  // namespace tidegate::native
