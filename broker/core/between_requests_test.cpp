// Tests that sessions receive events between requests only, whatever the requests cause; and that deliveries belong to
// their sessions and outlive their consumers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>
#include <set>

#include "broker/core/testing.hpp"

namespace tidegate::core {
namespace {

using testing::ElementsAre;
using testing::Pair;

// Knows whether a request is running. A request made inside another one ends the process.
class request_guard {
 public:
  template <class Work>
  auto operator()(const Work& work) {
    TIDEGATE_EXPECT(!std::exchange(is_inside_, true));
    struct leaving {
      bool& flag;
      ~leaving() { flag = false; }
    } leave{is_inside_};
    return work();
  }
  bool is_inside() const { return is_inside_; }

 private:
  bool is_inside_ = false;
};

// Three sessions that make random requests, also when they receive an event.
class busy_sessions {
 public:
  explicit busy_sessions(std::uint32_t seed) : random_(seed) {
    for (const char* const queue : {"a", "b"}) broker_.declare_queue(queue);
    broker_.defining().declare_queue({"live", durability::memory()}, {}).value();
    broker_.declare_topic("log");
    broker_.declare_exchange("all", exchange_type::fanout);
    for (const char* const queue : {"a", "b", "live"}) broker_.bind_queue("all", queue);
    broker_.bind_topic("all", "log");
    for (player& one : players_) one.join(*this);
    broker_.commit();
  }
  ~busy_sessions() {
    for (player& one : players_) one.leave();
  }

  void step() {
    switch (any(8)) {
      case 0: broker_.flush(); break;
      case 1:
        if (broker_.storage().is_busy()) broker_.finish();
        break;
      case 2: broker_->tell(); break;
      case 3: broker_->tick(); break;
      default: players_[any(players_.size())].act();
    }
  }
  std::uint64_t told() const { return told_; }
  std::size_t kinds() const { return kinds_.size(); }

 private:
  class player final : public session_events {
    template <class Work>
    auto ask(const Work& work) {
      return all_->guard_([&] { return work(all_->broker_.services()); });
    }

   public:
    void join(busy_sessions& all) {
      all_ = &all;
      id_ = ask([&](const api::services& core) { return core.sessions.attach(*this); });
    }
    void leave() {
      ask([&](const api::services& core) { core.sessions.detach(id_); });
      consumers_.clear();
    }

    void act() {
      static constexpr std::array<std::string_view, 3> queues{"a", "b", "live"};
      const std::string_view queue = queues[any(3)];
      switch (any(14)) {
        case 0:
        case 1:
        case 2: return publish(any(2) == 0 ? "all" : "", queue);
        case 3: return consume(queue);
        case 4: return cancel();
        case 5:
        case 6: return pull();
        case 7:
        case 8: return settle();
        case 9:
          ask([&](const api::services& core) { core.consuming.settle_through(id_, any(last_ + 1), outcome()); });
          return;
        case 10: ask([&](const api::services& core) { static_cast<void>(core.reading.watch(id_, "log", 0)); }); return;
        case 11:
          ask([&](const api::services& core) { static_cast<void>(core.sessions.lease(id_, {"one", {}, {}, true})); });
          return;
        case 12:
          if (any(8) != 0) return;
          ask([&](const api::services& core) { static_cast<void>(core.defining.remove_topic("log", {})); });
          return ask([&](const api::services& core) { static_cast<void>(core.defining.declare_topic({"log"}, {})); });
        default:
          if (any(4) != 0) return;
          leave();
          join(*all_);
      }
    }

    void settled(std::uint64_t, const error*) override { hear(0); }
    void cancelled(consumer_id) override {}
    void deliverable(consumer_id) override {
      hear(1);
      pull();
    }
    void changed(stream_id) override {
      hear(2);
      ask([&](const api::services& core) { static_cast<void>(core.reading.watch(id_, "log", 0)); });
    }
    void lease_lost(std::string_view) override { hear(3); }
    void resumed() override { hear(4); }

   private:
    std::uint32_t any(std::size_t below) { return all_->any(below); }
    api::outcome outcome() {
      return std::array{api::outcome::ack, api::outcome::requeue, api::outcome::discard}[any(3)];
    }

    void hear(int kind) {
      TIDEGATE_EXPECT(!all_->guard_.is_inside());
      ++all_->told_;
      all_->kinds_.insert(kind);
      if (any(3) == 0 && all_->told_ % 2 == 0) settle();
    }
    void publish(std::string_view exchange, std::string_view key) {
      message_view message;
      message.exchange = exchange;
      message.routing_key = key;
      message.body = "something";
      ask([&](const api::services& core) {
        if (core.publishing.accepts(id_)) core.publishing.publish(message, {{id_, 1}, std::nullopt, 0}).value();
      });
    }
    void consume(std::string_view queue) {
      if (consumers_.size() >= 4) return cancel();
      consumers_.push_back(ask([&](const api::services& core) {
        return core.consuming.consume(id_, queue, {5, any(5) == 0}).value();
      }));
    }
    void cancel() {
      if (consumers_.empty()) return;
      const consumer_id consumer = consumers_.back();
      consumers_.pop_back();
      ask([&](const api::services& core) {
        core.consuming.cancel(consumer, any(2) == 0 ? api::leftovers::stay_out : api::leftovers::requeue);
      });
    }
    void pull() {
      if (consumers_.empty()) return;
      const consumer_id consumer = consumers_[any(consumers_.size())];
      ask([&](const api::services& core) {
        const auto take = [&](const delivery_view& delivery) {
          last_ = delivery.number;
          return true;
        };
        core.consuming.pull(consumer, take).value();
      });
    }
    void settle() {
      ask([&](const api::services& core) {
        core.consuming.settle(id_, last_ - any(std::min<std::uint64_t>(last_ + 1, 8)), outcome());
      });
    }

