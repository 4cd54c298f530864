#include "broker/core/groups/offsets.hpp"

#include <gmock/gmock.h>

#include "broker/base/limits.hpp"
#include "broker/store/scratch_store.hpp"

namespace tidegate::core::groups {
namespace {

using testing::ElementsAre;

class committed : public testing::Test {
 protected:
  committed() {
    store_.commit();
    offsets_.emplace(store_->found());
  }
  void commit(stream_id partition, std::string_view group, offset_t offset, std::string_view metadata = {}) {
    offsets_->commit(partition, group, {offset, std::string(metadata)}, store_.open_group());
  }
  std::vector<std::string> groups(stream_id partition, std::string_view after = {}, std::size_t most = 100) {
    std::vector<std::string> found;
    offsets_->each(partition, after, [&](offsets::place place) {
      found.push_back(std::string(place.group) + ":" + std::to_string(place.offset));
      return found.size() < most;
    });
    return found;
  }

  store::scratch_store store_;
  stream_id one_ = store_.make_log(), two_ = store_.make_log();
  std::optional<offsets> offsets_;
};

TEST_F(committed, is_found_at_once_and_after_a_restart) {
  commit(one_, "a", 5, "note");
  commit(two_, "a", 7);
  EXPECT_EQ(offsets_->find(one_, "a")->metadata, "note");
  EXPECT_EQ(offsets_->find(one_, "b"), nullptr);
  store_.commit();
  store_.reopen_killed();
  const offsets again(store_->found());
  EXPECT_EQ(again.find(one_, "a")->offset, 5u);
  EXPECT_EQ(again.find(two_, "a")->offset, 7u);
}

TEST_F(committed, is_walked_by_name_within_its_partition) {
  for (const char* const group : {"b", "a", "c"}) commit(one_, group, 3);
  commit(two_, "d", 9);
  EXPECT_THAT(groups(one_), ElementsAre("a:3", "b:3", "c:3"));
  EXPECT_THAT(groups(one_, "a"), ElementsAre("b:3", "c:3"));
  EXPECT_THAT(groups(one_, "", 2), ElementsAre("a:3", "b:3"));
  offsets_->forget(one_);
  EXPECT_THAT(groups(one_), ElementsAre());
  EXPECT_THAT(groups(two_), ElementsAre("d:9"));
}

TEST_F(committed, a_protected_name_stands_for_its_own_groups) {
  commit(one_, "bridge", 50);
  commit(one_, "bridge/one", 20);
  commit(one_, "bridge-2", 1);
  EXPECT_EQ(offsets_->slowest(one_, "bridge")->group, "bridge/one");
  EXPECT_EQ(offsets_->slowest(one_, "bridge")->offset, 20u);
  EXPECT_FALSE(offsets_->slowest(one_, "other").has_value());
  EXPECT_EQ(offsets_->lowest(one_, 100), 1u);
  EXPECT_EQ(offsets_->lowest(two_, 100), 100u);
}

TEST_F(committed, bad_names_and_long_metadata_are_refused) {
  EXPECT_FALSE(offsets_->check(one_, "", ""));
  EXPECT_EQ(offsets_->check(one_, "g", std::string(limits::metadata_bytes + 1, 'm')).error().field, "metadata");
  EXPECT_TRUE(offsets_->check(one_, "g", std::string(limits::metadata_bytes, 'm')));
  EXPECT_TRUE(offsets_->grows(one_, "g", ""));
  commit(one_, "g", 1, "four");
  EXPECT_FALSE(offsets_->grows(one_, "g", "less"));
  EXPECT_TRUE(offsets_->grows(one_, "g", "more than that"));
}

}  // namespace
}  // namespace tidegate::core::groups
