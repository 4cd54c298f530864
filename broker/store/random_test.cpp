// Runs random operations on a store and compares it with a model in memory. Every step is one commit. The journal is
// small, so roll-up and trimming happen all the time. Every so often the store is closed or killed and opened again.
#include <gmock/gmock.h>

#include "broker/base/log.hpp"
#include "broker/store/scratch_store.hpp"

namespace tidegate::store {
namespace {

struct modelled_record {
  std::int64_t timestamp_ms = 0;
  std::size_t seed = 0;
  std::size_t size = 0;
  bool opaque = false;
  std::string body() const;
};

std::string modelled_record::body() const {
  constexpr std::size_t word_bytes = 8;
  std::string body(size + word_bytes, '\0');
  std::uint64_t state = seed * 2654435761u + 1;
  for (std::size_t at = 0; at < size; at += word_bytes) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    store_be(body.data() + at, state);
  }
  body.resize(size);
  return body;
}

struct modelled_stream {
  stream_kind kind = stream_kind::queue;
  stream_limits limits;
  offset_t log_start = 0;
  offset_t next = 0;
  std::map<offset_t, modelled_record> live;  // at or above log_start and not acknowledged
  std::map<offset_t, std::uint32_t> deliveries;
  offset_t maybe_delivered_before = 0;
  std::uint64_t incoming = 0;
  std::uint64_t dropped = 0;
  offset_t trimmed_from = 0;  // the log start before this commit
  bool is_overfull = false;
};

struct model {
  std::map<stream_id, modelled_stream> streams;
  std::map<std::string, cursor_state> cursors;
  std::map<std::string, producer_state> producers;
  std::map<std::string, std::string> definitions;
};

class random_life {
 public:
  random_life(std::uint32_t seed, scratch_options options) : random_(seed), store_(options) {
    log::set_level(log::level::warning);
  }
  void live(int commits);

 private:
  std::size_t any(std::size_t below) { return random_() % below; }
  bool chance(std::size_t one_in) { return any(one_in) == 0; }
  modelled_stream* any_stream(stream_id& id);

  void act();
  void make_stream();
  void drop_stream();
  void append(stream_id id, modelled_stream& stream);
  void append_one(stream_id id, modelled_stream& stream, std::size_t size);
  void acknowledge(stream_id id, modelled_stream& stream);
  void requeue(stream_id id, modelled_stream& stream);
  void trim(stream_id id, modelled_stream& stream);
  void change_states();
  void commit();
  void take_log_starts();
  void reopen();
  void check_file(bool is_closed);
  void check_found();
  void check(stream_id id, const modelled_stream& stream, bool exactly);
  void check_all();

  std::mt19937 random_;
  scratch_store store_;
  model model_;
  model durable_;
  std::int64_t now_ms_ = 1'700'000'000'000;
  std::size_t records_ = 0;
};

modelled_stream* random_life::any_stream(stream_id& id) {
  if (model_.streams.empty()) return nullptr;
  const auto found = std::next(model_.streams.begin(), static_cast<std::ptrdiff_t>(any(model_.streams.size())));
  id = found->first;
  return &found->second;
}

void random_life::make_stream() {
  const bool is_log = chance(2);
  stream_limits limits;
  if (is_log && chance(2)) limits.bytes_max = 100'000 + any(1'200'000);
  if (is_log && chance(3)) limits.age_max = milliseconds(1'000 + any(5'000));
  if (is_log && chance(3)) limits.records_max = 100 + any(400);
  const stream_id id = store_.make(is_log ? stream_kind::log : stream_kind::queue, limits);
  modelled_stream& made = model_.streams[id];
  made.kind = is_log ? stream_kind::log : stream_kind::queue;
  made.limits = limits;
}

void random_life::drop_stream() {
  stream_id id{};
  if (any_stream(id) == nullptr) return;
  store_.drop(id);
  model_.streams.erase(id);
  const std::string prefix = cursor_key(id, "");
  std::erase_if(model_.cursors, [&](const auto& cursor) { return cursor.first.starts_with(prefix); });
}

void random_life::append_one(stream_id id, modelled_stream& stream, std::size_t size) {
  const modelled_record record{now_ms_, records_++, size, false};
  EXPECT_EQ(store_.append(id, record.body(), now_ms_), stream.next);
  stream.live[stream.next++] = record;
  stream.incoming += size;
}

