#include "broker/store/offline/salvage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "broker/base/bytes.hpp"
#include "broker/base/limits.hpp"
#include "broker/store/new_file.hpp"
#include "broker/store/offline/catalog.hpp"
#include "broker/store/offline/mapped_file.hpp"
#include "broker/store/offline/ring_walk.hpp"
#include "broker/store/offline/salvaged_rows.hpp"
#include "broker/store/offline/salvaged_stream.hpp"

namespace tidegate::store::offline {
namespace {

std::string lines_of(offset_range range) {
  return range.size() == 1 ? fmt::format("offset {}", range.begin)
                           : fmt::format("offsets {} to {}", range.begin, range.end - 1);
}

class salvager {
  struct blob_found {
    found_blob blob;
    origin from;
  };

 public:
  salvager(const std::filesystem::path& directory, std::ostream& out, const transfer_step& step)
      : lock_(directory, lmdb::access::read),
        tables_(directory / store_file),
        ring_(directory / journal_file),
        out_(out),
        step_(step) {}

  salvage_report run() {
    if (tables_.bytes().empty() && ring_.bytes().empty()) {
      throw storage_failure(
          fmt::format("neither {} nor {} has a byte: there is nothing to salvage", store_file, journal_file));
    }
    at("the pages of data.mdb");
    walk();
    at("the journal");
    find_blobs();
    for (const blob_found& found : blobs_) take_definitions_of(found);
    define();
    take_blocks();
    for (const blob_found& found : blobs_) take_states_of(found);
    at("the records");
    offer(origin::in_use);
    offer(origin::old_copy);
    define_ownerless();
    close_streams();
    write();
    return std::move(report_);
  }

 private:
  void at(std::string_view place) {
    if (step_) step_(place, 0);
  }
  void tell(std::string text) {
    if (report_.missing.size() < missing_max) {
      report_.missing.push_back(std::move(text));
    } else {
      ++report_.more;
    }
  }

  void walk() {
    const page_walk_result walked = walk_pages(tables_.bytes(), [this](const found_row& row) { rows_.take(row); });
    report_.pages = walked.pages;
    report_.pages_passed_over = walked.pages_passed_over;
    report_.pages_out_of_tree = walked.pages_out_of_tree;
    row_ = rows_.journal();
    for (const walked_table& table : walked.tables) {
      if (table.transaction == 0) tell(fmt::format("table {} cannot be reached", table.name));
    }
    facts_ = rows_.facts();
    for (const auto& [id, state] : rows_.checkpoints()) {
      salvaged_stream& stream = streams_.emplace(id, salvaged_stream(state)).first->second;
      stream.has_start = true;
      newest_.commit = std::max(newest_.commit, state.commit);
    }
    losses_ = rows_.losses();
    if (row_) newest_.commit = std::max(newest_.commit, row_->in_tables);
    newest_.time = row_ ? row_->time : commit_time{};
  }

  // From blobs that the tables no longer need, only records are used. Without the journal's row, everything that is
  // found is applied, in order, to what no table has.
  void find_blobs() {
    const ring_walk_result walked =
        walk_ring(ring_.bytes(), row_ ? std::optional(row_->ring) : std::optional<ring_id>());
    report_.blobs = walked.blobs.size();
    report_.blobs_damaged = walked.damaged_blobs;
    if (walked.headers.empty()) tell("the journal's headers are damaged");
    commit_number expected = row_ ? row_->head.commit + 1 : 0;
    for (const found_blob& blob : walked.blobs) {
      const commit_number commit = blob.head.commit;
      const bool is_needed = !row_ || commit > row_->head.commit;
      // Its records went into a transaction that was never completed.
      const bool is_void = blob.head.is_in_tables && row_ && commit > row_->in_tables;
      if (is_needed && expected != 0 && commit > expected) tell_commits(expected, commit - 1);
      if (is_needed) expected = commit + 1;
      if (!is_void) blobs_.push_back({blob, is_needed ? origin::in_use : origin::old_copy});
      newest_.commit = std::max(newest_.commit, commit);
      if (blob.head.time.lifetime >= newest_.time.lifetime) newest_.time = blob.head.time;
    }
    if (row_ && expected <= row_->in_tables) tell_commits(expected, row_->in_tables);
  }

