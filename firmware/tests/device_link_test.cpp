// The life of the link: deadlines, back-off, pings, and a gateway that sends nonsense.
#include "scripted_link.hpp"

namespace tidegate::firmware {

class device_link : public scripted_link {
 protected:
  // Makes the current attempt fail and waits until the back-off that follows has passed. Returns that back-off.
  uint32_t fail_and_wait() {
    tg_device_closed(&device);
    EXPECT_FALSE(tg_device_wants_link(&device));
    const uint32_t wait = poll();
    now += wait - 1;
    EXPECT_EQ(poll(), 1u);
    EXPECT_FALSE(tg_device_wants_link(&device));
    now += 1;
    (void)poll();
    EXPECT_TRUE(tg_device_wants_link(&device));
    return wait;
  }

  void expect_given_up() {
    EXPECT_FALSE(tg_device_wants_link(&device));
    EXPECT_EQ(tg_device_link(&device), TG_LINK_WAITING);
  }
};

TEST_F(device_link, is_not_wanted_before_connect_nor_after_close) {
  start();
  EXPECT_FALSE(tg_device_wants_link(&device));
  EXPECT_EQ(poll(), TG_FOREVER);
  tg_device_connect(&device);
  EXPECT_TRUE(tg_device_wants_link(&device));
  tg_device_close(&device);
  EXPECT_FALSE(tg_device_wants_link(&device));
  EXPECT_EQ(tg_device_connected(&device), TG_ERROR_STATE);
  EXPECT_EQ(input({0}), TG_ERROR_STATE);
}

TEST_F(device_link, back_off_doubles_to_its_limit_and_half_of_it_is_random) {
  start();
  tg_device_connect(&device);
  random_bits = 0;
  for (const uint32_t full : {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000}) EXPECT_EQ(fail_and_wait(), full / 2);
  random_bits = 30000;
  EXPECT_EQ(fail_and_wait(), 60000u);
}

TEST_F(device_link, back_off_begins_anew_after_a_welcome) {
  start();
  random_bits = 0;
  name_topic();
  tg_device_connect(&device);
  for (int i = 0; i < 5; i++) (void)fail_and_wait();
  open();
  say(welcome());
  EXPECT_EQ(fail_and_wait(), 500u);
}

TEST_F(device_link, back_off_grows_on_while_the_gateway_refuses) {
  start();
  random_bits = 0;
  tg_device_connect(&device);
  for (const uint32_t wait : {500, 1000, 2000}) {
    open();
    EXPECT_EQ(input(numbers(TG_WELCOME, {{1, 6}})), TG_ERROR_REFUSED);
    expect_given_up();
    EXPECT_EQ(stats().refusal, 6u);
    EXPECT_EQ(stats().errors, 0u);
    EXPECT_EQ(poll(), wait);
    now += wait;
    (void)poll();
  }
  open();
  say(welcome());
  EXPECT_EQ(stats().refusal, 0u);
}

TEST_F(device_link, that_does_not_open_in_time_is_given_up) {
  start();
  tg_device_connect(&device);
  EXPECT_EQ(poll(), 10000u);
  now += 10000;
  EXPECT_GT(poll(), 0u);
  expect_given_up();
}

TEST_F(device_link, without_a_welcome_in_time_is_given_up) {
  start();
  tg_device_connect(&device);
  open();
  now += 9999;
  EXPECT_EQ(poll(), 1u);
  EXPECT_TRUE(tg_device_wants_link(&device));
  now += 1;
  (void)poll();
  expect_given_up();
}

TEST_F(device_link, closed_twice_counts_once) {
  start();
  tg_device_connect(&device);
  tg_device_closed(&device);
  tg_device_closed(&device);
  EXPECT_EQ(stats().failures, 1u);
}

TEST_F(device_link, forgets_half_a_frame_of_the_link_before) {
  start();
  start_session();
  (void)publish("abc");
  link_room = 2;
  settle();
  say({0x3a});  // half an Ack
  link_room = SIZE_MAX;
  reopen();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0], 0x0a);
  say(welcome());
  EXPECT_EQ(stats().sessions, 2u);
}

// --------------------------------------------------------------------------------------------------------- silence

