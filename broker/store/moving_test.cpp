// Messages move from one queue to another in one commit. If the store has no room for them, they stay where they are.
#include <gmock/gmock.h>

#include "broker/store/scratch_store.hpp"

namespace tidegate::store {
namespace {

using testing::ElementsAre;

// Moves random messages between two queues, each with an acknowledgement that is tied to the copy. The map is full
// again and again.
class mover {
 public:
  explicit mover(std::uint32_t seed, scratch_options options) : random_(seed), store_(options) {
    for (stream_id& queue : queues_) queue = store_.make_queue();
    store_.commit();
  }

  std::uint32_t any(std::uint64_t below) { return static_cast<std::uint32_t>(random_() % below); }
  bool chance(std::uint32_t one_in) { return any(one_in) == 0; }
  int voids() const { return voids_; }

  void step(std::size_t body_bytes) {
    std::array<std::map<offset_t, std::string>, 2> fresh;
    std::vector<std::pair<int, offset_t>> settled, moved;
    for (std::size_t left = any(4); left > 0; --left) {
      const int to = static_cast<int>(any(2));
      const std::string body = fmt::format("{}-{}", next_id_++, std::string(any(body_bytes), 'x'));
      fresh[to].emplace(store_.append(queues_[to], body), body);
    }
    std::set<std::pair<int, offset_t>> touched;
    for (std::size_t left = any(6); left > 0; --left) {
      const int from = static_cast<int>(any(2));
      auto message = live_[from].lower_bound(any(store_.next(queues_[from]) + 1));
      if (message == live_[from].end()) message = live_[from].begin();
      if (message == live_[from].end() || !touched.emplace(from, message->first).second) continue;
      if (chance(3)) {
        store_.ack(queues_[from], message->first);
        settled.emplace_back(from, message->first);
      } else {
        fresh[1 - from].emplace(store_.append(queues_[1 - from], message->second), message->second);
        store_.open_group().ack_tied(queues_[from], {message->first, message->first + 1});
        moved.emplace_back(from, message->first);
      }
    }
    const bool is_stored = store_.commit().appends_stored;
    voids_ += is_stored ? 0 : 1;
    if (is_stored) settled.insert(settled.end(), moved.begin(), moved.end());
    for (const auto& [from, offset] : settled) live_[from].erase(offset);
    if (is_stored) {
      for (const int to : {0, 1}) live_[to].merge(fresh[to]);
    }
    for (const stream_id queue : queues_) store_.set_next(queue, store_.view(queue).end);
  }

  // Opens the store after a kill. Chunks hold acknowledged messages for a while, so only live ones are compared.
  void expect_all_in_their_places() {
    store_.reopen_killed();
    for (const int at : {0, 1}) {
      const auto& ledger = store_->found_books().streams.at(queues_[at]);
      auto found = store_.bodies(queues_[at]);
      std::erase_if(found, [&](const auto& message) { return !ledger.is_live(message.first); });
      ASSERT_EQ(found.size(), live_[at].size());
      ASSERT_TRUE(found == live_[at]);
    }
  }

 private:
  std::mt19937 random_;
  scratch_store store_;
  std::array<stream_id, 2> queues_{};
  std::array<std::map<offset_t, std::string>, 2> live_;
  std::uint64_t next_id_ = 0;
  int voids_ = 0;
};

TEST(moving, under_a_full_map_each_message_is_in_exactly_one_place) {
  for (const std::uint32_t seed : {1u, 2u, 3u}) {
    mover mover(seed, {4 << 20, 256 * 1024});
    for (int round = 0; round < 1'200; ++round) {
      // The map is full and not full by turns.
      mover.step(round / 200 % 2 == 0 ? 60'000 : 200);
      if (round % 60 != 59) continue;
      ASSERT_NO_FATAL_FAILURE(mover.expect_all_in_their_places()) << seed << " " << round;
    }
    EXPECT_GT(mover.voids(), 20) << seed;
  }
}

TEST(moving, tied_acknowledgements_and_facts_are_void_with_the_records) {
  commit_group group;
  group.append(stream_id{1}, 0, 0, {});
  group.ack(stream_id{2}, {3, 5}, 10);
  group.ack_tied(stream_id{2}, {5, 7}, 20);
  group.change_fact({"Rtied", "value", true});
  group.change_fact({"Rfree", "value"});
  group.drop_appends();
  ASSERT_EQ(group.contents().shares.size(), 2u);
  EXPECT_FALSE(group.contents().shares[0].appends());
  EXPECT_THAT(group.contents().shares[1].acked, ElementsAre(offset_range{3, 5}));
  EXPECT_TRUE(group.contents().shares[1].tied.empty());
  EXPECT_EQ(group.contents().shares[1].acked_bytes, 10u);
  EXPECT_EQ(group.contents().shares[1].tied_bytes, 0u);
  ASSERT_EQ(group.contents().facts.size(), 1u);
  EXPECT_EQ(group.contents().facts[0].name, "Rfree");
}

// The writer refuses the records of one commit in seven, whatever is in it. The result is compared with a model.
TEST(moving, what_is_void_is_undone_everywhere) {
  std::mt19937 random(9);
  scratch_store store({48 << 20, 1 << 20});
  const stream_id queue = store.make_queue(), log = store.make_log();
  store.commit();
  std::set<offset_t> held;
  std::map<std::string, std::string> facts;
  for (int step = 0; step < rounds(20'000, 100'000); ++step) {
    const bool is_void = random() % 7 == 0;
    std::set<offset_t> fresh, settled;
    for (std::size_t left = random() % 3; left > 0; --left) fresh.insert(store.append(queue, "message"));
    if (random() % 3 == 0) store.append(log, "record");
    if (random() % 2 == 0 && !held.empty()) {
      auto at = held.lower_bound(random() % (*held.rbegin() + 1));
      const bool is_tied = random() % 2 == 0;
      if (is_tied) store.open_group().ack_tied(queue, {*at, *at + 1});
      if (!is_tied) store.ack(queue, *at);
      if (!is_tied || !is_void) settled.insert(*at);
    }
    const std::string name = "R" + std::to_string(random() % 20), value = std::to_string(step);
    const bool is_tied = random() % 2 == 0;
    store.open_group().change_fact({name, value, is_tied});
    store.open_group().set_producer("sensor", {1, static_cast<std::uint64_t>(step), 0});
    if (is_void) store.open_group().drop_appends();
    store.commit();
    if (!is_void) held.insert(fresh.begin(), fresh.end());
    if (!is_void || !is_tied) facts[name] = value;
    for (const offset_t offset : settled) held.erase(offset);
    for (const stream_id id : {queue, log}) store.set_next(id, store.view(id).end);
    if (step % 2'000 != 1'999) continue;
    store.reopen_killed();
    const stream_ledger& ledger = store->found_books().streams.at(queue);
    const auto found = store.bodies(queue);
    for (const offset_t offset : held) ASSERT_TRUE(found.contains(offset) && ledger.is_live(offset)) << offset;
    ASSERT_EQ(ledger.next - ledger.log_start - ledger.marks->acked.size(), held.size());
    for (const auto& [fact, newest] : facts) ASSERT_EQ(store->found().facts.at(fact), newest);
  }
}

}  // namespace
}  // namespace tidegate::store
