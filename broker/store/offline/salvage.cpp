#include "broker/store/offline/salvage.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "broker/base/bytes.hpp"
#include "broker/base/limits.hpp"
#include "broker/store/new_file.hpp"
#include "broker/store/offline/catalog.hpp"
#include "broker/store/offline/ring_walk.hpp"
#include "broker/store/offline/salvaged_rows.hpp"
#include "broker/store/offline/salvaged_stream.hpp"

namespace tidegate::store::offline {
namespace {

// A file's bytes as they are; none where there is no such file.
class mapped_file {
 public:
  explicit mapped_file(const std::filesystem::path& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0 && errno == ENOENT) return;
    struct stat told {};
    if (file < 0 || ::fstat(file, &told) != 0) fail(path, file);
    size_ = static_cast<std::size_t>(told.st_size);
    if (size_ > 0) bytes_ = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file, 0);
    if (bytes_ == MAP_FAILED) fail(path, file);
    ::close(file);
  }
  mapped_file(const mapped_file&) = delete;
  mapped_file& operator=(const mapped_file&) = delete;
  ~mapped_file() {
    if (size_ > 0) ::munmap(bytes_, size_);
  }
  std::string_view bytes() const { return {static_cast<const char*>(bytes_), size_}; }

 private:
  [[noreturn]] static void fail(const std::filesystem::path& path, int file) {
    const int cause = errno;
    if (file >= 0) ::close(file);
    throw storage_failure(fmt::format("cannot read {}: {}", path.string(), std::strerror(cause)));
  }
  void* bytes_ = nullptr;
  std::size_t size_ = 0;
};

std::string lines_of(offset_range range) {
  return range.size() == 1 ? fmt::format("offset {}", range.begin)
                           : fmt::format("offsets {} to {}", range.begin, range.end - 1);
}