void random_life::append(stream_id id, modelled_stream& stream) {
  switch (any(12)) {
    case 0:
      for (std::size_t left = 40 + any(80); left > 0; --left) append_one(id, stream, 400 + any(1'000));
      return;
    case 1:
      for (std::size_t left = 5 + any(5); left > 0; --left) append_one(id, stream, 10'000 + any(5'000));
      return;
    case 2:
      if (chance(6)) append_one(id, stream, 900 * 1024);
      return;
    case 3:
    case 4: {
      if (stream.kind != stream_kind::log) return;
      const modelled_record record{now_ms_, records_++, 10 + any(chance(4) ? 60'000 : 2'000), true};
      const auto count = static_cast<std::uint32_t>(1 + any(50));
      store_.append_opaque(id, count, record.body(), now_ms_);
      stream.live[stream.next] = record;
      stream.next += count;
      stream.incoming += record.size;
      return;
    }
    default:
      for (std::size_t left = 1 + any(6); left > 0; --left) append_one(id, stream, any(300));
  }
}

void random_life::acknowledge(stream_id id, modelled_stream& stream) {
  if (stream.kind != stream_kind::queue) return;
  const bool from_head = chance(2), most = chance(4);
  std::size_t left = any(60);
  for (auto record = stream.live.begin(); record != stream.live.end();) {
    // Only durable messages are delivered, so only these can be acknowledged.
    if (record->first >= durable_.streams[id].next || (from_head && left-- == 0)) break;
    if (!from_head && !(most ? !chance(10) : chance(10))) {
      ++record;
      continue;
    }
    store_.ack(id, record->first);
    stream.deliveries.erase(record->first);
    record = stream.live.erase(record);
  }
  stream.log_start = stream.live.empty() ? stream.next : stream.live.begin()->first;
}

void random_life::requeue(stream_id id, modelled_stream& stream) {
  if (stream.kind != stream_kind::queue) return;
  for (const auto& [offset, record] : stream.live) {
    if (offset >= durable_.streams[id].next) break;
    if (!chance(20)) continue;
    const std::uint32_t count = ++stream.deliveries[offset];
    store_.open_group().count_delivery(id, offset, count);
  }
}

void random_life::trim(stream_id id, modelled_stream& stream) {
  const offset_t to = stream.log_start + any(stream.next - stream.log_start + 1);
  store_.open_group().trim(id, to);
  if (to <= stream.log_start) return;
  // An opaque batch is modelled as one record at its first offset, and is removed as a whole.
  stream.live.erase(stream.live.begin(), stream.live.lower_bound(to));
  stream.deliveries.erase(stream.deliveries.begin(), stream.deliveries.lower_bound(to));
  stream.log_start = to;
  if (stream.kind == stream_kind::queue) {
    stream.log_start = stream.live.empty() ? stream.next : stream.live.begin()->first;
  }
}

void random_life::change_states() {
  stream_id id{};
  if (any_stream(id) != nullptr && chance(2)) {
    const std::string group = fmt::format("group-{}", any(5));
    const cursor_state state{any(1'000), std::string(any(20), 'm')};
    store_.open_group().set_cursor(id, group, state);
    model_.cursors[cursor_key(id, group)] = state;
  }
  const std::string producer = fmt::format("producer-{}", any(30));
  if (chance(5)) {
    store_.open_group().erase_producer(producer);
    model_.producers.erase(producer);
  } else {
    const producer_state state{1, records_, now_ms_};
    store_.open_group().set_producer(producer, state);
    model_.producers[producer] = state;
  }
  const std::string name = fmt::format("q{}", any(20));
  if (chance(10)) {
    store_.open_group().put_definition(name, std::to_string(records_));
    model_.definitions[name] = std::to_string(records_);
  } else if (chance(20)) {
    store_.open_group().erase_definition(name);
    model_.definitions.erase(name);
  }
}

void random_life::act() {
  now_ms_ += static_cast<std::int64_t>(any(50));
  if (model_.streams.size() < 3 || (model_.streams.size() < 9 && chance(20))) make_stream();
  if (chance(80)) drop_stream();
  for (std::size_t left = 1 + any(4); left > 0; --left) {
    stream_id id{};
    modelled_stream* const stream = any_stream(id);
    if (stream == nullptr) return;
    if (chance(3)) acknowledge(id, *stream);
    if (!chance(3)) append(id, *stream);
    if (chance(6)) requeue(id, *stream);
    if (chance(25)) trim(id, *stream);
  }
  if (chance(2)) change_states();
  if (chance(15)) store_.open_group().expire();
}

// Checks the log starts that retention chose against the bounds, and copies them to the model.
void random_life::take_log_starts() {
  for (auto& [id, stream] : model_.streams) {
    const stream_view& view = store_.view(id);
    ASSERT_EQ(view.end, stream.next);
    ASSERT_GE(view.log_start, stream.log_start);
    // A share that exceeds the bound by itself stays until the next share.
    const std::uint64_t incoming = std::exchange(stream.incoming, 0);
    if (incoming > 0) stream.is_overfull = 2 * incoming > stream.limits.bytes_max;
    if (stream.limits.bytes_max != 0 && !stream.is_overfull) {
      ASSERT_LE(view.bytes, stream.limits.bytes_max);
    }
    if (stream.limits.records_max != 0) {
      ASSERT_LE(view.end - view.log_start, stream.limits.records_max);
    }
    if (view.drops.records != stream.dropped) {
      ASSERT_EQ(stream.kind, stream_kind::log);
      ASSERT_TRUE(stream.limits.bytes_max != 0 || stream.limits.age_max.count() != 0 || stream.limits.records_max != 0);
    }
    // A trim in the same commit is applied after retention. What only the trim removes is not counted as dropped.
    ASSERT_LE(view.drops.records - stream.dropped, view.log_start - stream.trimmed_from);
    if (stream.trimmed_from == stream.log_start) {
      ASSERT_EQ(view.drops.records - stream.dropped, view.log_start - stream.log_start);
    }
    stream.dropped = view.drops.records;
    stream.trimmed_from = view.log_start;
    if (view.log_start == stream.log_start) continue;
    stream.log_start = view.log_start;
    stream.live.erase(stream.live.begin(), stream.live.lower_bound(view.log_start));
  }
}

void random_life::commit() {
  store_.set_lifetime(milliseconds(now_ms_));
  store_.stamp();
  store_->submit();
  store_->step();
  // Until the result is collected, a reader sees the streams as before, except for records that the commit removed.
  if (chance(4)) {
    for (const auto& [id, stream] : durable_.streams) {
      if (model_.streams.contains(id) && chance(2)) check(id, stream, false);
    }
  }
  const auto result = store_->collect();
  ASSERT_TRUE(result.has_value());
  ASSERT_TRUE(result->appends_stored);
  ASSERT_LE(result->journal_bytes, 256u * 1024 + 64 * 1024);
  take_log_starts();
  durable_ = model_;
}

void random_life::check(stream_id id, const modelled_stream& stream, bool exactly) {
  const auto found = store_.bodies(id, exactly ? 0 : stream.log_start);
  for (const auto& [offset, record] : stream.live) {
    if (record.opaque) continue;
    const auto body = found.find(offset);
    if (body == found.end()) {
      // Removed by the commit whose result is not collected yet.
      ASSERT_FALSE(exactly) << "stream " << static_cast<std::uint32_t>(id) << " lost " << offset;
      const auto now = model_.streams.find(id);
      ASSERT_TRUE(!now->second.live.contains(offset) || now->second.kind == stream_kind::log);
      continue;
    }
    ASSERT_EQ(body->second, record.body()) << offset;
  }
}

void random_life::check_all() {
  for (const auto& [id, stream] : model_.streams) {
    check(id, stream, true);
    std::map<offset_t, std::string> opaque;
    const auto scanned = store_->read().scan(id, 0, [&](const batch_view& batch) {
      if (batch.compressed()) opaque[batch.base_offset] = batch.records;
      return true;
    });
    ASSERT_TRUE(scanned);
    for (const auto& [offset, record] : stream.live) {
      if (!record.opaque) continue;
      ASSERT_EQ(opaque[offset], record.body());
    }
  }
}

// Checks the file while no store has it open: chunks can be read, and each stream's chunk bytes add up to the number in
// its checkpoint.
void random_life::check_file(bool is_closed) {
  raw_file file(store_.path());
  std::map<stream_id, std::uint64_t> sums;
  std::map<std::string, std::string> chunks;
  for (const auto& [key, value] : file.rows(&tables::chunk)) {
    const chunk_place place = place_of_chunk_key(key);
    chunks[chunk_key(place.stream, place.last_offset)] += value;
  }
  for (const auto& [key, value] : chunks) {
    const chunk_place place = place_of_chunk_key(key);
    const auto chunk = read_chunk(place, value);
    ASSERT_TRUE(chunk) << chunk.error().text;
    for (const batch_view& batch : chunk->batches) ASSERT_TRUE(crc_matches(batch));
    sums[place.stream] += value.size() - chunk_header_bytes;
  }
  std::set<stream_id> rows;
  for (const auto& [key, value] : file.rows(&tables::state)) {
    if (key[0] == state_producer) continue;
    const auto id = static_cast<stream_id>(load_be<std::uint32_t>(key.data() + 1));
    // Without a clean stop the tables may be older than the journal.
    ASSERT_TRUE(!is_closed || model_.streams.contains(id)) << key[0];
    if (key[0] != state_stream) continue;
    rows.insert(id);
    ASSERT_EQ(decode_checkpoint(unsealed({key, value}).value()).chunk_bytes, sums[id])
        << static_cast<std::uint32_t>(id);
  }
  if (is_closed) {
    ASSERT_EQ(rows.size(), model_.streams.size());
  }
}

void random_life::check_found() {
  const contents& found = store_->found();
  ASSERT_EQ(definitions_in(found), model_.definitions);
  ASSERT_EQ(cursors_in(found).size(), model_.cursors.size());
  for (const auto& [key, state] : model_.cursors) {
    ASSERT_EQ(cursors_in(found).at(key).offset, state.offset);
    ASSERT_EQ(cursors_in(found).at(key).metadata, state.metadata);
  }
  ASSERT_EQ(producers_in(found).size(), model_.producers.size());
  for (const auto& [name, state] : model_.producers) ASSERT_EQ(producers_in(found).at(name).sequence, state.sequence);
  const auto& streams = store_->found_books().streams;
  ASSERT_EQ(streams.size(), model_.streams.size());
  for (const auto& [id, stream] : model_.streams) {
    const stream_ledger& ledger = streams.at(id);
    ASSERT_EQ(ledger.kind, stream.kind);
    ASSERT_EQ(ledger.log_start, stream.log_start);
    ASSERT_EQ(ledger.next, stream.next);
    ASSERT_EQ(ledger.dropped.records, stream.dropped);
    ASSERT_EQ(ledger.maybe_delivered_before, stream.maybe_delivered_before);
    ASSERT_THAT(ledger.marks->deliveries, testing::ContainerEq(stream.deliveries));
    if (stream.kind == stream_kind::log) continue;
    ASSERT_EQ(ledger.next - ledger.log_start - ledger.marks->acked.size(), stream.live.size());
    for (const auto& [offset, record] : stream.live) ASSERT_TRUE(ledger.is_live(offset));
  }
}

void random_life::reopen() {
  const bool killed = chance(2);
  // Changes that were not committed end with the process.
  model_ = durable_;
  if (killed) store_.kill();
  if (!killed) store_.close();
  check_file(!killed);
  store_.open();
  ASSERT_EQ(store_->start().stopped_cleanly, !killed);
  for (auto& [id, stream] : model_.streams) {
    if (killed && stream.kind == stream_kind::queue) stream.maybe_delivered_before = stream.next;
    store_.set_next(id, stream.next);
  }
  check_found();
  check_all();
  for (const auto& [id, stream] : model_.streams) {
    store_.open_group().change_stream({stream_change::what::limit, id, stream.kind, stream.limits});
  }
  durable_ = model_;
  store_->forget_found();
}

void random_life::live(int commits) {
  for (int i = 0; i < commits && !testing::Test::HasFatalFailure(); ++i) {
    act();
    commit();
    if (chance(40)) check_all();
    if (chance(50)) reopen();
  }
  check_all();
}

class random_test : public testing::TestWithParam<std::uint32_t> {};

TEST_P(random_test, a_long_life) {
  random_life life(GetParam(), {64 << 20, 256 * 1024});
  life.live(300);
}

INSTANTIATE_TEST_SUITE_P(seeds, random_test, testing::Range(1u, 11u));

}  // namespace
}  // namespace tidegate::store
