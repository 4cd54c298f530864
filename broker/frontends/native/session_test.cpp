#include "broker/frontends/native/session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/base/bytes.hpp"
#include "broker/frontends/native/testing.hpp"

namespace tidegate::native {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class sessions : public testing::Test {
 protected:
  gateway gateway_{[] {
    options settings;
    settings.heartbeat = std::chrono::seconds(10);
    return settings;
  }()};
  void pass(milliseconds time) { gateway_.broker.clock.advance(time); }
};

TEST_F(sessions, connect_and_connected_exact_bytes) {
  options settings;
  settings.gateway = "g1";
  settings.server = "s";
  gateway gateway(settings);
  peer peer(gateway);
  //                       key    len corr  version name   heartbeat
  peer.send_bytes(from_hex("82 01 09 08 05 10 01 1a 01 61 28 07"));
  const std::string sent = peer.take_bytes();
  const std::string incarnation(gateway.broker.storage().start().incarnation);
  ASSERT_EQ(incarnation.size(), 36u);
  //                        key   len corr  server   heartbeat largest frame  gateway     incarnation
  EXPECT_EQ(to_hex(sent), "8a 01 35 08 05 12 01 73 18 07 20 80 80 40 2a 02 67 31 32 24 " + to_hex(incarnation));
}

TEST_F(sessions, hello_and_welcome_exact_bytes) {
  peer peer(gateway_);
  gateway_.broker.clock.set_wall(milliseconds(300));
  //                       key len version device      epoch          boot  next  oldest largest frame ticks
  peer.send_bytes(from_hex("0a 17 08 01 12 02 73 31 1d 07 00 00 00 20 01 28 01 30 01 48 80 04 58 d2 09"));
  //                                     key len window       frame         unix ms  ticks
  EXPECT_EQ(to_hex(peer.take_bytes()), "12 0e 18 80 80 04 20 80 80 01 28 ac 02 30 d2 09");
}

TEST_F(sessions, bytes_may_come_one_by_one) {
  peer peer(gateway_);
  const std::string frame = from_hex("82 01 09 08 05 10 01 1a 01 61 28 07");
  for (const char byte : frame) {
    EXPECT_THAT(peer.take_bytes(), IsEmpty());
    peer.send_bytes(std::string(1, byte));
  }
  EXPECT_THAT(peer.answers(), ElementsAre("connected 5 producer 0"));
  EXPECT_EQ(peer.held(), 0u);
}

TEST_F(sessions, many_frames_may_come_at_once) {
  peer peer(gateway_);
  const std::string ping = from_hex("5a 02 08 07");
  peer.send_bytes(from_hex("82 01 04 08 05 10 01") + ping + ping);
  EXPECT_THAT(peer.answers(), ElementsAre("connected 5 producer 0", "pong 7", "pong 7"));
}

TEST_F(sessions, the_first_frame_must_be_hello_or_connect) {
  peer peer(gateway_);
  peer.publish(1, "", "q", "m");
  EXPECT_THAT(peer.answers(), ElementsAre("error 0 closing code 6 field "));
  EXPECT_TRUE(peer.is_closing());
  peer.connect();
  EXPECT_THAT(peer.answers(), IsEmpty());
}

TEST_F(sessions, the_first_frame_has_512_bytes_at_most) {
  peer small(gateway_);
  tg_Connect connect{};
  connect.version = 1;
  const std::string token(limits::first_frame_bytes - 5, 't');
  connect.token = bytes_of(token);
  small.send(TG_CONNECT, tg_Connect_fields, connect, 600);
  EXPECT_THAT(small.answers(), ElementsAre("connected 0 producer 0"));
  peer large(gateway_);
  large.send_bytes(from_hex("82 01 81 04"));
  EXPECT_THAT(large.answers(), ElementsAre("error 0 closing code 4 field "));
}

TEST_F(sessions, the_first_frame_has_five_seconds_however_its_bytes_trickle) {
  peer peer(gateway_);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(peer.on().deadline(), milliseconds(1'000) + limits::first_frame_time);
    pass(milliseconds(1'250));
    EXPECT_THAT(peer.take_bytes(), i < 3 ? testing::Matcher<std::string>(IsEmpty()) : HasSubstr("5 seconds"));
    peer.send_bytes(std::string(1, from_hex("82 01 09 08")[static_cast<std::size_t>(i)]));
  }
  EXPECT_TRUE(peer.is_closing());
}

TEST_F(sessions, garbage_is_answered_and_closed) {
  for (const char* const bytes : {"00", "08 01", "ff ff ff ff ff", "82 01 ff ff ff ff 7f", "0b"}) {
    peer peer(gateway_);
    peer.send_bytes(from_hex(bytes));
    EXPECT_THAT(peer.answers(), ElementsAre("error 0 closing code 1 field ")) << bytes;
    EXPECT_TRUE(peer.is_closing());
  }
}

TEST_F(sessions, frames_that_do_not_decode_are_answered_and_closed) {
  for (const char* const frame : {"82 01 02 08 80", "0a 02 12 05", "82 01 03 08 ff ff"}) {
    peer peer(gateway_);
    peer.send_bytes(from_hex(frame));
    EXPECT_THAT(peer.answers(), ElementsAre("error 0 closing code 1 field ")) << frame;
  }
  for (const auto member : {TG_PUBLISH_MESSAGE, TG_SETTLE, TG_PRODUCE, TG_FETCH, TG_DECLARE_EXCHANGE, TG_DECLARE_QUEUE,
                            TG_DECLARE_TOPIC, TG_BIND, TG_UNBIND, TG_DELETE, TG_LIST, TG_CONSUME, TG_CANCEL,
                            TG_LIST_OFFSET, TG_COMMIT_OFFSET, TG_FETCH_OFFSET, TG_PING}) {
    peer peer(gateway_);
    peer.connect();
    std::string frame;
    append_varint(frame, static_cast<std::uint64_t>(member) * 8 + 2);
    peer.send_bytes(frame + from_hex("02 08 80"));
    EXPECT_THAT(peer.answers(), ElementsAre("error 0 closing code 1 field ")) << member;
  }
}

TEST_F(sessions, unknown_members_and_fields_are_skipped) {
  peer peer(gateway_);
  //                       key    len corr  version field 100
  peer.send_bytes(from_hex("82 01 07 08 05 10 01 a0 06 01"));
  peer.send_bytes(from_hex("ca 3e 03 61 62 63"));  // member 1,001
  peer.send_bytes(from_hex("5a 02 08 07"));
  EXPECT_THAT(peer.answers(), ElementsAre("connected 5 producer 0", "pong 7"));
}

TEST_F(sessions, frames_over_the_limit_are_refused_by_their_header) {
  peer application(gateway_);
  application.connect();
  application.send_bytes(from_hex("f2 01 81 80 40"));  // 1 MiB + 1
  EXPECT_THAT(application.answers(), ElementsAre("error 0 closing code 4 field "));
  peer device(gateway_);
  device.hello("d");
  device.take();
  device.send_bytes(from_hex("2a 81 80 01"));  // 16 KiB + 1
  EXPECT_THAT(device.answers(), ElementsAre("error 0 closing code 4 field "));
}

TEST_F(sessions, versions_and_tokens_are_checked) {
  options settings;
  settings.token = "secret";
  gateway gateway(settings);
  tg_Connect connect{};
  connect.correlation = 1;
  connect.version = 2;
  const auto answer_to = [&] {
    peer peer(gateway);
    peer.send(TG_CONNECT, tg_Connect_fields, connect, 512);
    return peer.answers();
  };
  EXPECT_THAT(answer_to(), ElementsAre("error 0 closing code 10 field version"));
  connect.version = 1;
  EXPECT_THAT(answer_to(), ElementsAre("error 0 closing code 6 field token"));
  connect.token = bytes_of("secret");
  EXPECT_THAT(answer_to(), ElementsAre("connected 1 producer 0"));
  const std::string name(256, 'n');
  connect.name = bytes_of(name);
  EXPECT_THAT(answer_to(), ElementsAre("error 0 closing code 4 field name"));
  connect.name = bytes_of("\xff");
  EXPECT_THAT(answer_to(), ElementsAre("error 0 closing code 1 field name"));
  peer device(gateway);
  device.hello("d");
  EXPECT_THAT(device.answers(), ElementsAre("welcome 6 durable 0"));
  EXPECT_TRUE(device.is_closing());
}

TEST_F(sessions, silence_is_asked_about_and_ended) {
  peer peer(gateway_);
  peer.connect();
  pass(milliseconds(7'499));
  EXPECT_THAT(peer.answers(), IsEmpty());
  EXPECT_EQ(peer.on().deadline(), gateway_.broker.clock.monotonic() + milliseconds(1));
  pass(milliseconds(1));
  EXPECT_THAT(peer.answers(), ElementsAre("ping"));
  EXPECT_THAT(peer.answers(), IsEmpty());
  peer.send_bytes(from_hex("62 00"));  // Pong
  pass(milliseconds(7'500));
  EXPECT_THAT(peer.answers(), ElementsAre("ping"));
  pass(milliseconds(12'499));
  EXPECT_THAT(peer.answers(), IsEmpty());
  EXPECT_FALSE(peer.is_closing());
  pass(milliseconds(1));
  EXPECT_THAT(peer.answers(), IsEmpty());
  EXPECT_TRUE(peer.is_closing());
}

TEST_F(sessions, an_application_may_ask_for_a_shorter_heartbeat_only) {
  for (const auto& [wanted, given] : {std::pair(0u, 10u), std::pair(3u, 3u), std::pair(60u, 10u)}) {
    peer peer(gateway_);
    tg_Connect connect{};
    connect.version = 1;
    connect.heartbeat_seconds = wanted;
    peer.send(TG_CONNECT, tg_Connect_fields, connect);
    EXPECT_EQ(peer.take()[0].as<tg_Connected>(tg_Connected_fields).heartbeat_seconds, given);
  }
}

TEST_F(sessions, a_full_group_pauses_input_and_room_resumes_it) {
  gateway_.broker.declare_queue("q");
  gateway_.broker.commit();
  peer peer(gateway_);
  peer.connect();
  const std::string body(300'000, 'b');
  std::uint64_t id = 0;
  while (!peer.on().is_paused()) peer.publish(++id, "", "q", body);
  peer.publish(++id, "", "q", "waits outside");
  EXPECT_GT(peer.held(), 0u);
  EXPECT_EQ(peer.on().input("x"), 0u);
  const int wakes = peer.wakes;
  gateway_.broker.flush();
  EXPECT_GT(peer.wakes, wakes);
  EXPECT_FALSE(peer.on().is_paused());
  peer.send_bytes({});
  EXPECT_EQ(peer.held(), 0u);
  EXPECT_THAT(peer.answers_committed(), ElementsAre(fmt::format("confirm through {} code 0", id)));
}

// The writer is stuck for minutes. What the peer sends stays in the kernel, so the peer must not count as silent.
TEST_F(sessions, while_it_is_not_read_a_peer_is_not_silent) {
  gateway_.broker.declare_queue("q");
  gateway_.broker.commit();
  peer peer(gateway_);
  peer.connect();
  std::uint64_t id = 0;
  while (!peer.on().is_paused()) peer.publish(++id, "", "q", std::string(300'000, 'b'));
  for (int i = 0; i < 10; ++i) {
    gateway_.broker.clock.advance(limits::heartbeat);
    peer.on().fill();
  }
  EXPECT_FALSE(peer.is_closing());
  gateway_.broker.flush();
  for (int i = 0; i < 10; ++i) {
    gateway_.broker.clock.advance(limits::heartbeat);
    peer.on().fill();
  }
  EXPECT_TRUE(peer.is_closing());
}

TEST_F(sessions, a_peer_that_does_not_read_its_answers_is_not_read_either) {
  peer peer(gateway_);
  peer.connect();
  const std::string ping = from_hex("5a 02 08 07");
  std::string pings;
  for (int i = 0; i < 10'000; ++i) pings += ping;
  for (int i = 0; i < 100 && !peer.on().is_paused(); ++i) peer.send_bytes(pings);
  EXPECT_TRUE(peer.on().is_paused());
  EXPECT_LT(peer.on().answers().size(), limits::outbox_bytes_mark + 100);
  EXPECT_FALSE(peer.is_closing());
  peer.take();
  EXPECT_FALSE(peer.on().is_paused());
}

TEST_F(sessions, what_a_peer_says_comes_back_short_and_as_text) {
  peer peer(gateway_);
  peer.connect();
  const std::string name = "\xff\n" + std::string(500'000, 'n');
  peer.send(TG_LIST, tg_List_fields, tg_List{4, bytes_of(name), {}, 0}, name.size());
  const auto answers = peer.take();
  ASSERT_EQ(answers.size(), 1u);
  const auto error = answers[0].as<tg_Error>(tg_Error_fields);
  EXPECT_EQ(error.correlation, 4u);
  EXPECT_LE(error.text.size, limits::error_text_bytes);
  EXPECT_THAT(std::string(view_of(error.text)), HasSubstr("'??nnn"));
}

TEST_F(sessions, listings_show_who_is_connected) {
  peer device(gateway_), application(gateway_), fresh(gateway_);
  device.hello("\x01\xff");
  application.connect();
  application.send(TG_LIST, tg_List_fields, tg_List{2, bytes_of("connections"), {}, 0}, 16);
  const auto answers = application.answers();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_THAT(answers[0], HasSubstr(R"("kind":"device")"));
  EXPECT_THAT(answers[0], HasSubstr(R"("kind":"new")"));
  EXPECT_THAT(answers[0], HasSubstr(R"("name":"test","peer":"peer","kind":"application")"));
  EXPECT_THAT(answers[0], HasSubstr(R"(\\x01\\xff)"));
  EXPECT_EQ(gateway_.front().sessions().size(), 3u);
  device.drop();
  EXPECT_EQ(gateway_.front().sessions().size(), 2u);
}

TEST_F(sessions, every_list_is_json_and_status_tells_the_truth) {
  peer peer(gateway_);
  peer.connect();
  for (const char* const kind : {"exchanges", "bindings", "queues", "topics", "groups", "connections"}) {
    peer.send(TG_LIST, tg_List_fields, tg_List{2, bytes_of(kind), {}, 0}, 16);
    const auto answers = peer.answers();
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_THAT(answers[0], testing::StartsWith("listed ["));
  }
  peer.send(TG_LIST, tg_List_fields, tg_List{2, bytes_of("status"), {}, 0}, 16);
  const std::string status = peer.answers()[0];
  EXPECT_THAT(status, HasSubstr(R"("state":"ready")"));
  EXPECT_THAT(status, HasSubstr(R"("commit_profile":"default","commit_linger_ms":0)"));
  // There is no flash meter in this test.
  EXPECT_THAT(status, HasSubstr(R"("flash_bytes_since_start":null)"));
  EXPECT_THAT(status, HasSubstr(R"("flash_budget":"off")"));
  peer.send(TG_LIST, tg_List_fields, tg_List{2, bytes_of("none"), {}, 0}, 16);
  EXPECT_THAT(peer.answers(), ElementsAre("error 2 code 1 field kind"));
}

}  // namespace
}  // namespace tidegate::native
