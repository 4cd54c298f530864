// Dead letters through the whole of core: why a message dies, where it goes, and that it is in one place only.
#include <gmock/gmock.h>

#include <random>
#include <set>

#include "broker/core/testing.hpp"

namespace tidegate::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class dead_letters : public testing::Test {
 protected:
  static auto to(std::string exchange, std::optional<std::string> key = {}) {
    return [=](api::queue_request& request) {
      request.dead_letter_exchange = exchange;
      request.dead_letter_key = key;
    };
  }
  // `work` dead-letters to `dead` through the default exchange.
  void declare_pair(const std::function<void(api::queue_request&)>& set = [](auto&) {}) {
    broker_.declare_queue("work", [&](api::queue_request& request) {
      to("", "dead")(request);
      set(request);
    });
    broker_.declare_queue("dead");
    broker_.commit();
  }
  std::vector<stepping_broker::delivered> take(std::string_view queue) {
    return broker_.pull_all(broker_.consume(queue, 0, true));
  }
  std::vector<api::loss_row> losses() { return broker_.inspecting().list_losses(0, 100).value(); }

  stepping_broker broker_;
};

TEST_F(dead_letters, a_discarded_message_dies_and_tells_how) {
  declare_pair();
  broker_.clock.set_wall(std::chrono::seconds(1'700'000'000));
  broker_.clock.trust_wall(true);
  broker_.put("work", "a");
  broker_.commit();
  const auto consumer = broker_.consume("work");
  const auto offset = broker_.pull_all(consumer).at(0).offset;
  EXPECT_TRUE(broker_.discard(consumer, offset));
  EXPECT_EQ(broker_.ready("dead"), 0u) << "before the commit";
  broker_.commit();
  EXPECT_EQ(broker_.ready("work"), 0u);
  const auto dead = take("dead");
  ASSERT_THAT(dead, SizeIs(1));
  EXPECT_EQ(dead[0].body, "a");
  EXPECT_EQ(dead[0].exchange, "");
  EXPECT_EQ(dead[0].routing_key, "dead");
  EXPECT_FALSE(dead[0].redelivered);
  const deaths expected{
      {{"work", death_reason::rejected, 1, 1'700'000'000'000, "", {"work"}}}, "work", "", death_reason::rejected};
  EXPECT_EQ(dead[0].deaths, expected);
  EXPECT_EQ(broker_.counts().dead_lettered, 1u);
  EXPECT_THAT(losses(), IsEmpty());
}

TEST_F(dead_letters, keep_their_routing_key_unless_the_queue_has_one) {
  broker_.declare_exchange("dlx", exchange_type::topic);
  broker_.declare_queue("work", to("dlx"));
  broker_.declare_queue("all");
  broker_.bind_queue("dlx", "all", "#");
  broker_.bind_queue("amq.topic", "work", "plant.#");
  broker_.publish("amq.topic", "plant.1", "a");
  broker_.commit();
  const auto consumer = broker_.consume("work");
  broker_.discard(consumer, broker_.pull_all(consumer).at(0).offset);
  broker_.commit();
  const auto dead = take("all");
  ASSERT_THAT(dead, SizeIs(1));
  EXPECT_EQ(dead[0].exchange, "dlx");
  EXPECT_EQ(dead[0].routing_key, "plant.1");
  EXPECT_EQ(dead[0].deaths.first_exchange, "amq.topic");
  EXPECT_THAT(dead[0].deaths.list.at(0).routing_keys, ElementsAre("plant.1"));
}

TEST_F(dead_letters, survive_a_kill_with_their_deaths) {
  declare_pair();
  broker_.put("work", "a");
  broker_.commit();
  const auto consumer = broker_.consume("work");
  broker_.discard(consumer, broker_.pull_all(consumer).at(0).offset);
  broker_.commit();
  broker_.reopen_killed();
  EXPECT_EQ(broker_.ready("work"), 0u);
  EXPECT_EQ(take("dead").at(0).deaths.first_queue, "work");
}

TEST_F(dead_letters, a_kill_before_the_commit_leaves_them_where_they_were) {
  declare_pair();
  broker_.put("work", "a");
  broker_.commit();
  const auto consumer = broker_.consume("work");
  broker_.discard(consumer, broker_.pull_all(consumer).at(0).offset);
  broker_.reopen_killed();
  EXPECT_EQ(broker_.ready("work"), 1u);
  EXPECT_EQ(broker_.ready("dead"), 0u);
}

TEST_F(dead_letters, without_an_exchange_a_discarded_message_is_gone_and_no_loss) {
  broker_.declare_queue("work");
  broker_.put("work", "a");
  broker_.commit();
  const auto consumer = broker_.consume("work");
  broker_.discard(consumer, broker_.pull_all(consumer).at(0).offset);
  broker_.commit();
  EXPECT_EQ(broker_.ready("work"), 0u);
  EXPECT_THAT(losses(), IsEmpty());
}

TEST_F(dead_letters, that_nothing_takes_are_recorded_as_lost) {
  broker_.declare_queue("work", to("no such exchange"));
  broker_.declare_queue("other", to("amq.direct", "nobody"));
  for (const std::string queue : {"work", "other"}) {
    broker_.put(queue, "a");
    broker_.commit();
    const auto consumer = broker_.consume(queue);
    broker_.discard(consumer, broker_.pull_all(consumer).at(0).offset);
    broker_.commit();
    ASSERT_FALSE(losses().empty());
    EXPECT_EQ(losses().back().name, queue);
    EXPECT_EQ(losses().back().record.reason, store::loss_reason::dead_letter_refused);
    EXPECT_EQ(losses().back().record.records, 1u);
  }
}

TEST_F(dead_letters, a_target_that_refuses_is_left_out) {
  broker_.declare_exchange("dlx", exchange_type::fanout);
  broker_.declare_queue("work", to("dlx"));
  broker_.declare_queue("full", [](auto& one) {
    one.messages_max = 1;
    one.overflow = overflow::reject;
  });
  broker_.declare_queue("open");
  broker_.bind_queue("dlx", "full");
  broker_.bind_queue("dlx", "open");
  for (const std::string body : {"a", "b"}) broker_.put("work", body);
  broker_.commit();
  const auto consumer = broker_.consume("work");
  for (const auto& one : broker_.pull_all(consumer)) broker_.discard(consumer, one.offset);
  broker_.commit();
  EXPECT_THAT(bodies(take("full")), ElementsAre("a"));
  EXPECT_THAT(bodies(take("open")), ElementsAre("a", "b"));
  EXPECT_THAT(losses(), IsEmpty());
}

TEST_F(dead_letters, may_go_to_a_topic) {
  broker_.declare_queue("work", to("amq.fanout"));
  broker_.declare_topic("dead.log");
  broker_.bind_topic("amq.fanout", "dead.log");
  broker_.put("work", "a");
  broker_.commit();
  const auto consumer = broker_.consume("work");
  broker_.discard(consumer, broker_.pull_all(consumer).at(0).offset);
  broker_.commit();
  const auto records = broker_.read("dead.log", 0, 0);
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_EQ(records[0].body, "a");
  EXPECT_EQ(records[0].headers, "tg-routing-key,tg-exchange,tg-death-queue,tg-death-reason,");
}

// ---------------------------------------------------------------------------------------------- delivery limit

TEST_F(dead_letters, the_limit_counts_across_restarts) {
  declare_pair([](auto& one) { one.delivery_limit = 2; });
  broker_.put("work", "a");
  broker_.commit();
  for (std::uint32_t i = 0; i < 3; ++i) {
    const auto consumer = broker_.consume("work");
    const auto taken = broker_.pull_all(consumer);
    ASSERT_THAT(taken, SizeIs(1)) << i;
    EXPECT_EQ(taken[0].deliveries, i);
    broker_.requeue(consumer, taken[0].offset);
    broker_.reopen_closed();
  }
  EXPECT_EQ(broker_.ready("work"), 0u);
  EXPECT_EQ(take("dead").at(0).deaths.first_reason, death_reason::delivery_limit);
}

TEST_F(dead_letters, by_default_the_limit_is_twenty_and_the_loss_is_recorded) {
  broker_.declare_queue("work");
  broker_.declare_queue("endless", [](auto& one) { one.delivery_limit = 0; });
  for (const std::string queue : {"work", "endless"}) {
    broker_.put(queue, "a");
    broker_.commit();
    const auto consumer = broker_.consume(queue);
    std::size_t deliveries = 0;
    for (int i = 0; i < 40; ++i) {
      for (const auto& one : broker_.pull_all(consumer)) {
        ++deliveries;
        broker_.requeue(consumer, one.offset);
      }
    }
    EXPECT_EQ(deliveries, queue == "work" ? limits::delivery_limit + 1u : 40u);
  }
  broker_.commit();
  ASSERT_THAT(losses(), SizeIs(1));
  EXPECT_EQ(losses()[0].record.reason, store::loss_reason::delivery_limit);
  EXPECT_EQ(losses()[0].record.bytes, 1u);
}

// ---------------------------------------------------------------------------------------------------- overflow

TEST_F(dead_letters, what_a_bound_drops_dies_oldest_first) {
  declare_pair([](auto& one) { one.messages_max = 2; });
  for (int i = 0; i < 5; ++i) broker_.put("work", std::to_string(i));
  broker_.commit();
  broker_.commit();
  EXPECT_EQ(broker_.ready("work"), 2u);
  const auto dead = take("dead");
  EXPECT_THAT(bodies(dead), ElementsAre("0", "1", "2"));
  EXPECT_EQ(dead.at(0).deaths.first_reason, death_reason::maxlen);
  EXPECT_THAT(bodies(take("work")), ElementsAre("3", "4"));
  EXPECT_THAT(losses(), IsEmpty());
}

TEST_F(dead_letters, what_a_bound_in_bytes_drops_dies_on_flash_and_in_memory) {
  for (const bool in_memory : {false, true}) {
    const std::string name = in_memory ? "memory" : "flash";
    broker_.declare_queue(name, [&](auto& one) {
      one.exclusive = in_memory;
      one.bytes_max = 10;
      to("", name + ".dead")(one);
    });
    broker_.declare_queue(name + ".dead", [&](auto& one) { one.exclusive = in_memory; });
    for (const std::string body : {"12345", "67890", "abc"}) {
      broker_.put(name, body);
      broker_.commit();
    }
    broker_.commit();
    EXPECT_THAT(bodies(take(name + ".dead")), ElementsAre("12345")) << name;
    EXPECT_THAT(bodies(take(name)), ElementsAre("67890", "abc"));
  }
}

// What a step causes needs another step, and asks for it.
TEST_F(dead_letters, ask_for_the_turn_in_which_they_arrive) {
  declare_pair([](auto& one) {
    one.exclusive = true;
    one.messages_max = 1;
  });
  bool is_asked = false;
  broker_->on_work([&](milliseconds wait) { is_asked = is_asked || wait.count() == 0; });
  for (const std::string body : {"a", "b"}) {
    broker_.put("work", body);
    while (std::exchange(is_asked, false)) broker_->flush();
  }
  EXPECT_EQ(broker_.ready("work"), 1u);
  broker_.clock.advance(milliseconds(50));
  broker_.commit();
  EXPECT_EQ(broker_.ready("dead"), 1u);
  broker_.declare_queue("mine", [](auto& one) {
    one.exclusive = true;
    one.messages_max = 1;
    one.dead_letter_exchange = "";
    one.dead_letter_key = "my dead";
  });
  broker_.declare_queue("my dead", [](auto& one) { one.exclusive = true; });
  for (const std::string body : {"a", "b"}) {
    broker_.put("mine", body);
    while (std::exchange(is_asked, false)) broker_->flush();
  }
  EXPECT_EQ(broker_.ready("my dead"), 1u);
  broker_->on_work([](milliseconds) {});
}

TEST_F(dead_letters, a_refused_message_dies_if_the_queue_says_so) {
  declare_pair([](auto& one) {
    one.messages_max = 1;
    one.overflow = overflow::reject_dead_letter;
  });
  broker_.put("work", "a");
  const auto refused = broker_.try_publish("", "work", "b");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::target_full);
  broker_.commit();
  EXPECT_THAT(bodies(take("work")), ElementsAre("a"));
  const auto dead = take("dead");
  EXPECT_THAT(bodies(dead), ElementsAre("b"));
  EXPECT_EQ(dead.at(0).deaths.first_reason, death_reason::maxlen);
}

// Trap: what a full queue drops goes to a full queue, which drops to the first one, each with room for one message.
TEST_F(dead_letters, two_full_queues_that_point_at_each_other_come_to_an_end) {
  const auto full = [&](std::string other) {
    return [=](api::queue_request& request) {
      to("", other)(request);
      request.messages_max = 1;
    };
  };
  broker_.declare_queue("a", full("b"));
  broker_.declare_queue("b", full("a"));
  constexpr std::uint64_t count = 500;
  for (std::uint64_t i = 0; i < count; ++i) {
    broker_.put(i % 2 == 0 ? "a" : "b", std::to_string(i));
    if (i % 7 == 0) broker_.commit();
  }
  for (int i = 0; i < 10; ++i) broker_.commit();
  EXPECT_EQ(broker_.ready("a"), 1u);
  EXPECT_EQ(broker_.ready("b"), 1u);
  std::uint64_t lost = 0;
  for (const auto& row : losses()) {
    EXPECT_EQ(row.record.reason, store::loss_reason::dead_letter_refused);
    lost += row.record.records;
  }
  EXPECT_EQ(lost, count - 2);
  EXPECT_TRUE(broker_->is_idle());
}

// ------------------------------------------------------------------------------------------------------ cycles

TEST_F(dead_letters, a_chain_that_points_at_itself_drops_what_only_circulates) {
  broker_.declare_queue("self", [](auto& one) {
    one.dead_letter_exchange = "";
    one.time_to_live = milliseconds(10);
  });
  broker_.put("self", "a");
  broker_.commit();
  broker_.pass(milliseconds(20));
  EXPECT_EQ(broker_.ready("self"), 0u);
  ASSERT_THAT(losses(), SizeIs(1));
  EXPECT_EQ(losses()[0].record.reason, store::loss_reason::dead_letter_refused);
}

TEST_F(dead_letters, a_discarded_message_may_enter_its_queue_again) {
  broker_.declare_queue("self", to(""));
  broker_.put("self", "a");
  broker_.commit();
  for (std::uint64_t i = 1; i <= 3; ++i) {
    const auto consumer = broker_.consume("self");
    const auto taken = broker_.pull_all(consumer);
    ASSERT_THAT(taken, SizeIs(1));
    if (i > 1) {
      ASSERT_THAT(taken[0].deaths.list, SizeIs(1));
      EXPECT_EQ(taken[0].deaths.list[0].count, i - 1);
    }
    broker_.discard(consumer, taken[0].offset);
    broker_.commit();
    broker_.cancel(consumer);
  }
}

TEST_F(dead_letters, the_list_of_deaths_is_bounded_and_forgets_the_oldest) {
  constexpr int queues = 60;
  for (int i = 0; i < queues; ++i) {
    broker_.declare_queue(std::string(200, 'q') + std::to_string(i),
                          to("", std::string(200, 'q') + std::to_string(i + 1)));
  }
  broker_.declare_queue(std::string(200, 'q') + std::to_string(queues));
  broker_.put(std::string(200, 'q') + "0", "a");
  broker_.commit();
  for (int i = 0; i < queues; ++i) {
    const auto consumer = broker_.consume(std::string(200, 'q') + std::to_string(i));
    broker_.discard(consumer, broker_.pull_all(consumer).at(0).offset);
    broker_.commit();
  }
  const auto last = take(std::string(200, 'q') + std::to_string(queues)).at(0);
  EXPECT_LE(encode(last.deaths).size(), limits::deaths_bytes);
  EXPECT_GT(last.deaths.list.size(), 10u);
  EXPECT_EQ(last.deaths.list.at(0).queue, std::string(200, 'q') + std::to_string(queues - 1));
  EXPECT_EQ(last.deaths.first_queue, std::string(200, 'q') + "0");
}

// --------------------------------------------------------------------------------------------------- in memory

TEST_F(dead_letters, move_between_memory_and_flash) {
  const auto memory = [&](std::string other) {
    return [=](api::queue_request& request) {
      request.durability = durability::memory();
      if (!other.empty()) to("", other)(request);
    };
  };
  broker_.declare_queue("m1", memory("m2"));
  broker_.declare_queue("m2", memory("f"));
  broker_.declare_queue("f", to("", "m3"));
  broker_.declare_queue("m3", memory(""));
  broker_.put("m1", "a");
  broker_.commit();
  for (const std::string queue : {"m1", "m2", "f"}) {
    const auto consumer = broker_.consume(queue);
    const auto taken = broker_.pull_all(consumer);
    ASSERT_THAT(taken, SizeIs(1)) << queue;
    broker_.discard(consumer, taken[0].offset);
    broker_.commit();
    EXPECT_EQ(broker_.ready(queue), 0u);
  }
  EXPECT_THAT(take("m3").at(0).deaths.list, SizeIs(3));
}

// -------------------------------------------------------------------------------------------------- full store

// Trap: if the writer has no room for a group, what left in it is back in its place, and nowhere else.
TEST(moves_without_room, leave_every_message_in_one_place) {
  bool refuses = false;
  stepping_options options;
  options.refuses_records = [&] { return refuses; };
  stepping_broker broker(options);
  broker.declare_queue("work", [](auto& one) {
    one.dead_letter_exchange = "";
    one.dead_letter_key = "dead";
    one.delivery_limit = 0;
  });
  broker.declare_queue("dead");
  constexpr std::size_t count = 40;
  for (std::size_t i = 0; i < count; ++i) broker.put("work", std::to_string(i));
  broker.commit();
  std::mt19937 random(3);
  for (int step = 0; step < 400; ++step) {
    const auto consumer = broker.consume("work", 5);
    for (const auto& one : broker.pull(consumer)) broker.discard(consumer, one.offset);
    refuses = random() % 2 == 0;
    broker.commit();
    refuses = false;
    broker.cancel(consumer);
    if (random() % 5 == 0) broker.reopen_killed();
    ASSERT_EQ(broker.ready("work") + broker.ready("dead"), count) << "step " << step;
  }
  EXPECT_EQ(broker.ready("work"), 0u);
  const auto dead = broker.pull_all(broker.consume("dead"));
  std::set<std::string> seen;
  for (const auto& one : dead) seen.insert(one.body);
  EXPECT_EQ(seen.size(), count);
  EXPECT_EQ(dead.size(), count);
}

// --------------------------------------------------------------------------------------------------- declaring

TEST_F(dead_letters, declarations_that_make_no_sense_are_refused) {
  const auto refusal = [&](const std::function<void(api::queue_request&)>& set) {
    api::queue_request request{"q"};
    set(request);
    const auto declared = broker_.defining().declare_queue(request, broker_.next_receipt());
    return declared ? std::string("none") : declared.error().field;
  };
  EXPECT_EQ(refusal([](auto& one) { one.dead_letter_key = "k"; }), "dead_letter_key");
  EXPECT_EQ(refusal([](auto& one) { one.overflow = overflow::reject_dead_letter; }), "overflow");
  EXPECT_EQ(refusal([](auto& one) { one.dead_letter_exchange = std::string(300, 'x'); }), "dead_letter_exchange");
  EXPECT_EQ(refusal([](auto& one) { one.expires = milliseconds(0); }), "expires");
  EXPECT_EQ(refusal([](auto& one) { one.time_to_live = milliseconds(-1); }), "time_to_live");
  EXPECT_EQ(refusal([](auto& one) { one.time_to_live = limits::time_to_live_max + milliseconds(1); }), "time_to_live");
  EXPECT_EQ(refusal([](auto& one) { one.priority_max = 256; }), "priority_max");
  EXPECT_EQ(refusal([](auto& one) {
              one.retry_delay = milliseconds(10);
              one.retry_delay_max = milliseconds(5);
            }),
            "retry_delay_max");
}

TEST_F(dead_letters, attributes_are_compared_when_a_queue_is_declared_again) {
  declare_pair([](auto& one) {
    one.time_to_live = milliseconds(10);
    one.expires = milliseconds(20);
    one.delivery_limit = 3;
    one.priority_max = 4;
    one.retry_delay = milliseconds(5);
    one.retry_delay_max = milliseconds(6);
  });
  const auto refusal = [&](const std::function<void(api::queue_request&)>& set) {
    api::queue_request request{"work"};
    set(request);
    const auto declared = broker_.defining().declare_queue(request, broker_.next_receipt());
    return declared ? std::string("none") : declared.error().text;
  };
  EXPECT_EQ(refusal([](auto&) {}), "none");
  EXPECT_EQ(refusal([](auto& one) { one.time_to_live = milliseconds(11); }),
            "queue 'work' has time_to_live 10, not 11");
  EXPECT_EQ(refusal([](auto& one) { one.expires = milliseconds(21); }), "queue 'work' has expires 20, not 21");
  EXPECT_EQ(refusal([](auto& one) { one.dead_letter_exchange = "x"; }),
            "queue 'work' has dead_letter_exchange , not x");
  EXPECT_EQ(refusal([](auto& one) { one.delivery_limit = 20; }), "queue 'work' has delivery_limit 3, not 20");
  EXPECT_EQ(refusal([](auto& one) { one.priority_max = 5; }), "queue 'work' has priority_max 4, not 5");
  broker_.reopen_killed();
  EXPECT_EQ(refusal([](auto& one) { one.retry_delay = milliseconds(4); }), "queue 'work' has retry_delay 5, not 4");
}

}  // namespace
}  // namespace tidegate::core