  void tell_commits(commit_number first, commit_number last) {
    tell(first == last ? fmt::format("commit {} of the journal", first)
                       : fmt::format("commits {} to {} of the journal", first, last));
  }

  // Applies the streams that the blob creates and drops, and its facts.
  void take_definitions_of(const blob_found& found) {
    if (found.from != origin::in_use) return;
    blob_visitor visitor;
    visitor.fact = [&](std::string_view name, std::optional<std::string_view> value) {
      if (!row_ && rows_.facts().contains(std::string(name))) return;
      if (value) facts_.insert_or_assign(std::string(name), *value);
      if (!value) facts_.erase(std::string(name));
    };
    visitor.created = [&](stream_id id, stream_kind kind, bool in_memory) {
      if (dropped_.contains(id)) return;
      checkpoint state;
      state.kind = kind;
      state.in_memory = in_memory;
      streams_.try_emplace(id, state).first->second.has_start = true;
    };
    visitor.dropped = [&](stream_id id) {
      streams_.erase(id);
      dropped_.insert(id);
      std::erase_if(facts_,
                    [&](const auto& fact) { return is_of_stream(fact.first) && stream_of_key(fact.first) == id; });
    };
    try {
      visit_blob(found.blob.bytes, visitor);
    } catch (const storage_failure&) {
      tell(fmt::format("a part of commit {}: it does not decode", found.blob.head.commit));
    }
  }

  void take_blocks() {
    for (const auto& [place, block] : rows_.blocks()) {
      const auto stream = streams_.find(place.first);
      if (stream != streams_.end()) stream->second.take_block(place.second, block);
    }
  }

  // Offsets that a blob names were used, even if the blob that appended them is lost.
  void take_states_of(const blob_found& found) {
    if (found.from != origin::in_use) return;
    const commit_number commit = found.blob.head.commit;
    const auto newer = [&, this](stream_id id, offset_t end = 0) -> stream_ledger* {
      const auto stream = streams_.find(id);
      if (stream == streams_.end() || commit <= stream->second.known_through) return nullptr;
      stream->second.raise_end(end);
      return &stream->second.ledger;
    };
    blob_visitor visitor;
    visitor.acked = [&](stream_id id, offset_range range) {
      auto* const ledger = newer(id, range.end);
      if (ledger == nullptr) return;
      range.begin = std::max(range.begin, ledger->log_start);
      if (!range.empty()) ledger->marks.use().acked.insert(range);
    };
    visitor.delivered = [&](stream_id id, offset_t offset, std::uint32_t count) {
      if (auto* ledger = newer(id, offset + 1))
        ledger->marks.use().deliveries[offset] = std::min(count, deliveries_max);
    };
    visitor.trimmed = [&](stream_id id, offset_t start) {
      if (auto* ledger = newer(id, start)) ledger->log_start = std::max(ledger->log_start, start);
    };
    visitor.reserved = [&](stream_id id, offset_t end, const drop_totals& totals) {
      if (auto* ledger = newer(id)) reserve_offsets(*ledger, end, totals);
    };
    visitor.age_marked = [&](stream_id id, const age_mark& mark) {
      if (auto* ledger = newer(id, mark.offset)) ledger->age_marks.push_back(mark);
    };
    visitor.lost = [&](loss_number number, const loss_record& record, const drop_totals& totals) {
      losses_.insert_or_assign(number, record);
      if (auto* ledger = newer(record.stream)) ledger->dropped = totals;
    };
    visit_quietly(found, visitor);
  }

  // Entries that do not decode were reported before.
  static void visit_quietly(const blob_found& found, const blob_visitor& visitor) {
    try {
      visit_blob(found.blob.bytes, visitor);
    } catch (const storage_failure&) {
      return;
    }
  }

  void offer(origin from) {
    rows_.each_chunk(from, [&, this](const salvaged_rows::found_chunk& found) {
      const std::string bytes = found.bytes.text();
      const auto chunk = read_chunk(found.place, bytes);
      if (!chunk) return;
      if (salvaged_stream* const stream = stream_for(found.place.stream)) stream->offer(*chunk, found.bytes, from);
    });
    blob_visitor visitor;
    visitor.append = [&, this](stream_id id, std::string_view bytes, std::uint32_t) {
      const auto batch = read_batch(bytes);
      if (!batch || batch->bytes.size() != bytes.size()) return;
      if (salvaged_stream* const stream = stream_for(id)) stream->offer(*batch, scattered_bytes(bytes), from);
    };
    for (const blob_found& found : blobs_) {
      if (found.from == from) visit_quietly(found, visitor);
    }
  }

