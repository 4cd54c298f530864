// Rows stored under a wrong key are reported by the start or the check, and are never used.
#include <gmock/gmock.h>

#include "broker/store/example_bytes.hpp"
#include "broker/store/offline/lived_store.hpp"
#include "broker/store/rows.hpp"

namespace tidegate::store::offline {
namespace {

using testing::HasSubstr;

using table_member = lmdb::table tables::*;
constexpr table_member sealed_tables[] = {&tables::state, &tables::catalog, &tables::meta, &tables::loss};

// Makes a store with rows of every kind, and returns what a start and the check say when a row was changed.
class kept_rows : public testing::Test {
 protected:
  kept_rows() : store_(3) {
    store_.live(60);
    const stream_id queue = store_.queues()[0], log = store_.logs()[0];
    store_.store().append_many(queue, 2'000, 10);
    store_.store().ack(queue, {store_.store().next(queue) - 1'900, store_.store().next(queue)});
    store_.store().commit_offset(log, "first", 10);
    store_.store().commit_offset(log, "other", 20);
    for (const char* const device : {"hall", "roof"}) {
      store_.store().open_group().lose({loss_reason::device, stream_id{}, device, 5, 9, 4, 4, 400});
    }
    store_.define('x', "other", encode(exchange_definition{"other", exchange_type::fanout}));
    store_.store().commit();
    store_.store().reopen_closed();
    store_.live(5);
    store_.store().kill();
  }
  std::map<std::string, std::string> rows(table_member table) { return raw_file(store_.path()).rows(table); }
  void put(table_member table, std::string_view key, std::string_view value) {
    raw_file(store_.path()).put(table, key, value);
  }
  void erase(table_member table, std::string_view key) { raw_file(store_.path()).erase(table, key); }

  std::string start() {
    try {
      const store opened(store_.store().store_options_now());
    } catch (const storage_failure& failure) {
      return failure.what();
    }
    return "";
  }
  std::string check() {
    try {
      return lines_of(inspected(store_.path()));
    } catch (const storage_failure& failure) {
      return failure.what();
    }
  }

  lived_store store_;
};

TEST_F(kept_rows, a_row_in_anothers_place_is_named) {
  int swaps = 0;
  for (const table_member table : sealed_tables) {
    const auto all = rows(table);
    for (auto one = all.begin(), two = std::next(one); two != all.end(); ++one, ++two) {
      if (one->first == meta_format || two->first == meta_format) continue;
      put(table, one->first, two->second);
      put(table, two->first, one->second);
      const auto named = [&](const auto& row) { return row_name(raw_file(store_.path()).name(table), row->first); };
      EXPECT_THAT(check(), HasSubstr(named(one) + ": it fails its CRC-32C: it is damaged, or stands under another"));
      if (table != &tables::loss) {
        EXPECT_THAT(start(), testing::AnyOf(HasSubstr("damaged: " + named(one) + " fails its CRC-32C"),
                                            HasSubstr("damaged: " + named(two) + " fails its CRC-32C")));
      }
      put(table, one->first, one->second);
      put(table, two->first, two->second);
      ++swaps;
    }
  }
  EXPECT_GT(swaps, 25);
  EXPECT_EQ(check(), "");
  EXPECT_EQ(start(), "");
}

// Flips one bit of each key.
TEST_F(kept_rows, a_flipped_bit_in_any_key_is_told) {
  std::mt19937 random(1);
  int flips = 0;
  for (const table_member table : {&tables::state, &tables::catalog, &tables::meta, &tables::loss, &tables::chunk}) {
    for (const auto& [key, value] : rows(table)) {
      std::string flipped = key;
      // The flipped key must not be another row's.
      while (rows(table).contains(flipped)) flipped = with_flipped_bit(key, random() % (8 * key.size()));
      erase(table, key);
      put(table, flipped, value);
      EXPECT_THAT(check(), HasSubstr("damaged: ")) << hex(key) << " as " << hex(flipped);
      if (table != &tables::loss && table != &tables::chunk) {
        EXPECT_THAT(start(), HasSubstr("damaged: ")) << hex(key) << " as " << hex(flipped);
      }
      erase(table, flipped);
      put(table, key, value);
      ++flips;
    }
  }
  EXPECT_GT(flips, 60);
  EXPECT_EQ(check(), "");
}

}  // namespace
}  // namespace tidegate::store::offline