    busy_sessions* all_ = nullptr;
    session_id id_{};
    std::vector<consumer_id> consumers_;
    std::uint64_t last_ = 0;  // number of the newest delivery
  };

  std::uint32_t any(std::size_t below) { return static_cast<std::uint32_t>(random_() % below); }

  std::mt19937 random_;
  request_guard guard_;
  stepping_broker broker_;
  std::array<player, 3> players_;
  std::uint64_t told_ = 0;
  std::set<int> kinds_;
};

TEST(between_requests, sessions_are_told_and_never_inside_one) {
  busy_sessions all(1);
  for (int i = 0; i < 20'000; ++i) all.step();
  EXPECT_GT(all.told(), 1'000u);
  EXPECT_GE(all.kinds(), 4u);
}

TEST(between_requests, who_found_core_full_hears_when_it_is_not_and_nobody_else) {
  stepping_options options;
  options.core.group_bytes_max = 1'000;
  stepping_broker broker(options);
  broker.declare_queue("work");
  broker.commit();
  noting_session other_told;
  const auto other = broker.sessions().attach(other_told);
  while (broker.publishing().accepts(broker.session())) broker.put("work", "something");
  broker.commit();
  EXPECT_EQ(broker.noted().resumptions, 1);
  EXPECT_EQ(other_told.resumptions, 0);
  EXPECT_TRUE(broker.publishing().accepts(other));
  broker.put("work", "more");
  broker.commit();
  EXPECT_EQ(broker.noted().resumptions, 1);
}

class outliving : public testing::Test {
 protected:
  outliving() {
    broker_.declare_queue("work", [](auto& queue) { queue.delivery_limit = 0; });
    broker_.commit();
  }
  void fill(int count) {
    for (int i = 0; i < count; ++i) broker_.put("work", std::to_string(next_++));
    broker_.commit();
  }
  stepping_broker broker_;
  int next_ = 0;
};

TEST_F(outliving, deliveries_stay_with_the_session_and_can_still_be_settled) {
  fill(4);
  const auto consumer = broker_.consume("work");
  EXPECT_EQ(broker_.pull_all(consumer).size(), 4u);
  broker_.cancel(consumer, api::leftovers::stay_out);
  EXPECT_EQ(broker_.ready("work"), 0u);
  EXPECT_TRUE(broker_.ack(consumer, 1));
  EXPECT_TRUE(broker_.requeue(consumer, 3));
  EXPECT_TRUE(broker_.requeue(consumer, 0));
  EXPECT_FALSE(broker_.ack(consumer, 0));
  EXPECT_THAT(bodies(broker_.pull_all(broker_.consume("work"))), ElementsAre("0", "3"));
  EXPECT_TRUE(broker_.ack(consumer, 2));
  broker_.reopen_closed();
  EXPECT_THAT(bodies(broker_.pull_all(broker_.consume("work"))), ElementsAre("0", "3"));
}

TEST_F(outliving, they_are_nobodys_once_their_queue_is_deleted) {
  fill(2);
  const auto consumer = broker_.consume("work");
  broker_.pull_all(consumer);
  broker_.cancel(consumer, api::leftovers::stay_out);
  broker_.defining().remove_queue("work", broker_.next_receipt()).value();
  EXPECT_FALSE(broker_.ack(consumer, 0));
  broker_.commit();
  broker_.detach(broker_.session());
}

// Consumers are cancelled, deliveries are settled and sessions are closed at random. Each message is delivered until it
// is acknowledged, and in the original order when all messages have been requeued.
TEST_F(outliving, each_comes_once_and_in_order) {
  std::mt19937 random(2);
  const auto any = [&](std::size_t below) { return static_cast<std::size_t>(random() % below); };
  std::set<std::string> acknowledged;
  for (int round = 0; round < 300; ++round) {
    fill(static_cast<int>(any(20)));
    noting_session told;
    const auto session = broker_.sessions().attach(told);
    std::vector<std::pair<consumer_id, stepping_broker::delivered>> out;
    std::vector<consumer_id> consumers;
    for (int step = 0; step < 30; ++step) {
      if (consumers.empty() || any(6) == 0) consumers.push_back(broker_.consume_as(session, "work", 7));
      const consumer_id consumer = consumers[any(consumers.size())];
      switch (any(4)) {
        case 0:
          for (auto& one : broker_.pull(consumer)) out.emplace_back(consumer, one);
          break;
        case 1: {
          const bool stays = any(2) == 0;
          broker_.cancel(consumer, stays ? api::leftovers::stay_out : api::leftovers::requeue);
          std::erase(consumers, consumer);
          if (!stays) std::erase_if(out, [&](const auto& one) { return one.first == consumer; });
          break;
        }
        default: {
          if (out.empty()) break;
          const auto [from, message] = out[any(out.size())];
          std::erase_if(out, [&](const auto& one) { return one.second.offset == message.offset; });
          if (any(2) == 0) {
            ASSERT_TRUE(broker_.ack(from, message.offset));
            ASSERT_TRUE(acknowledged.insert(message.body).second);
          } else {
            ASSERT_TRUE(broker_.requeue(from, message.offset));
          }
        }
      }
    }
    broker_.detach(session);
    ASSERT_EQ(broker_.ready("work") + acknowledged.size(), static_cast<std::size_t>(next_));
  }
  std::vector<std::string> expected;
  for (int i = 0; i < next_; ++i) {
    if (!acknowledged.contains(std::to_string(i))) expected.push_back(std::to_string(i));
  }
  EXPECT_EQ(bodies(broker_.pull_all(broker_.consume("work"))), expected);
}

}  // namespace
}  // namespace tidegate::core