  // Returns the stream, also one of which nothing else is known: that one gets a definition of its own. Null = it was
  // deleted.
  salvaged_stream* stream_for(stream_id id) {
    const auto known = streams_.find(id);
    if (known != streams_.end()) return &known->second;
    // A deleted stream's chunks are freed by later commits. If streams have rows, a stream without row and definition
    // is such a one.
    const bool is_left_over = row_.has_value() && !rows_.checkpoints().empty();
    if (dropped_.contains(id) || is_left_over) return nullptr;
    return &streams_.emplace(id, salvaged_stream(checkpoint{})).first->second;
  }

  // Keeps the definitions that decode, and adds their streams.
  void define() {
    for (auto fact = facts_.begin(); fact != facts_.end();) {
      const bool is_definition = space_of(fact->first) == fact_space::definition;
      const bool is_usable = !is_definition || take_definition(std::string_view(fact->first).substr(1), fact->second);
      fact = is_usable ? std::next(fact) : facts_.erase(fact);
    }
    drop_dangling();
    for (const auto& [id, owner] : owners_.streams()) {
      checkpoint state;
      state.kind = owner.kind == target_kind::queue ? stream_kind::queue : stream_kind::log;
      state.in_memory = owner.in_memory;
      const auto [found, is_new] = streams_.try_emplace(id, state);
      if (is_new) tell(fmt::format("the state of {} {}", tidegate::name(owner.kind), owner.name));
      found->second.ledger.kind = state.kind;
      found->second.ledger.in_memory = state.in_memory;
    }
  }

  void define_ownerless() {
    for (const auto& [id, stream] : streams_) {
      if (!owners_.streams().contains(id)) define(id, stream);
    }
  }

  bool take_definition(std::string_view key, std::string_view definition) {
    try {
      owners_.add(key, definition);
      return true;
    } catch (const storage_failure& failure) {
      tell(fmt::format("a definition: {}", failure.what()));
      return false;
    }
  }

  // Drops bindings whose exchange or target is lost.
  void drop_dangling() {
    for (std::string& text : owners_.dangling()) tell(std::move(text));
    std::erase_if(facts_, [&](const auto& fact) {
      const std::string_view key = std::string_view(fact.first).substr(1);
      const bool is_binding = space_of(fact.first) == fact_space::definition && key.front() == catalog_binding;
      return is_binding && owners_.is_dangling(decode_binding(fact.second));
    });
  }

  void define(stream_id id, const salvaged_stream& stream) {
    const std::string name = fmt::format("salvaged-{}", static_cast<std::uint32_t>(id));
    std::string definition;
    const bool is_queue = stream.ledger.kind == stream_kind::queue;
    const durability durability = stream.ledger.in_memory ? durability::memory() : tidegate::durability{};
    if (is_queue) {
      definition = encode(queue_definition{name, id, durability});
    } else {
      topic_definition topic{name, new_incarnation(), limits::retention_bytes_min, {}, {id}};
      topic.retention_bytes += 2 * stream.batch_bytes();
      topic.durability = durability;
      definition = encode(topic);
    }
    tell(fmt::format("the definition of what is {} {} now", is_queue ? "queue" : "topic", name));
    const std::string key = std::string(1, is_queue ? catalog_queue : catalog_topic).append(name);
    facts_[fact_name(fact_space::definition, key)] = definition;
    take_definition(key, definition);
  }

  void close_streams() {
    for (auto& [id, stream] : streams_) {
      if (stream.ledger.in_memory) continue;
      const auto owner = owners_.streams().find(id);
      const std::string name =
          owner == owners_.streams().end() ? fmt::format("stream {}", static_cast<std::uint32_t>(id))
          : owner->second.kind == target_kind::queue
              ? fmt::format("queue {}", owner->second.name)
              : fmt::format("partition {} of topic {}", owner->second.partition, owner->second.name);
      for (const offset_range& range : stream.close()) {
        report_.records_missing += range.size();
        tell(fmt::format("{}: {}", name, lines_of(range)));
        loss_record lost{loss_reason::damaged, id, {}, range.begin, range.end, range.size()};
        lost.unread = lost.records;
        lost.since = lost.until = newest_.time.wall;
        lost.wall_trusted = newest_.time.wall_trusted;
        losses_.emplace(losses_.empty() ? 1 : losses_.rbegin()->first + 1, lost);
      }
      hold_back_groups(id, name, stream.ledger.next);
    }
  }

