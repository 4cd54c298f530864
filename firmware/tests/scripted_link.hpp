// A device with a link in memory and a clock set by hand. The test plays the port and the gateway.
#pragma once

#include <gtest/gtest.h>
#include <tidegate/device.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "firmware/wire/frame.h"
#include "firmware/wire/link.pb.h"

namespace tidegate::firmware {

using bytes = std::vector<uint8_t>;

// Returns a frame whose fields are all numbers: {1, 5} is field 1 with value 5.
inline bytes numbers(tg_member member, const std::vector<std::pair<int, uint64_t>> &fields) {
  const auto append = [](bytes &out, uint64_t value) {
    for (; value >= 0x80; value >>= 7) out.push_back(static_cast<uint8_t>(value | 0x80));
    out.push_back(static_cast<uint8_t>(value));
  };
  bytes body, out;
  for (const auto &[number, value] : fields) {
    append(body, static_cast<uint64_t>(number) * 8);
    append(body, value);
  }
  append(out, static_cast<uint64_t>(member) * 8 + 2);
  append(out, body.size());
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

inline bytes welcome(uint32_t durable = 0, uint32_t window = 65536, uint32_t frame_max = 4096) {
  return numbers(TG_WELCOME, {{2, durable}, {3, window}, {4, frame_max}});
}

inline bytes ack(uint32_t sequence, uint32_t window = 65536) { return numbers(TG_ACK, {{1, sequence}, {2, window}}); }

inline bytes reject(uint32_t sequence, uint32_t code) { return numbers(TG_REJECT, {{1, sequence}, {2, code}}); }

class scripted_link : public testing::Test {
 protected:
  // Initialises the device with buffers of these sizes. The test may change `config` before.
  void start(size_t ring_size = 4096, size_t receive_size = 256, size_t transmit_size = 1024) {
    ring.assign(ring_size, 0);
    receive.assign(receive_size, 0);
    transmit.assign(transmit_size, 0);
    config.device_id = "pump-7";
    config.hooks = {.context = this, .send = on_send, .ticks = on_ticks, .random = on_random, .rejected = on_rejected};
    config.ring = ring.data();
    config.ring_size = ring.size();
    config.receive = receive.data();
    config.receive_size = receive.size();
    config.transmit = transmit.data();
    config.transmit_size = transmit.size();
    config.topics = topics;
    config.topics_max = 2;
    if (config.retry_min_ms == 0) config.retry_min_ms = 1000;
    if (config.retry_max_ms == 0) config.retry_max_ms = 60000;
    if (config.answer_ms == 0) config.answer_ms = 10000;
    ASSERT_EQ(tg_device_init(&device, &config), TG_OK);
  }

  void name_topic() { ASSERT_EQ(tg_device_topic(&device, 1, "t"), TG_OK); }

  // Opens a session. The device can then publish; Hello and Topic were sent and are no longer in `sent`.
  void start_session(const bytes &answer = welcome()) {
    name_topic();
    tg_device_connect(&device);
    open();
    say(answer);
    settle();
    sent.clear();
  }

  void open() {
    ASSERT_TRUE(tg_device_wants_link(&device));
    ASSERT_EQ(tg_device_connected(&device), TG_OK);
    settle();
  }

  // Ends the link and opens the next one when the device wants it. `sent` then starts with the new Hello.
  void reopen() {
    tg_device_closed(&device);
    sent.clear();
    for (int i = 0; i < 10 && !tg_device_wants_link(&device); i++) now += poll();
    (void)poll();
    open();
  }

  // Polls until the device has nothing more to do. Returns how many milliseconds it may sleep.
  uint32_t settle() {
    uint32_t sleep = 0;
    for (int i = 0; i < 1000 && sleep == 0; i++) sleep = poll();
    EXPECT_GT(sleep, 0u) << "never comes to rest";
    return sleep;
  }

  uint32_t poll() { return tg_device_poll(&device); }

  tg_result input(const bytes &in) { return tg_device_input(&device, in.data(), in.size()); }

  void say(const bytes &in) { ASSERT_EQ(input(in), TG_OK); }

  uint32_t publish(const std::string &payload, uint32_t alias = 1) {
    uint32_t sequence = 0;
    EXPECT_EQ(tg_device_publish(&device, alias, payload.data(), payload.size(), &sequence), TG_OK);
    return sequence;
  }

  // Returns the bytes sent since the last call.
  bytes take_sent() { return std::exchange(sent, {}); }

  tg_stats stats() const { return tg_device_stats(&device); }

  static size_t on_send(void *context, const uint8_t *data, size_t size) {
    auto &self = *static_cast<scripted_link *>(context);
    const size_t taken = std::min(size, self.link_room);
    self.link_room -= taken;
    self.sent.insert(self.sent.end(), data, data + taken);
    return taken;
  }
  static uint32_t on_ticks(void *context) { return static_cast<scripted_link *>(context)->now; }
  static uint32_t on_random(void *context) { return static_cast<scripted_link *>(context)->random_bits; }
  static void on_rejected(void *context, uint32_t sequence, uint32_t code) {
    static_cast<scripted_link *>(context)->rejections.emplace_back(sequence, code);
  }

  tg_config config = {};
  tg_device device = {};
  bytes ring, receive, transmit;
  tg_topic topics[2] = {};
  uint32_t now = 1000;
  uint32_t random_bits = 0x04030201;
  size_t link_room = SIZE_MAX;  // bytes that the link still accepts
  bytes sent;
  std::vector<std::pair<uint32_t, uint32_t>> rejections;
};

}  // namespace tidegate::firmware