TEST_F(device_link, pings_after_three_quarters_of_the_silence) {
  start();
  start_session();
  EXPECT_EQ(settle(), 22500u);
  now += 22499;
  settle();
  EXPECT_TRUE(sent.empty());
  now += 1;
  settle();
  EXPECT_EQ(take_sent(), numbers(TG_PING, {{1, now}}));
  say(numbers(TG_PONG, {{1, now}}));
  EXPECT_EQ(settle(), 22500u);
}

TEST_F(device_link, pings_a_gateway_that_takes_all_and_says_nothing) {
  start();
  start_session();
  for (int i = 0; i < 3; i++) {
    now += 7500;
    (void)publish("x");
    settle();
  }
  const bytes ping = numbers(TG_PING, {{1, now}});
  ASSERT_GE(sent.size(), ping.size());
  EXPECT_EQ(bytes(sent.end() - static_cast<long>(ping.size()), sent.end()), ping);
  sent.clear();
  now += 1000;
  EXPECT_GT(settle(), 1000u);
  EXPECT_TRUE(sent.empty());  // only one Ping, not one per poll
}

TEST_F(device_link, is_dead_after_one_and_a_half_silences) {
  start();
  config.sleep_seconds = 4;
  start_session();
  now += 3000;
  EXPECT_EQ(settle(), 3000u);
  EXPECT_EQ(take_sent(), numbers(TG_PING, {{1, now}}));
  now += 3000;
  (void)poll();
  expect_given_up();
  EXPECT_EQ(stats().errors, 0u);
}

TEST_F(device_link, is_dead_too_when_it_takes_no_bytes) {
  start();
  start_session();
  link_room = 0;
  (void)publish("x");
  now += settle();
  (void)poll();
  expect_given_up();
}

TEST_F(device_link, answers_a_ping) {
  start();
  start_session();
  say(numbers(TG_PING, {{1, 77}}));
  settle();
  EXPECT_EQ(take_sent(), numbers(TG_PONG, {{1, 77}}));
}

TEST_F(device_link, answers_many_pings_at_once_with_one_pong) {
  start();
  start_session();
  for (uint64_t i = 1; i <= 100; i++) say(numbers(TG_PING, {{1, i}}));
  settle();
  EXPECT_EQ(take_sent(), numbers(TG_PONG, {{1, 100}}));
}

// -------------------------------------------------------------------------------------------------------- nonsense

struct nonsense {
  const char *name;
  bytes frame;
};

class device_nonsense : public device_link, public testing::WithParamInterface<nonsense> {};

TEST_P(device_nonsense, closes_the_link_and_counts) {
  start(4096, 64);
  start_session();
  (void)publish("a");
  settle();
  EXPECT_EQ(input(GetParam().frame), TG_ERROR_PROTOCOL);
  expect_given_up();
  EXPECT_EQ(stats().errors, 1u);
  EXPECT_EQ(stats().held, 1u);
  EXPECT_EQ(stats().settled, 0u);
}

INSTANTIATE_TEST_SUITE_P(all, device_nonsense,
                         testing::Values(nonsense{"wrong_wire_type", {0x38, 1}}, nonsense{"member_0", {0x02, 0}},
                                         nonsense{"overlong_key", {0xff, 0xff, 0xff, 0xff, 0xff, 1}},
                                         nonsense{"length_over_2_gib", {0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f}},
                                         nonsense{"known_but_oversized", {0x3a, 60}},
                                         nonsense{"malformed_body", {0x3a, 1, 0x08}},
                                         nonsense{"ack_of_the_future", ack(2)}, nonsense{"reject_of_0", reject(0, 1)},
                                         nonsense{"reject_of_the_future", reject(2, 1)},
                                         nonsense{"second_welcome", welcome()}),
                         [](const auto &one) { return std::string(one.param.name); });

TEST_F(device_link, is_given_up_for_an_answer_before_welcome) {
  start();
  tg_device_connect(&device);
  open();
  EXPECT_EQ(input(ack(0)), TG_ERROR_PROTOCOL);
}

TEST_F(device_link, is_given_up_for_a_welcome_before_hello) {
  start();
  tg_device_connect(&device);
  ASSERT_EQ(tg_device_connected(&device), TG_OK);
  EXPECT_EQ(input(welcome()), TG_ERROR_PROTOCOL);
}

