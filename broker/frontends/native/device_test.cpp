#include "broker/frontends/native/device.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/frontends/native/testing.hpp"

namespace tidegate::native {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class devices : public testing::Test {
 protected:
  devices() {
    gateway_.broker.declare_queue("work");
    gateway_.broker.declare_topic("log");
    gateway_.broker.bind_queue("amq.topic", "work", "s.#");
    gateway_.broker.bind_topic("amq.topic", "log", "s.#");
    gateway_.broker.commit();
  }
  void hello(peer& peer, std::string_view expected, std::uint32_t next = 1, std::uint32_t oldest = 0,
             std::uint32_t epoch = 7) {
    peer.hello("dev", next, oldest, epoch);
    EXPECT_THAT(peer.answers(), ElementsAre(expected));
    peer.topic(1, "s.t");
    peer.topic(2, "s.h");
  }
  std::vector<std::string> stored() {
    std::vector<std::string> found;
    for (const auto& record : gateway_.broker.read("log", 0, 0)) found.push_back(record.body);
    return found;
  }
  // Returns the headers of all messages in the queue, by body.
  std::map<std::string, std::map<std::string, std::string>> headers() {
    std::map<std::string, std::map<std::string, std::string>> found;
    gateway_.broker.consuming()
        .pull(gateway_.broker.consume("work"),
              [&](const core::delivery_view& delivery) {
                auto& mine = found[std::string(delivery.message.body)];
                for (const auto& [name, value] : delivery.message.headers) mine.emplace(name, value);
                mine["routing key"] = delivery.message.routing_key;
                mine["key"] = delivery.message.key;
                return true;
              })
        .value();
    return found;
  }
  gateway gateway_;
};

TEST_F(devices, topic_publish_and_ack_exact_bytes) {
  peer peer(gateway_);
  hello(peer, "welcome 0 durable 0");
  //                       Topic: alias 3, "s.x"        Publish: alias 3, "21.5"
  peer.send_bytes(from_hex("1a 07 08 03 12 03 73 2e 78  22 08 08 03 1a 04 32 31 2e 35"));
  EXPECT_THAT(peer.take_bytes(), IsEmpty());
  gateway_.broker.commit();
  //                                    Ack: sequence 1, window 64 KiB
  EXPECT_EQ(to_hex(peer.take_bytes()), "3a 06 08 01 10 80 80 04");
  EXPECT_THAT(stored(), ElementsAre("21.5"));
  EXPECT_EQ(headers()["21.5"]["routing key"], "s.x");
}

TEST_F(devices, acknowledgements_are_cumulative_and_follow_the_commit) {
  peer peer(gateway_);
  hello(peer, "welcome 0 durable 0");
  peer.publish_reading(1, "a");
  gateway_.broker.flush();
  peer.publish_reading(2, "b");
  peer.publish_reading(1, "c");
  EXPECT_THAT(peer.answers(), IsEmpty());
  gateway_.broker.finish();
  EXPECT_THAT(peer.answers(), ElementsAre("ack 1"));
  EXPECT_THAT(peer.answers_committed(), ElementsAre("ack 3"));
  EXPECT_THAT(stored(), ElementsAre("a", "b", "c"));
}

TEST_F(devices, a_batch_gives_its_items_the_time_they_were_made) {
  gateway_.broker.clock.set_wall(milliseconds(1'000'000));
  peer peer(gateway_);
  hello(peer, "welcome 0 durable 0");
  // The readings were made at ticks 100, 110 and 150, and are sent at 200.
  peer.batch(1, {{1, 0, "a"}, {0, 10, "b"}, {2, 40, "c"}});
  EXPECT_THAT(peer.answers_committed(), ElementsAre("ack 3"));
  peer.batch(4, {{1, 0, "d"}}, 100, 200, 0);       // of another boot: no time
  peer.batch(5, {{1, 0, "e"}}, 0xFFFFFFF0, 0x10);  // the tick counter wrapped
  peer.publish_reading(1, "f");
  EXPECT_THAT(peer.answers_committed(), ElementsAre("ack 6"));
  auto found = headers();
  EXPECT_EQ(found["a"]["tg-time"], "999900");
  EXPECT_EQ(found["b"]["tg-time"], "999910");
  EXPECT_EQ(found["c"]["tg-time"], "999950");
  EXPECT_FALSE(found["d"].contains("tg-time"));
  EXPECT_EQ(found["e"]["tg-time"], "999968");
  EXPECT_FALSE(found["f"].contains("tg-time"));
  EXPECT_EQ(found["b"]["routing key"], "s.t");
  EXPECT_EQ(found["c"]["routing key"], "s.h");
  EXPECT_EQ(found["c"]["key"], "dev");
}

TEST_F(devices, a_reconnecting_device_is_told_what_is_on_flash) {
  {
    peer first(gateway_);
    hello(first, "welcome 0 durable 0");
    first.batch(1, {{1, 0, "a"}, {1, 0, "b"}, {1, 0, "c"}});
    gateway_.broker.commit();
  }
  gateway_.reopen_killed();
  peer again(gateway_);
  hello(again, "welcome 0 durable 3", 4, 1);
  again.publish_reading(1, "d");
  EXPECT_THAT(again.answers_committed(), ElementsAre("ack 4"));
  EXPECT_THAT(stored(), ElementsAre("a", "b", "c", "d"));
}

TEST_F(devices, what_comes_again_is_acknowledged_again_and_not_stored_again) {
  peer peer(gateway_);
  hello(peer, "welcome 0 durable 0");
  peer.batch(1, {{1, 0, "a"}, {1, 0, "b"}});
  peer.batch(1, {{1, 0, "a"}, {1, 0, "b"}, {1, 0, "c"}});
  EXPECT_THAT(peer.answers_committed(), ElementsAre("ack 3"));
  peer.batch(2, {{1, 0, "b"}, {1, 0, "c"}});
  EXPECT_THAT(peer.answers_committed(), ElementsAre("ack 3"));
  EXPECT_THAT(stored(), ElementsAre("a", "b", "c"));
}

TEST_F(devices, a_newer_connection_takes_over_and_what_flies_is_not_stored_twice) {
  peer old(gateway_), next(gateway_);
  hello(old, "welcome 0 durable 0");
  old.publish_reading(1, "a");
  gateway_.broker.flush();
  const int wakes = old.wakes;
  hello(next, "welcome 0 durable 0", 2, 1);
  EXPECT_TRUE(old.is_closing());
  EXPECT_GT(old.wakes, wakes);
  old.publish_reading(1, "ignored");
  next.batch(1, {{1, 0, "a"}});
  EXPECT_THAT(next.answers_committed(), ElementsAre("ack 1"));
  EXPECT_THAT(old.answers(), IsEmpty());
  EXPECT_THAT(stored(), ElementsAre("a"));
  old.drop();
  peer third(gateway_);
  hello(third, "welcome 0 durable 1", 2);
  EXPECT_TRUE(next.is_closing());
}

TEST_F(devices, a_gap_is_stored_around) {
  peer peer(gateway_);
  hello(peer, "welcome 0 durable 0");
  peer.batch(1, {{1, 0, "a"}});
  peer.batch(5, {{1, 0, "e"}});
  peer.publish_reading(1, "f");
  EXPECT_THAT(peer.answers_committed(), ElementsAre("ack 6"));
  EXPECT_THAT(stored(), ElementsAre("a", "e", "f"));
  peer.drop();
  class peer again(gateway_);
  hello(again, "welcome 0 durable 6", 11, 9);
  again.publish_reading(1, "i");
  EXPECT_THAT(again.answers_committed(), ElementsAre("ack 9"));
}

TEST_F(devices, another_epoch_begins_anew) {
  peer first(gateway_);
  hello(first, "welcome 0 durable 0", 1, 1, 900);
  first.batch(1, {{1, 0, "a"}, {1, 0, "b"}});
  gateway_.broker.commit();
  peer second(gateway_);
  hello(second, "welcome 0 durable 0", 1, 1, 100);
  second.publish_reading(1, "c");
  EXPECT_THAT(second.answers_committed(), ElementsAre("ack 1"));
  EXPECT_THAT(stored(), ElementsAre("a", "b", "c"));
}

TEST_F(devices, what_cannot_be_stored_is_rejected_and_the_rest_goes_on) {
  peer peer(gateway_);
  hello(peer, "welcome 0 durable 0");
  peer.topic(3, "nobody.wants.it");
  peer.publish_reading(9, "no such alias");
  peer.publish_reading(0, "no alias");
  peer.publish_reading(3, "unroutable");
  peer.publish_reading(1, std::string(limits::device_payload_bytes + 1, 'x'));
  peer.publish_reading(1, std::string(limits::device_payload_bytes, 'x'));
  EXPECT_THAT(peer.answers(),
              ElementsAre("reject 1 code 2", "reject 2 code 2", "reject 3 code 2", "reject 4 code 4", "ack 4"));
  EXPECT_THAT(peer.answers_committed(), ElementsAre("ack 5"));
}

TEST_F(devices, a_reject_does_not_acknowledge_what_is_not_on_flash) {
  peer peer(gateway_);
  hello(peer, "welcome 0 durable 0");
  peer.publish_reading(1, "a");
  peer.publish_reading(9, "no such alias");
  EXPECT_THAT(peer.answers(), ElementsAre("reject 2 code 2"));
  EXPECT_THAT(peer.answers_committed(), ElementsAre("ack 2"));
}

TEST_F(devices, their_exchange_stays) {
  options settings;
  settings.device_exchange = "readings";
  gateway gateway(settings);
  gateway.broker.declare_exchange("readings", exchange_type::topic);
  gateway.broker.commit();
  peer application(gateway), device(gateway);
  application.connect();
  const tg_Delete remove{3, bytes_of("exchange"), bytes_of("readings")};
  application.send(TG_DELETE, tg_Delete_fields, remove, 32);
  EXPECT_THAT(application.answers_committed(), ElementsAre("error 3 code 3 field name"));
  // If the exchange is removed in another way, the device gets a Reject, and nothing crashes.
  hello(device, "welcome 0 durable 0");
  gateway.broker.defining().remove_exchange("readings", gateway.broker.next_receipt()).value();
  device.publish_reading(1, "a");
  EXPECT_THAT(device.answers(), ElementsAre("reject 1 code 2", "ack 1"));
}

TEST_F(devices, hello_is_checked) {
  const auto answer_to = [&](std::string_view device, std::uint32_t version) {
    peer peer(gateway_);
    tg_Hello hello{};
    hello.version = version;
    hello.device = bytes_of(device);
    peer.send(TG_HELLO, tg_Hello_fields, hello, 64);
    auto answers = peer.answers();
    EXPECT_EQ(peer.is_closing(), answers != std::vector<std::string>{"welcome 0 durable 0"});
    return answers;
  };
  EXPECT_THAT(answer_to("dev", 2), ElementsAre("welcome 10 durable 0"));
  EXPECT_THAT(answer_to("", 1), ElementsAre("welcome 1 durable 0"));
  EXPECT_THAT(answer_to("seventeen letters", 1), ElementsAre("welcome 1 durable 0"));
  EXPECT_THAT(answer_to("sixteen letters!", 1), ElementsAre("welcome 0 durable 0"));
}

TEST_F(devices, topics_are_checked) {
  for (const auto& [alias, key] :
       {std::pair<std::uint32_t, std::string>{0, "k"}, {256, "k"}, {1, "\xff"}, {1, std::string(256, 'k')}}) {
    peer peer(gateway_);
    hello(peer, "welcome 0 durable 0");
    peer.topic(alias, key);
    EXPECT_EQ(peer.answers().size(), 1u);
    EXPECT_TRUE(peer.is_closing());
  }
  peer peer(gateway_);
  hello(peer, "welcome 0 durable 0");
  peer.topic(255, "s.last");
  peer.publish_reading(255, "a");
  EXPECT_THAT(peer.answers_committed(), ElementsAre("ack 1"));
}

TEST_F(devices, a_cut_batch_keeps_what_came_before_the_cut) {
  peer peer(gateway_);
  hello(peer, "welcome 0 durable 0");
  //                       key len first boot  item            item, cut
  peer.send_bytes(from_hex("2a 0f 08 01 20 01 2a 05 08 01 1a 01 61 2a 05 08 01"));
  EXPECT_THAT(peer.answers(), ElementsAre("error 0 closing code 1 field "));
}

TEST_F(devices, what_is_missing_before_a_reading_in_memory_is_not_written_down) {
  gateway_.broker.defining().declare_queue({"live", durability::memory()}, gateway_.broker.next_receipt()).value();
  gateway_.broker.bind_queue("amq.topic", "live", "m");
  gateway_.broker.commit();
  const auto written = gateway_.broker->commits().figures().bytes_written;
  peer peer(gateway_);
  hello(peer, "welcome 0 durable 0", 5, 3);
  peer.topic(3, "m");
  peer.batch(3, {{3, 0, "a"}, {3, 0, "b"}});
  gateway_.broker->flush();
  EXPECT_THAT(peer.answers(), ElementsAre("ack 4"));
  peer.batch(9, {{3, 0, "c"}});
  gateway_.broker->flush();
  EXPECT_THAT(peer.answers(), ElementsAre("ack 9"));
  EXPECT_EQ(gateway_.broker->commits().figures().bytes_written, written);
  peer.batch(12, {{1, 0, "d"}});
  EXPECT_THAT(peer.answers_committed(), ElementsAre("ack 12"));
  const auto losses = gateway_.broker.inspecting().list_losses().value();
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_EQ(losses[0].record.first, 10u);
  class peer again(gateway_);
  hello(again, "welcome 0 durable 12", 13, 13);
}

TEST_F(devices, sequences_at_the_end_of_their_range_do_no_harm) {
  peer peer(gateway_);
  hello(peer, "welcome 0 durable 0", 0xFFFFFFFF, 0xFFFFFFFF);
  peer.batch(0xFFFFFFFE, {{1, 0, "a"}, {1, 0, "b"}, {1, 0, "c"}, {1, 0, "d"}});
  peer.batch(0, {{1, 0, "e"}});
  peer.publish_reading(1, "f");
  gateway_.broker.commit();
  peer.take();
  class peer again(gateway_);
  hello(again, "welcome 0 durable 4294967295", 0, 0);
}

TEST_F(devices, a_sleeper_may_be_silent_longer_but_not_for_ever) {
  const auto limit_of = [&](std::uint32_t sleep_seconds) {
    peer peer(gateway_);
    tg_Hello hello{};
    hello.version = 1;
    hello.device = bytes_of("dev");
    hello.sleep_seconds = sleep_seconds;
    peer.send(TG_HELLO, tg_Hello_fields, hello, 64);
    return peer.on().current_role()->silence_max();
  };
  EXPECT_EQ(limit_of(0), limits::heartbeat);
  EXPECT_EQ(limit_of(3'600) * 2, std::chrono::seconds(5'400));
  EXPECT_EQ(limit_of(0xFFFFFFFF), std::chrono::seconds(limits::device_sleep_max) * 3 / 4);
}

class devices_of_a_full_store : public testing::Test {
 protected:
  devices_of_a_full_store() {
    gateway_.broker.declare_queue("work");
    gateway_.broker.bind_queue("amq.topic", "work", "#");
    gateway_.broker.commit();
  }
  void fill(double share) {
    const auto& pages = gateway_.broker.storage().pages();
    while (static_cast<double>(pages.used_pages) < share * static_cast<double>(pages.map_pages)) {
      if (!gateway_.broker.try_publish("", "work", std::string(20'000, 'b'))) break;
      gateway_.broker.commit();
    }
  }
  void drain() {
    const auto consumer = gateway_.broker.consume("work");
    while (gateway_.broker.ready("work") > 0) {
      for (const auto& one : gateway_.broker.pull_all(consumer)) gateway_.broker.ack(consumer, one.offset);
      gateway_.broker.commit();
    }
  }
  gateway gateway_{{}, {8 << 20, 256 * 1024, {}}};
};

TEST_F(devices_of_a_full_store, are_not_admitted) {
  fill(1);
  peer peer(gateway_);
  peer.hello("dev");
  EXPECT_THAT(peer.answers(), ElementsAre("welcome 5 durable 0"));
  EXPECT_TRUE(peer.is_closing());
  drain();
  class peer again(gateway_);
  again.hello("dev");
  EXPECT_THAT(again.answers(), ElementsAre("welcome 0 durable 0"));
}

TEST_F(devices_of_a_full_store, are_closed_without_an_acknowledgement_and_go_on_later) {
  peer peer(gateway_);
  peer.hello("dev");
  peer.topic(1, "k");
  peer.publish_reading(1, "a");
  gateway_.broker.commit();
  peer.take();
  fill(1);
  peer.batch(2, {{1, 0, "b"}, {1, 0, "c"}});
  EXPECT_TRUE(peer.is_closing());
  EXPECT_THAT(peer.answers_committed(), IsEmpty());
  peer.drop();
  drain();
  class peer again(gateway_);
  again.hello("dev", 4, 2);
  EXPECT_THAT(again.answers(), ElementsAre("welcome 0 durable 1"));
  again.topic(1, "k");
  again.batch(2, {{1, 0, "b"}, {1, 0, "c"}});
  EXPECT_THAT(again.answers_committed(), ElementsAre("ack 3"));
}

TEST_F(devices_of_a_full_store, are_closed_when_the_map_runs_out_under_their_message) {
  fill(0.7);
  peer peer(gateway_);
  peer.hello("dev");
  peer.topic(1, "k");
  peer.take();
  peer.publish_reading(1, "void");
  for (int i = 0; i < 6; ++i) gateway_.broker.put("work", std::string(700'000, 'c'));
  gateway_.broker.flush();
  peer.publish_reading(1, "void, too");
  gateway_.broker.commit();
  EXPECT_TRUE(peer.is_closing());
  EXPECT_THAT(peer.answers(), IsEmpty());
  drain();
  class peer again(gateway_);
  again.hello("dev", 3, 1);
  EXPECT_THAT(again.answers(), ElementsAre("welcome 0 durable 0"));
  again.topic(1, "k");
  again.batch(1, {{1, 0, "1"}, {1, 0, "2"}});
  EXPECT_THAT(again.answers_committed(), ElementsAre("ack 2"));
}

}  // namespace
}  // namespace tidegate::native
