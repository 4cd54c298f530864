// A store at rest has only one row of a stream in memory: the row with the offset at which the stream continues.
#include <gmock/gmock.h>

#include <sstream>

#include "broker/store/offline/importing.hpp"
#include "broker/store/offline/lived_store.hpp"

namespace tidegate::store::offline {
namespace {

class memory_streams_at_rest : public testing::Test {
 protected:
  memory_streams_at_rest() {
    log::set_level(log::level::warning);
    queue_ = store_.make(stream_kind::queue, {}, true);
    store_.commit();
  }
  void append(int count) {
    for (int i = 0; i < count; ++i) {
      message_view message;
      message.body = "body";
      ASSERT_TRUE(store_->in_memory().promise(store_->riding_group(), record_size_bound(message), 1));
      store_->riding_group().append(queue_, next_++, 0, message);
    }
  }
  // Opens the store again and continues at the stream's end.
  void open() {
    store_.open();
    next_ = store_.view(queue_).end;
  }

  static constexpr offset_t block = offsets_per_reservation;
  scratch_store store_;
  stream_id queue_{};
  offset_t next_ = 0;
};

TEST_F(memory_streams_at_rest, check_show_export_and_import_know_them) {
  const queue_definition live{"live", queue_, durability::memory()};
  store_.open_group().put_definition("qlive", encode(live));
  append(5);
  store_.commit();
  for (const offset_t end : {block, 2 * block, offset_t{5}}) {
    end == 5 ? store_.close() : store_.kill();
    const inspection found = inspected(store_.path());
    EXPECT_EQ(lines_of(found), "");
    const stream_overview& seen = found.overview->streams.front();
    EXPECT_TRUE(seen.in_memory);
    EXPECT_EQ(seen.owner->name, "live");
    EXPECT_EQ(seen.live, 0u);
    std::stringstream archive;
    {
      offline_store from(store_.path());
      export_archive(from, archive);
    }
    scratch_directory elsewhere;
    new_store_place place(elsewhere.path() / "new");
    EXPECT_EQ(lines_of(import_archive(archive, place, {}).found), "");
    for (const auto& path : {store_.path(), elsewhere.path() / "new"}) {
      offline_store made(path);
      const stream_overview there = survey(made).streams.front();
      EXPECT_TRUE(there.in_memory);
      EXPECT_EQ(there.end, seen.end);
      EXPECT_EQ(there.log_start, seen.end);
    }
    open();
    append(1);
    store_->has_work_for_writer();
    store_.commit();
  }
}

TEST_F(memory_streams_at_rest, check_tells_what_contradicts_them) {
  store_.open_group().put_definition("qlive", encode(queue_definition{"live", queue_}));
  store_.commit();
  store_.close();
  EXPECT_EQ(lines_of(inspected(store_.path())),
            "damaged: queue live: is defined, and its stream 1 is kept in memory\n");
  raw_file(store_.path())
      .put_row(&tables::catalog, "qlive", encode(queue_definition{"live", queue_, durability::memory()}));
  EXPECT_EQ(lines_of(inspected(store_.path())), "");
  checkpoint row;
  row.in_memory = true;
  row.next_offset = 3;
  raw_file(store_.path()).put_row(&tables::state, stream_key(queue_), encode(row));
  EXPECT_THAT(lines_of(inspected(store_.path())), testing::HasSubstr("its row tells of records"));
}

}  // namespace
}  // namespace tidegate::store::offline
