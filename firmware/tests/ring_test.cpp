// Invariants of the offline ring: the records held are always the newest ones that were appended and not released, in
// order and byte for byte; appended = released + lost + held; no record is lost while tg_ring_fits returns true.
#include <gtest/gtest.h>
#include <tidegate/ring.h>

#include <deque>
#include <random>
#include <string>
#include <vector>

namespace {

struct ring_of {
  explicit ring_of(size_t capacity) : memory(capacity) { tg_ring_init(&ring, memory.data(), memory.size()); }

  uint32_t append(const std::string &payload, uint8_t alias = 1, uint32_t ticks = 0) {
    return tg_ring_append(&ring, alias, ticks, payload.data(), payload.size());
  }

  std::vector<std::string> held() const {
    std::vector<std::string> all;
    tg_ring_cursor cursor = {};
    tg_record record;
    while (tg_ring_next(&ring, &cursor, &record)) {
      EXPECT_EQ(record.sequence, ring.oldest_sequence + all.size());
      all.emplace_back(reinterpret_cast<const char *>(record.payload), record.size);
    }
    return all;
  }

  std::vector<uint8_t> memory;
  tg_ring ring = {};
};

using payloads = std::vector<std::string>;

TEST(ring, begins_empty_with_sequence_1) {
  ring_of r(100);
  EXPECT_EQ(r.held(), payloads{});
  EXPECT_EQ(r.append("a"), 1u);
  EXPECT_EQ(r.append("b"), 2u);
  EXPECT_EQ(r.held(), (payloads{"a", "b"}));
}

TEST(ring, keeps_ticks_alias_and_an_empty_payload) {
  ring_of r(100);
  ASSERT_EQ(r.append("", 255, 0xfffffff0), 1u);
  tg_ring_cursor cursor = {};
  tg_record record;
  ASSERT_TRUE(tg_ring_next(&r.ring, &cursor, &record));
  EXPECT_EQ(record.ticks, 0xfffffff0);
  EXPECT_EQ(record.alias, 255);
  EXPECT_EQ(record.size, 0u);
}

TEST(ring, overwrites_the_oldest_and_counts_them) {
  ring_of r(3 * (TG_RECORD_HEADER + 3));
  for (const char *text : {"aaa", "bbb", "ccc"}) ASSERT_NE(r.append(text), 0u);
  EXPECT_FALSE(tg_ring_fits(&r.ring, 3));
  EXPECT_EQ(r.append("ddd"), 4u);
  EXPECT_EQ(r.held(), (payloads{"bbb", "ccc", "ddd"}));
  EXPECT_EQ(r.ring.lost, 1u);
  EXPECT_EQ(r.ring.oldest_sequence, 2u);
}

TEST(ring, releases_up_to_a_sequence) {
  ring_of r(100);
  for (const char *text : {"a", "b", "c"}) ASSERT_NE(r.append(text), 0u);
  EXPECT_EQ(tg_ring_release(&r.ring, 2), 2u);
  EXPECT_EQ(r.held(), (payloads{"c"}));
  EXPECT_EQ(tg_ring_release(&r.ring, 2), 0u);
  EXPECT_EQ(tg_ring_release(&r.ring, 99), 1u);
  EXPECT_EQ(r.ring.oldest_sequence, 4u);
  EXPECT_EQ(r.ring.lost, 0u);
}

TEST(ring, refuses_what_can_never_fit_and_keeps_the_rest) {
  ring_of r(20);
  ASSERT_EQ(r.append("a"), 1u);
  EXPECT_EQ(r.append(std::string(14, 'x')), 0u);
  EXPECT_FALSE(tg_ring_fits(&r.ring, 14));
  EXPECT_EQ(r.held(), (payloads{"a"}));
  EXPECT_EQ(r.append(std::string(13, 'x')), 2u);
  EXPECT_EQ(r.held(), (payloads{std::string(13, 'x')}));
}

TEST(ring, ends_with_the_sequences) {
  ring_of r(100);
  r.ring.oldest_sequence = r.ring.next_sequence = UINT32_MAX - 1;
  EXPECT_EQ(r.append("last"), UINT32_MAX - 1);
  EXPECT_EQ(r.append("none"), 0u);
}

TEST(ring, a_cursor_at_the_end_finds_what_comes_next) {
  ring_of r(40);
  tg_ring_cursor cursor = {};
  tg_record record;
  for (uint32_t sequence = 1; sequence < 50; sequence++) {
    ASSERT_EQ(r.append(std::string(sequence % 11, 'x')), sequence);
    ASSERT_TRUE(tg_ring_next(&r.ring, &cursor, &record));
    EXPECT_EQ(record.sequence, sequence);
    EXPECT_EQ(record.size, sequence % 11);
    EXPECT_FALSE(tg_ring_next(&r.ring, &cursor, &record));
  }
}

TEST(ring, a_cursor_on_an_overwritten_record_goes_on_at_the_oldest) {
  ring_of r(2 * (TG_RECORD_HEADER + 1));
  tg_ring_cursor cursor = {};
  tg_record record;
  ASSERT_EQ(r.append("a"), 1u);
  ASSERT_TRUE(tg_ring_next(&r.ring, &cursor, &record));
  for (const char *text : {"b", "c", "d", "e"}) ASSERT_NE(r.append(text), 0u);
  ASSERT_TRUE(tg_ring_next(&r.ring, &cursor, &record));
  EXPECT_EQ(record.sequence, 4u);
  EXPECT_EQ(*record.payload, 'd');
}

struct model {
  std::deque<std::string> held;
  uint32_t oldest = 1;
  uint32_t appended = 0, released = 0;
};

void append_random(ring_of &r, model &m, std::mt19937 &random, size_t size_max) {
  const std::string payload(random() % (size_max + 1), static_cast<char>(random()));
  const bool fits = tg_ring_fits(&r.ring, payload.size());
  const uint32_t lost_before = r.ring.lost;
  ASSERT_EQ(r.append(payload), ++m.appended);
  m.held.push_back(payload);
  const uint32_t lost = r.ring.lost - lost_before;
  ASSERT_EQ(lost == 0, fits);
  ASSERT_LT(lost, m.held.size());
  m.oldest += lost;
  m.held.erase(m.held.begin(), m.held.begin() + lost);
}

void release_random(ring_of &r, model &m, std::mt19937 &random) {
  const uint32_t count = static_cast<uint32_t>(random() % (m.held.size() + 1));
  ASSERT_EQ(tg_ring_release(&r.ring, m.oldest + count - 1), count);
  m.oldest += count;
  m.released += count;
  m.held.erase(m.held.begin(), m.held.begin() + count);
}

void read_random(const ring_of &r, const model &m, std::mt19937 &random, tg_ring_cursor &cursor) {
  tg_record record;
  for (size_t i = random() % 4; i > 0; i--) {
    const uint32_t expected = std::max(cursor.sequence, m.oldest);
    const bool is_there = expected < m.oldest + m.held.size();
    ASSERT_EQ(tg_ring_next(&r.ring, &cursor, &record), is_there);
    if (!is_there) return;
    ASSERT_EQ(record.sequence, expected);
    const std::string payload(reinterpret_cast<const char *>(record.payload), record.size);
    ASSERT_EQ(payload, m.held[expected - m.oldest]);
  }
}

void check(const ring_of &r, const model &m) {
  ASSERT_EQ(r.ring.oldest_sequence, m.oldest);
  ASSERT_EQ(m.appended, m.released + r.ring.lost + m.held.size());
  ASSERT_EQ(r.held(), payloads(m.held.begin(), m.held.end()));
}

TEST(ring, agrees_with_a_simple_model) {
  for (uint32_t seed = 1; seed <= 60; seed++) {
    std::mt19937 random(seed);
    const size_t capacity = 20 + random() % 200;
    const size_t size_max = std::min<size_t>(capacity - TG_RECORD_HEADER, 1 + random() % 60);
    ring_of r(capacity);
    model m;
    tg_ring_cursor cursor = {};
    for (int round = 0; round < 400; round++) {
      append_random(r, m, random, size_max);
      if (random() % 3 == 0) release_random(r, m, random);
      read_random(r, m, random, cursor);
      check(r, m);
      if (testing::Test::HasFatalFailure()) FAIL() << "seed " << seed << ", round " << round;
    }
  }
}

}  // namespace
