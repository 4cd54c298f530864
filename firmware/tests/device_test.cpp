// Each test is one conversation between a device and a gateway, checked byte for byte.
#include "scripted_link.hpp"

namespace tidegate::firmware {

class conversation : public scripted_link {};

const bytes topic_t = {0x1a, 5, 0x08, 1, 0x12, 1, 't'};

bytes publish_of(char letter) { return {0x22, 5, 0x08, 1, 0x1a, 1, static_cast<uint8_t>(letter)}; }

// One item of a batch, with alias 1 and no dt.
bytes item_of(char letter) { return {0x2a, 5, 0x08, 1, 0x1a, 1, static_cast<uint8_t>(letter)}; }

TEST_F(conversation, says_hello_topic_and_publish) {
  start();
  config.token = "key";
  config.token_size = 3;
  config.sleep_seconds = 60;
  name_topic();
  tg_device_connect(&device);
  open();
  EXPECT_EQ(take_sent(), (bytes{0x0a, 34,                                     // Hello
                                0x08, 1,                                      // version
                                0x12, 6,    'p',  'u',  'm',  'p', '-', '7',  // device
                                0x1d, 0x01, 0x02, 0x03, 0x04,                 // epoch
                                0x20, 1,                                      // boot
                                0x28, 1,                                      // next sequence
                                0x30, 1,                                      // oldest sequence
                                0x40, 60,                                     // sleep
                                0x48, 0xf6, 0x01,                             // largest frame: 256 - 10
                                0x52, 3,    'k',  'e',  'y',                  // token
                                0x58, 0xe8, 0x07}));                          // ticks
  say(welcome());
  settle();
  EXPECT_EQ(take_sent(), topic_t);
  EXPECT_EQ(publish("a"), 1u);
  settle();
  EXPECT_EQ(take_sent(), publish_of('a'));
  say(ack(1));
  settle();
  EXPECT_EQ(take_sent(), bytes{});
  EXPECT_EQ(stats().settled, 1u);
  EXPECT_EQ(stats().held, 0u);
  EXPECT_EQ(stats().sessions, 1u);
}

TEST_F(conversation, says_nothing_before_welcome_but_hello) {
  start();
  name_topic();
  (void)publish("a");
  tg_device_connect(&device);
  open();
  sent.clear();
  now += 5000;
  settle();
  EXPECT_EQ(take_sent(), bytes{});
}

TEST_F(conversation, sends_what_was_stored_as_a_batch_with_ages) {
  start();
  name_topic();
  ASSERT_EQ(tg_device_topic(&device, 2, "u"), TG_OK);
  (void)publish("a");
  now += 5;
  (void)publish("b", 2);
  now += 200;
  (void)publish("c", 2);
  tg_device_connect(&device);
  open();
  sent.clear();
  now += 1000;
  say(welcome());
  settle();
  bytes expected = topic_t;
  const bytes second_topic = {0x1a, 5, 0x08, 2, 0x12, 1, 'u'};
  const bytes batch = {0x2a, 34,                                           // Batch
                       0x08, 1,                                            // first sequence
                       0x10, 0xe8, 0x07,                                   // first ticks 1000
                       0x18, 0x9d, 0x11,                                   // now 2205
                       0x20, 1,                                            // boot
                       0x2a, 5,    0x08, 1,    0x1a, 1,    'a',            // alias 1
                       0x2a, 7,    0x08, 2,    0x10, 5,    0x1a, 1,  'b',  // alias 2, 5 ticks later
                       0x2a, 6,    0x10, 0xc8, 0x01, 0x1a, 1,    'c'};     // as before, 200 ticks later
  expected.insert(expected.end(), second_topic.begin(), second_topic.end());
  expected.insert(expected.end(), batch.begin(), batch.end());
  EXPECT_EQ(take_sent(), expected);
}

TEST_F(conversation, sends_a_single_old_message_as_a_batch_so_that_its_time_is_known) {
  start();
  start_session(welcome(0, 0));
  (void)publish("a");
  settle();
  now += 101;
  say(ack(0));
  settle();
  const bytes batch = take_sent();
  ASSERT_FALSE(batch.empty());
  EXPECT_EQ(batch[0], 0x2a);
}

TEST_F(conversation, a_publish_follows_a_batch_by_counting_on) {
  start();
  start_session();
  (void)publish("a");
  (void)publish("b");
  settle();
  EXPECT_EQ(take_sent()[0], 0x2a);
  EXPECT_EQ(publish("c"), 3u);
  settle();
  EXPECT_EQ(take_sent(), publish_of('c'));
}

TEST_F(conversation, sends_an_empty_payload) {
  start();
  start_session();
  (void)publish("");
  settle();
  EXPECT_EQ(take_sent(), (bytes{0x22, 2, 0x08, 1}));
}

TEST_F(conversation, names_a_topic_added_in_session_before_its_first_message) {
  start();
  start_session();
  ASSERT_EQ(tg_device_topic(&device, 2, "u"), TG_OK);
  (void)publish("a", 2);
  settle();
  EXPECT_EQ(take_sent(), (bytes{0x1a, 5, 0x08, 2, 0x12, 1, 'u', 0x22, 5, 0x08, 2, 0x1a, 1, 'a'}));
}

TEST_F(conversation, takes_input_cut_at_every_byte) {
  start();
  start_session();
  (void)publish("a");
  settle();
  for (const uint8_t byte : ack(1)) say({byte});
  EXPECT_EQ(stats().settled, 1u);
}

TEST_F(conversation, goes_on_where_the_link_stopped_taking_bytes) {
  start();
  start_session();
  link_room = 3;
  (void)publish("a");
  EXPECT_GT(settle(), 0u);
  EXPECT_TRUE(tg_device_wants_output(&device));
  EXPECT_EQ(sent.size(), 3u);
  (void)publish("b");
  link_room = 1;
  settle();
  link_room = SIZE_MAX;
  settle();
  EXPECT_FALSE(tg_device_wants_output(&device));
  bytes expected = publish_of('a'), b = publish_of('b');
  expected.insert(expected.end(), b.begin(), b.end());
  EXPECT_EQ(take_sent(), expected);
}

// ------------------------------------------------------------------------------------------------ the flow window

TEST_F(conversation, window_0_stops_until_an_ack_opens_it) {
  start();
  start_session(welcome(0, 0));
  (void)publish("a");
  settle();
  EXPECT_EQ(take_sent(), bytes{});
  say(ack(0, 1000));
  settle();
  EXPECT_EQ(take_sent(), publish_of('a'));
  say(ack(1, 0));
  (void)publish("b");
  settle();
  EXPECT_EQ(take_sent(), bytes{});
  EXPECT_EQ(stats().held, 1u);
}

TEST_F(conversation, never_has_more_than_the_window_in_flight) {
  start(65536);
  start_session(welcome(0, 700, 400));
  for (int i = 0; i < 200; i++) (void)publish(std::string(20, 'x'));
  now += 1000;  // now every message is too old to be sent as Publish
  uint32_t acknowledged = 0;
  for (int round = 0; round < 400 && stats().held > 0; round++) {
    settle();
    const bytes out = take_sent();
    ASSERT_LE(out.size(), 700u);
    size_t at = 0;
    tg_frame frame;
    while (tg_frame_split(out.data() + at, out.size() - at, 4096, &frame) == TG_SPLIT_READY) {
      ASSERT_EQ(frame.member, static_cast<uint32_t>(TG_BATCH));
      ASSERT_LE(frame.size, 400u);
      at += frame.size;
    }
    ASSERT_EQ(at, out.size());
    ASSERT_GT(out.size(), 0u);
    acknowledged = device.unsent.sequence - 1;
    say(ack(acknowledged, 700));
  }
  EXPECT_EQ(acknowledged, 200u);
  EXPECT_EQ(stats().settled, 200u);
}

TEST_F(conversation, an_ack_in_the_middle_frees_only_whole_frames_behind_it) {
  start();
  start_session(welcome(0, 45));
  (void)publish("a");
  settle();
  (void)publish("b");
  settle();
  (void)publish("c");
  settle();
  (void)publish("d");
  settle();
  (void)publish("e");
  settle();
  (void)publish("f");
  settle();
  // A 7-byte frame in flight counts as 7 bytes, but is sent only if a frame of its longest possible size, 17, would
  // fit.
  EXPECT_EQ(take_sent().size(), 5 * 7u);
  say(ack(1, 45));
  settle();
  EXPECT_EQ(take_sent(), publish_of('f'));
}

TEST_F(conversation, keeps_counting_bytes_when_more_frames_fly_than_it_has_entries) {
  start();
  start_session();
  for (int i = 0; i < 3 * TG_FLIGHTS_MAX; i++) {
    (void)publish("x");
    settle();
  }
  EXPECT_EQ(device.flight_count, static_cast<size_t>(TG_FLIGHTS_MAX));
  say(ack(3 * TG_FLIGHTS_MAX - 1));
  EXPECT_EQ(device.flight_count, 1u);
  say(ack(3 * TG_FLIGHTS_MAX));
  EXPECT_EQ(device.flight_count, 0u);
}

// --------------------------------------------------------------------------------------- rejected, lost, resent

TEST_F(conversation, tells_of_a_rejected_message_and_releases_it_with_the_ack) {
  start();
  start_session();
  (void)publish("a");
  (void)publish("b");
  settle();
  say(reject(1, 4));
  EXPECT_EQ(rejections, (std::vector<std::pair<uint32_t, uint32_t>>{{1, 4}}));
  EXPECT_EQ(stats().rejected, 1u);
  EXPECT_EQ(stats().held, 2u);
  say(ack(2));
  EXPECT_EQ(stats().held, 0u);
}

TEST_F(conversation, sends_again_from_behind_the_durable_sequence) {
  start();
  start_session();
  for (const char letter : {'a', 'b', 'c'}) (void)publish(std::string(1, letter));
  settle();
  reopen();
  take_sent();
  say(welcome(2));
  settle();
  EXPECT_EQ(stats().settled, 2u);
  const bytes out = take_sent();
  ASSERT_GT(out.size(), topic_t.size());
  EXPECT_TRUE(std::equal(topic_t.begin(), topic_t.end(), out.begin()));
  EXPECT_EQ(bytes(out.begin() + 7, out.begin() + 11), (bytes{0x2a, out[8], 0x08, 3}));  // Batch from 3
  EXPECT_EQ(bytes(out.end() - 7, out.end()), item_of('c'));
}

TEST_F(conversation, tells_the_gateway_what_was_overwritten) {
  start(2 * (TG_RECORD_HEADER + 1));
  name_topic();
  for (const char letter : {'a', 'b', 'c', 'd', 'e'}) (void)publish(std::string(1, letter));
  tg_device_connect(&device);
  open();
  const bytes hello = take_sent();
  const bytes sequences = {0x28, 6, 0x30, 4, 0x38, 3};  // next, oldest, lost
  EXPECT_NE(std::search(hello.begin(), hello.end(), sequences.begin(), sequences.end()), hello.end());
  EXPECT_EQ(stats().lost, 3u);
  say(welcome());
  settle();
  const bytes out = take_sent();
  EXPECT_EQ(bytes(out.begin() + 9, out.begin() + 11), (bytes{0x08, 4}));
}

TEST_F(conversation, shows_a_gap_made_in_session_by_the_sequence_of_a_batch) {
  start(2 * (TG_RECORD_HEADER + 1));
  start_session(welcome(0, 0));
  for (const char letter : {'a', 'b', 'c'}) (void)publish(std::string(1, letter));
  say(ack(0));
  settle();
  const bytes out = take_sent();
  EXPECT_EQ(bytes(out.begin(), out.begin() + 4), (bytes{0x2a, out[1], 0x08, 2}));
}

TEST_F(conversation, a_single_message_behind_a_gap_is_no_publish) {
  start(TG_RECORD_HEADER + 1);
  start_session(welcome(0, 0));
  (void)publish("a");
  (void)publish("b");
  say(ack(0));
  settle();
  const bytes out = take_sent();
  EXPECT_EQ(bytes(out.begin(), out.begin() + 4), (bytes{0x2a, out[1], 0x08, 2}));
}

TEST_F(conversation, an_ack_of_a_message_overwritten_meanwhile_does_no_harm) {
  start(2 * (TG_RECORD_HEADER + 1));
  start_session();
  for (const char letter : {'a', 'b', 'c', 'd'}) {
    (void)publish(std::string(1, letter));
    settle();
  }
  say(ack(2));
  EXPECT_EQ(stats().held, 2u);
  say(ack(4));
  EXPECT_EQ(stats().held, 0u);
  EXPECT_EQ(stats().published, stats().settled + stats().lost);
}

// ---------------------------------------------------------------------------------------------------------- time

TEST_F(conversation, knows_the_time_from_welcome_and_pong) {
  start();
  name_topic();
  tg_device_connect(&device);
  EXPECT_EQ(tg_device_time(&device), 0u);
  open();
  now += 100;
  say(numbers(TG_WELCOME, {{3, 1000}, {4, 4096}, {5, 1700000000000}, {6, 1000}}));
  EXPECT_EQ(tg_device_time(&device), 1700000000050u);
  now += 1000;
  EXPECT_EQ(tg_device_time(&device), 1700000001050u);
  say(numbers(TG_PONG, {{1, now}, {2, 1800000000000}}));
  EXPECT_EQ(tg_device_time(&device), 1800000000000u);
}

TEST_F(conversation, carries_the_time_over_the_wrap_of_its_ticks) {
  now = 0xffffff00;
  start();
  start_session(numbers(TG_WELCOME, {{3, 1000}, {4, 4096}, {5, 1700000000000}, {6, 0xffffff00}}));
  tg_device_close(&device);
  for (int i = 0; i < 5; i++) {
    now += 0x80000000;
    (void)poll();
  }
  EXPECT_EQ(tg_device_time(&device), 1700000000000u + 5 * 0x80000000ull);
}

}  // namespace tidegate::firmware