TEST_F(device_link, is_given_up_for_an_impossible_welcome) {
  for (const bytes &answer : {welcome(1), welcome(0, 1000, TG_TRANSMIT_MIN - 1)}) {
    start();
    tg_device_connect(&device);
    open();
    EXPECT_EQ(input(answer), TG_ERROR_PROTOCOL);
    expect_given_up();
  }
}

TEST_F(device_link, skips_unknown_members_of_any_size_in_any_pieces) {
  for (const size_t size : {0, 10, 54, 55, 60, 62, 64, 100, 5000}) {
    for (const size_t piece : {1, 7, 64, 6000}) {
      start(4096, 64);
      start_session();
      (void)publish("a");
      settle();
      bytes in = {0xfa, 0x01, static_cast<uint8_t>(size | 0x80), static_cast<uint8_t>(size >> 7)};  // member 31
      in.insert(in.end(), size, 0xff);
      const bytes behind = ack(1);
      in.insert(in.end(), behind.begin(), behind.end());
      for (size_t at = 0; at < in.size(); at += piece) {
        const size_t end = std::min(in.size(), at + piece);
        say(bytes(in.begin() + static_cast<long>(at), in.begin() + static_cast<long>(end)));
      }
      EXPECT_EQ(stats().settled, 1u) << size << " in pieces of " << piece;
    }
  }
}

// A link full of frames that are nearly right: whatever comes, the figures add up and the device continues.
TEST_F(device_link, survives_garbage) {
  std::mt19937 generator(7);
  const auto random = [&] { return static_cast<uint32_t>(generator()); };
  config.retry_min_ms = 100;
  config.retry_max_ms = 1000;
  start(300, 64, TG_TRANSMIT_MIN);
  name_topic();
  tg_device_connect(&device);
  const auto some = [&] {
    const uint8_t keys[] = {0x12, 0x3a, 0x42, 0x5a, 0x62, 0xfa};
    switch (random() % 5) {
      case 0: return welcome(device.ring.oldest_sequence - random() % 2, random() % 2000);
      case 1: return ack(device.ring.oldest_sequence + random() % 3 - 1, random() % 2000);
      case 2: return reject(device.ring.oldest_sequence + random() % 3 - 1, random() % 12);
      case 3: return numbers(TG_PING, {{1, random()}});
      default: break;
    }
    bytes in = {keys[random() % std::size(keys)]};
    for (size_t i = random() % 30; i > 0; i--) {
      in.push_back(static_cast<uint8_t>(random() % 4 ? random() % 20 : random()));
    }
    return in;
  };
  for (int round = 0; round < 30000; round++) {
    now += random() % 300;
    if (random() % 10 == 0) (void)publish(std::string(random() % 60, 'x'));
    link_room = random() % 4 == 0 ? random() % 20 : SIZE_MAX;
    (void)poll();
    if (tg_device_link(&device) == TG_LINK_OPENING) {
      ASSERT_EQ(tg_device_connected(&device), TG_OK);
    }
    if (tg_device_link(&device) == TG_LINK_GREETING) (void)poll();
    const bool is_greeting = tg_device_link(&device) == TG_LINK_GREETING;
    const bool is_sensible = is_greeting && random() % 2 == 0;
    if (tg_device_wants_link(&device)) (void)input(is_sensible ? welcome(device.ring.oldest_sequence - 1) : some());
    const tg_stats s = stats();
    ASSERT_EQ(s.published, s.settled + s.lost + s.held);
    ASSERT_LE(device.received, receive.size());
    sent.clear();
  }
  EXPECT_GT(stats().sessions, 100u);
  EXPECT_GT(stats().errors, 100u);
  EXPECT_GT(stats().settled, 100u);
}

// ------------------------------------------------------------------------------------------------------ arguments

TEST_F(device_link, publish_tells_every_error) {
  start(200);
  name_topic();
  const bytes long_payload(TG_PAYLOAD_MAX + 1);
  EXPECT_EQ(tg_device_publish(&device, 2, "a", 1, nullptr), TG_ERROR_ALIAS);
  EXPECT_EQ(tg_device_publish(&device, 1, nullptr, 1, nullptr), TG_ERROR_ARGUMENT);
  EXPECT_EQ(tg_device_publish(&device, 1, long_payload.data(), long_payload.size(), nullptr), TG_ERROR_TOO_LARGE);
  EXPECT_EQ(tg_device_publish(&device, 1, long_payload.data(), 194, nullptr), TG_ERROR_TOO_LARGE);
  EXPECT_EQ(tg_device_publish(&device, 1, long_payload.data(), 193, nullptr), TG_OK);
  device.ring.next_sequence = UINT32_MAX;
  EXPECT_EQ(tg_device_publish(&device, 1, "a", 1, nullptr), TG_ERROR_LIMIT);
}