  // A group with an offset after the end would skip what is appended next.
  void hold_back_groups(stream_id id, std::string_view name, offset_t end) {
    const std::string prefix = cursor_key(id, "");
    for (auto fact = facts_.lower_bound(prefix); fact != facts_.end() && fact->first.starts_with(prefix); ++fact) {
      cursor_state cursor = decode_cursor(fact->second);
      if (cursor.offset <= end) continue;
      tell(fmt::format("{}: what group {} had read from offset {} on", name, fact->first.substr(prefix.size()), end));
      cursor.offset = end;
      fact->second = encode(cursor);
    }
  }

  void put_own_facts() {
    const auto own = [](std::string_view name) { return fact_name(fact_space::store, name); };
    facts_.erase(own(meta_journal));
    facts_.try_emplace(own(meta_incarnation), new_incarnation());
    facts_[own(meta_clean)] = std::string(1, '\0');
    std::uint32_t next = 1;
    if (const auto known = facts_.find(own(meta_next_stream)); known != facts_.end()) {
      if (known->second.size() == sizeof next) next = load_be<std::uint32_t>(known->second.data());
    }
    if (!streams_.empty()) next = std::max(next, static_cast<std::uint32_t>(streams_.rbegin()->first) + 1);
    if (!dropped_.empty()) next = std::max(next, static_cast<std::uint32_t>(*dropped_.rbegin()) + 1);
    std::string value;
    append_be(value, next);
    facts_[own(meta_next_stream)] = value;
    std::erase_if(facts_, [&](const auto& fact) {
      return is_of_stream(fact.first) && !streams_.contains(stream_of_key(fact.first));
    });
  }

  void write() {
    put_own_facts();
    constexpr std::uint64_t map_bytes_min = 64ull << 20;
    archive_writer archive(out_);
    const std::uint64_t map_bytes = std::max<std::uint64_t>(tables_.bytes().size(), map_bytes_min);
    archive.section(section_type::header,
                    encode(archive_header{format_version, map_bytes, newest_.commit, newest_.time}));
    for (const auto& [name, value] : facts_) row(archive, section_type::fact, {name, value});
    for (const auto& [number, record] : losses_) row(archive, section_type::loss, {loss_key(number), encode(record)});
    for (const auto& [id, stream] : streams_) write(archive, id, stream);
    archive.section(section_type::end, encode(report_.counts));
  }

  void row(archive_writer& archive, section_type type, const archived_row& row) {
    archive.section(type, encode(row));
    ++report_.counts.rows;
  }

  void write(archive_writer& archive, stream_id id, const salvaged_stream& stream) {
    if (step_) step_(fmt::format("stream {}", static_cast<std::uint32_t>(id)), archive.bytes());
    archive.section(section_type::stream, encode(archived_stream{id, archived_state(stream.ledger)}));
    ++report_.counts.streams;
    each_block_row(stream.ledger, [&, this](std::string number, std::string block) {
      row(archive, section_type::block, {std::move(number), std::move(block)});
    });
    stream.each_batch([&, this](std::string_view batch) {
      if (is_dead(read_batch(batch).value(), stream.ledger)) return;
      archive.section(section_type::batch, batch);
      ++report_.counts.batches;
    });
  }

  directory_lock lock_;
  mapped_file tables_, ring_;
  std::ostream& out_;
  const transfer_step& step_;
  salvage_report report_;
  salvaged_rows rows_;
  std::vector<blob_found> blobs_;
  std::optional<journal_row> row_;
  std::map<std::string, std::string> facts_;
  std::map<stream_id, salvaged_stream> streams_;
  std::set<stream_id> dropped_;
  std::map<loss_number, loss_record> losses_;
  catalog owners_;
  struct {
    commit_number commit = 0;
    commit_time time;
  } newest_;
};

}  // namespace

salvage_report salvage_store(const std::filesystem::path& directory, std::ostream& out, const transfer_step& step) {
  return salvager(directory, out, step).run();
}

}  // namespace tidegate::store::offline