class salvager {
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
    apply_blobs();
    offer_chunks();
    define();
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
      newest_commit_ = std::max(newest_commit_, state.commit);
    }
    for (const auto& [place, block] : rows_.blocks()) {
      const auto stream = streams_.find(place.first);
      if (stream != streams_.end()) stream->second.take_block(place.second, block);
    }
    losses_ = rows_.losses();
    if (row_) newest_commit_ = std::max(newest_commit_, row_->in_tables);
    time_ = row_ ? row_->time : commit_time{};
  }

  // Of blobs that the tables need no more, records alone count. Without the journal's row all that is found is applied,
  // in its order, to what no table tells.
  void apply_blobs() {
    const ring_walk_result walked =
        walk_ring(ring_.bytes(), row_ ? std::optional(row_->ring) : std::optional<ring_id>());
    report_.blobs = walked.blobs.size();
    report_.blobs_damaged = walked.damaged_blobs;
    if (walked.headers.empty()) tell("the journal's headers are damaged");
    commit_number expected = row_ ? row_->head.commit + 1 : 0;
    for (const found_blob& blob : walked.blobs) {
      const commit_number commit = blob.head.commit;
      const bool is_needed = !row_ || commit > row_->head.commit;
      // Its records went into a transaction that never was.
      const bool is_void = blob.head.is_in_tables && row_ && commit > row_->in_tables;
      if (is_needed && expected != 0 && commit > expected) tell_commits(expected, commit - 1);
      if (is_needed) expected = commit + 1;
      if (is_needed && !is_void) apply(blob);
      if (!is_void) offer(blob);
      newest_commit_ = std::max(newest_commit_, commit);
      if (blob.head.time.lifetime >= time_.lifetime) time_ = blob.head.time;
    }
    if (row_ && expected <= row_->in_tables) tell_commits(expected, row_->in_tables);
  }

  void tell_commits(commit_number first, commit_number last) {
    tell(first == last ? fmt::format("commit {} of the journal", first)
                       : fmt::format("commits {} to {} of the journal", first, last));
  }

  void apply(const found_blob& blob) {
    const commit_number commit = blob.head.commit;
    const auto newer = [&, this](stream_id id) -> stream_ledger* {
      const auto found = streams_.find(id);
      return found == streams_.end() || commit <= found->second.known_through ? nullptr : &found->second.ledger;
    };
    blob_visitor visitor;
    visitor.append = [](auto...) {};
    visitor.acked = [&](stream_id id, offset_range range) {
      if (auto* ledger = newer(id)) ledger->acked.insert({std::max(range.begin, ledger->log_start), range.end});
    };
    visitor.delivered = [&](stream_id id, offset_t offset, std::uint32_t count) {
      if (auto* ledger = newer(id)) ledger->deliveries[offset] = std::min(count, deliveries_max);
    };
    visitor.trimmed = [&](stream_id id, offset_t start) {
      if (auto* ledger = newer(id)) ledger->log_start = std::max(ledger->log_start, start);
    };
    visitor.held = [](auto...) {};
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
    visitor.reserved = [&](stream_id id, offset_t end, const drop_totals& totals) {
      if (auto* ledger = newer(id)) reserve_offsets(*ledger, end, totals);
    };
    visitor.age_marked = [&](stream_id id, const age_mark& mark) {
      if (auto* ledger = newer(id)) ledger->age_marks.push_back(mark);
    };
    visitor.lost = [&](loss_number number, const loss_record& record, const drop_totals& totals) {
      losses_.insert_or_assign(number, record);
      if (auto* ledger = newer(record.stream)) ledger->dropped = totals;
    };
    visit(blob, visitor);
  }

  void visit(const found_blob& blob, const blob_visitor& visitor) {
    try {
      visit_blob(blob.bytes, visitor);
    } catch (const storage_failure&) {
      tell(fmt::format("a part of commit {}: it does not decode", blob.head.commit));
    }
  }

  void offer(const found_blob& blob) {
    blob_visitor visitor;
    visitor.append = [&](stream_id id, std::string_view bytes, std::uint32_t) {
      const auto batch = read_batch(bytes);
      if (!batch || batch->bytes.size() != bytes.size()) return;
      if (salvaged_stream* const stream = stream_for(id)) stream->offer(*batch);
    };
    visitor.acked = [](auto...) {};
    visitor.delivered = [](auto...) {};
    visitor.trimmed = visitor.held = [](auto...) {};
    visitor.fact = [](auto...) {};
    visitor.created = [](auto...) {};
    visitor.dropped = [](auto...) {};
    visitor.reserved = [](auto...) {};
    visitor.age_marked = [](auto...) {};
    visitor.lost = [](auto...) {};
    visit(blob, visitor);
  }

  void offer_chunks() {
    rows_.each_chunk([this](const salvaged_rows::found_chunk& found) {
      const auto chunk = read_chunk(found.place, found.bytes);
      if (!chunk) return;
      if (salvaged_stream* const stream = stream_for(found.place.stream)) stream->offer(*chunk);
    });
  }

  // Also one of which nothing else is known: it gets a definition of its own. Null: it was deleted.
  salvaged_stream* stream_for(stream_id id) {
    const auto known = streams_.find(id);
    if (known != streams_.end()) return &known->second;
    if (dropped_.contains(id) || is_left_over(id)) return nullptr;
    return &streams_.emplace(id, salvaged_stream(checkpoint{})).first->second;
  }

  // A deleted stream's chunks go with later commits. Where all rows of streams are there, one without a row is that.
  bool is_left_over(stream_id id) const {
    return owners_.streams().contains(id) ? false : row_.has_value() && !rows_.checkpoints().empty();
  }

  // Definitions that decode and have their streams; streams that have their definition.
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

  // Bindings whose exchange or target is lost.
  void drop_dangling() {
    if (owners_.dangling().empty()) return;
    for (std::string& text : owners_.dangling()) tell(std::move(text));
    catalog others;
    for (const auto& [name, value] : facts_) {
      const std::string_view key = std::string_view(name).substr(1);
      const bool is_other = space_of(name) == fact_space::definition && key.front() != catalog_binding;
      if (is_other) others.add(key, value);
    }
    std::erase_if(facts_, [&](const auto& fact) {
      const std::string_view key = std::string_view(fact.first).substr(1);
      if (space_of(fact.first) != fact_space::definition || key.front() != catalog_binding) return false;
      catalog with_it = others;
      with_it.add(key, fact.second);
      return !with_it.dangling().empty();
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
      for (const auto& [first, batch] : stream.batches()) topic.retention_bytes += 2 * batch.size();
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
        lost.since = lost.until = time_.wall;
        lost.wall_trusted = time_.wall_trusted;
        losses_.emplace(losses_.empty() ? 1 : losses_.rbegin()->first + 1, lost);
      }
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
    archive.section(section_type::header, encode(archive_header{format_version, map_bytes, newest_commit_, time_}));
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
    for (auto block = stream.ledger.next_block(0); block; block = stream.ledger.next_block(*block + 1)) {
      std::string number;
      append_be(number, *block);
      row(archive, section_type::block, {std::move(number), encode(stream.ledger.block(*block))});
    }
    for (const auto& [first, batch] : stream.batches()) {
      if (is_dead(read_batch(batch).value(), stream.ledger)) continue;
      archive.section(section_type::batch, batch);
      ++report_.counts.batches;
    }
  }

  directory_lock lock_;
  mapped_file tables_, ring_;
  std::ostream& out_;
  const transfer_step& step_;
  salvage_report report_;
  salvaged_rows rows_;
  std::optional<journal_row> row_;
  std::map<std::string, std::string> facts_;
  std::map<stream_id, salvaged_stream> streams_;
  std::set<stream_id> dropped_;
  std::map<loss_number, loss_record> losses_;
  catalog owners_;
  commit_number newest_commit_ = 0;
  commit_time time_;
};

}  // namespace

salvage_report salvage_store(const std::filesystem::path& directory, std::ostream& out, const transfer_step& step) {
  return salvager(directory, out, step).run();
}

}  // namespace tidegate::store::offline