TEST_F(device_link, topic_tells_every_error) {
  start();
  const std::string long_key(256, 'k');
  name_topic();
  name_topic();
  EXPECT_EQ(tg_device_topic(&device, 1, "other"), TG_ERROR_ALIAS);
  EXPECT_EQ(tg_device_topic(&device, 0, "t"), TG_ERROR_ARGUMENT);
  EXPECT_EQ(tg_device_topic(&device, 256, "t"), TG_ERROR_ARGUMENT);
  EXPECT_EQ(tg_device_topic(&device, 2, ""), TG_ERROR_ARGUMENT);
  EXPECT_EQ(tg_device_topic(&device, 2, long_key.c_str()), TG_ERROR_ARGUMENT);
  EXPECT_EQ(tg_device_topic(&device, 2, long_key.c_str() + 1), TG_OK);
  EXPECT_EQ(tg_device_topic(&device, 3, "u"), TG_ERROR_LIMIT);
}

TEST_F(device_link, init_refuses_an_unsound_configuration) {
  start();
  const tg_config sound = config;
  const auto refuses = [&](auto spoil) {
    config = sound;
    spoil();
    return tg_device_init(&device, &config) == TG_ERROR_ARGUMENT;
  };
  EXPECT_TRUE(refuses([&] { config.device_id = ""; }));
  EXPECT_TRUE(refuses([&] { config.device_id = "seventeen-letters"; }));
  EXPECT_TRUE(refuses([&] { config.token_size = 1; }));
  EXPECT_TRUE(refuses([&] { config.ring = nullptr; }));
  EXPECT_TRUE(refuses([&] { config.ring_size = TG_RECORD_HEADER; }));
  EXPECT_TRUE(refuses([&] { config.receive_size = TG_RECEIVE_MIN - 1; }));
  EXPECT_TRUE(refuses([&] { config.transmit_size = TG_TRANSMIT_MIN - 1; }));
  EXPECT_TRUE(refuses([&] { config.topics_max = 0; }));
  EXPECT_TRUE(refuses([&] { config.hooks.send = nullptr; }));
  EXPECT_TRUE(refuses([&] { config.retry_min_ms = 0; }));
  EXPECT_TRUE(refuses([&] { config.retry_max_ms = 999; }));
  EXPECT_TRUE(refuses([&] { config.answer_ms = 0; }));
  EXPECT_FALSE(refuses([] {}));
}

TEST_F(device_link, the_longest_of_everything_fits_the_smallest_buffers) {
  const std::string token(TG_TOKEN_MAX, 't'), key(TG_ROUTING_KEY_MAX, 'k');
  config.token = token.data();
  config.token_size = token.size();
  now = 0xf0000000;
  start(4096, TG_RECEIVE_MIN, TG_TRANSMIT_MIN);
  config.device_id = "sixteen-letters!";
  config.sleep_seconds = INT32_MAX / 1000;
  device.ring.oldest_sequence = device.ring.next_sequence = 0xf0000000;
  device.ring.lost = 0xf0000000;
  ASSERT_EQ(tg_device_topic(&device, 255, key.c_str()), TG_OK);
  tg_device_connect(&device);
  open();
  EXPECT_GT(take_sent().size(), 190u);
  say(numbers(TG_WELCOME, {{2, 0xefffffff}, {3, UINT32_MAX}, {4, UINT32_MAX}, {5, UINT64_MAX}, {6, now}}));
  settle();
  EXPECT_EQ(take_sent().size(), 3 + 3 + 3 + 255u);
  (void)publish(std::string(TG_PAYLOAD_MAX, 'p'), 255);
  now += 1000;
  settle();
  EXPECT_EQ(sent[0], 0x2a);
  EXPECT_GT(take_sent().size(), 280u);
}

}  // namespace tidegate::firmware
