// Compares a queue with a model of how messages live and die: random publishes with priorities and times to live,
// deliveries, acknowledgements, returns, discards, cancelled consumers, time that passes, and kills that undo what was
// not committed. Order, counts of deliveries and causes of death have to be the model's.
#include <gmock/gmock.h>

#include <cstdlib>
#include <map>
#include <random>

#include "broker/core/testing.hpp"
#include "broker/store/scratch_store.hpp"

namespace tidegate::core {
namespace {

constexpr std::uint32_t limit = 3;  // of deliveries
constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

struct life {
  std::int64_t due = never;
  std::uint32_t deliveries = 0;
};
// Highest priority first, then the order of publishing.
using place = std::pair<int, int>;

struct model_state {
  std::map<place, life> ready, out;
  std::map<int, death_reason> dead;  // by the message's number
};

class living_queue {
 public:
  explicit living_queue(std::uint32_t seed) : random_(seed) {
    broker_.declare_queue("work", [](auto& one) {
      one.priority_max = 2;
      one.delivery_limit = limit;
      one.dead_letter_exchange = "";
      one.dead_letter_key = "dead";
    });
    broker_.declare_queue("dead");
    commit();
  }

  void step() {
    const auto dice = any(100);
    if (dice < 30) return publish();
    if (dice < 50) return pull();
    if (dice < 80) return settle();
    if (dice < 84) return cancel();
    if (dice < 96) return pass();
    if (dice < 99) return commit();
    kill();
  }
  void finish() {
    pass();
    compare();
    std::map<int, death_reason> found;
    for (const auto& one : broker_.pull_all(broker_.consume("dead", 0, true))) {
      found[std::stoi(one.body)] = one.deaths.list.at(0).reason;
      ASSERT_EQ(one.deaths.list.size(), 1u);
    }
    ASSERT_EQ(found, now_.dead);
    for (const auto reason : {death_reason::rejected, death_reason::expired, death_reason::delivery_limit}) {
      const auto is_it = [&](const auto& one) { return one.second == reason; };
      EXPECT_GT(std::count_if(found.begin(), found.end(), is_it), 20) << name(reason);
    }
    EXPECT_GT(kills_, 10);
  }

 private:
  std::uint32_t any(std::size_t below) { return static_cast<std::uint32_t>(random_() % below); }

  void publish() {
    const int level = static_cast<int>(any(3)), number = next_++;
    const std::int64_t lives = any(2) == 0 ? 0 : any(1'000) + 1;
    broker_.put_for("work", std::to_string(number), lives == 0 ? "" : std::to_string(lives),
                    static_cast<std::uint8_t>(level));
    coming_[{-level, number}] = {lives == 0 ? never : time_ + lives, 0};
  }

  void pull() {
    if (consumers_.size() < 3 && any(3) == 0) consumers_.push_back(broker_.consume("work", 1 + any(6)));
    if (consumers_.empty()) return;
    const consumer_id consumer = consumers_[any(consumers_.size())];
    for (const auto& one : broker_.pull(consumer)) {
      while (!now_.ready.empty() && now_.ready.begin()->second.due <= time_) {
        die(now_.ready, now_.ready.begin(), death_reason::expired);
      }
      ASSERT_FALSE(now_.ready.empty());
      const auto first = now_.ready.begin();
      ASSERT_EQ(std::stoi(one.body), first->first.second);
      ASSERT_EQ(one.deliveries, first->second.deliveries);
      out_.push_back({consumer, one.number, first->first});
      now_.out.insert(now_.ready.extract(first));
    }
  }

  template <class Iterator>
  void die(std::map<place, life>& from, Iterator one, death_reason reason) {
    now_.dead[one->first.second] = reason;
    from.erase(one);
  }

  void settle() {
    if (out_.empty()) return;
    std::swap(out_[any(out_.size())], out_.back());
    const auto [consumer, number, place] = out_.back();
    out_.pop_back();
    const auto one = now_.out.find(place);
    switch (any(4)) {
      case 0:
        ASSERT_TRUE(broker_.settle_number(number, api::outcome::discard));
        return die(now_.out, one, death_reason::rejected);
      case 1:
        ASSERT_TRUE(broker_.settle_number(number, api::outcome::ack));
        now_.out.erase(one);
        return;
      default: ASSERT_TRUE(broker_.settle_number(number, api::outcome::requeue)); return give_back(one);
    }
  }
  void give_back(std::map<place, life>::iterator one) {
    if (one->second.due <= time_) return die(now_.out, one, death_reason::expired);
    if (one->second.deliveries >= limit) return die(now_.out, one, death_reason::delivery_limit);
    ++one->second.deliveries;
    now_.ready.insert(now_.out.extract(one));
  }

  void cancel() {
    if (consumers_.empty()) return;
    const consumer_id consumer = consumers_.back();
    consumers_.pop_back();
    broker_.cancel(consumer);
    std::erase_if(out_, [&](const auto& one) {
      if (one.consumer == consumer) give_back(now_.out.find(one.place));
      return one.consumer == consumer;
    });
  }

  void pass() {
    const auto time = static_cast<std::int64_t>(any(60));
    // What is due before it is on flash is looked at again 50 ms later.
    broker_.pass(milliseconds(time));
    broker_.pass(milliseconds(60));
    time_ += time + 60;
    arrive();
    for (auto one = now_.ready.begin(); one != now_.ready.end();) {
      const auto next = std::next(one);
      if (one->second.due <= time_) die(now_.ready, one, death_reason::expired);
      one = next;
    }
    broker_.pass(milliseconds(0));
    committed_ = now_;
    compare();
  }
  void commit() {
    broker_.commit();
    arrive();
    committed_ = now_;
  }
  void arrive() { now_.ready.merge(std::exchange(coming_, {})); }

  // Everything since the last commit is undone, and what was out is ready again.
  void kill() {
    ++kills_;
    broker_.reopen_killed();
    coming_.clear();
    now_ = committed_;
    now_.ready.merge(now_.out);
    now_.out.clear();
    out_.clear();
    consumers_.clear();
    pass();
  }

  void compare() {
    ASSERT_EQ(broker_.ready("work"), now_.ready.size());
    ASSERT_EQ(broker_.ready("dead"), now_.dead.size());
  }

  struct out_entry {
    consumer_id consumer;
    std::uint64_t number;
    core::place place;
  };

  std::mt19937 random_;
  stepping_broker broker_{{256 << 20, 4 << 20, {}}};
  model_state now_, committed_;
  std::map<place, life> coming_;  // published and not committed
  std::vector<out_entry> out_;
  std::vector<consumer_id> consumers_;
  std::int64_t time_ = 0;
  int next_ = 0, kills_ = 0;
};

// TIDEGATE_SEED=n repeats a run.
TEST(life_model, queues_keep_order_counts_and_causes_of_death) {
  const char* const given = std::getenv("TIDEGATE_SEED");
  const auto seed = given == nullptr ? 9u : static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10));
  SCOPED_TRACE(fmt::format("seed {}", seed));
  living_queue queue(seed);
  const int steps = store::rounds(10'000, 100'000);
  for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) queue.step();
  if (!testing::Test::HasFatalFailure()) queue.finish();
}

}  // namespace
}  // namespace tidegate::core
