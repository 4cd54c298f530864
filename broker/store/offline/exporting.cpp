#include "broker/store/offline/exporting.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/base/bytes.hpp"
#include "broker/store/fields.hpp"
#include "broker/store/reader.hpp"
#include "broker/store/rows.hpp"

namespace tidegate::store::offline {
namespace {

class exporter {
 public:
  exporter(offline_store& store, std::ostream& out, const transfer_step& step)
      : store_(store), archive_(out), step_(step) {}

  archive_counts run() {
    books_ = store_.read_books(&contents_);
    const auto pages = store_.pages();
    archive_.section(section_type::header, encode(archive_header{format_version, pages.map_pages * pages.page_bytes,
                                                                 books_.last_commit, books_.time}));
    write_rows();
    const reader reader(store_.env(), store_.rows(), store_.journal(), books_);
    for (const auto& [id, ledger] : books_.streams) write_stream(reader, id, ledger);
    archive_.section(section_type::end, encode(counts_));
    return counts_;
  }

 private:
  void row(section_type type, std::string_view body) {
    archive_.section(type, body);
    ++counts_.rows;
  }

  // Rows are written without their seals, and facts under their names, so that the content is the same on every
  // machine.
  void write_rows() {
    std::string next;
    append_be(next, books_.next_stream);
    contents_.facts[fact_name(fact_space::store, meta_next_stream)] = next;
    contents_.facts.erase(fact_name(fact_space::store, meta_journal));
    for (const auto& [name, value] : contents_.facts) row(section_type::fact, encode(archived_row{name, value}));
    write_losses();
  }

  // The newest rows are in the journal only, which is not exported.
  void write_losses() {
    auto fresh = books_.losses.fresh();
    const lmdb::txn txn(store_.env(), lmdb::access::read);
    const lmdb::table table = store_.rows().loss;
    lmdb::cursor cursor(txn, table);
    for (auto found = cursor.first(); found; found = cursor.next()) {
      fresh.try_emplace(number_of_loss_key(found->key), decode_loss(unsealed_or_fail(table, *found)));
    }
    for (const auto& [number, record] : fresh) {
      row(section_type::loss, encode(archived_row{loss_key(number), encode(record)}));
    }
  }

  void write_stream(const reader& reader, stream_id id, const stream_ledger& ledger) {
    if (step_) step_(fmt::format("stream {}", static_cast<std::uint32_t>(id)), archive_.bytes());
    archive_.section(section_type::stream, encode(archived_stream{id, archived_state(ledger)}));
    ++counts_.streams;
    each_block_row(ledger, [this](std::string number, std::string block) {
      row(section_type::block, encode(archived_row{std::move(number), std::move(block)}));
    });
    const auto scanned = reader.scan(id, 0, [&](const batch_view& batch) {
      if (is_dead(batch, ledger)) return true;
      archive_.section(section_type::batch, batch.bytes);
      ++counts_.batches;
      if (step_) step_(fmt::format("stream {}", static_cast<std::uint32_t>(id)), archive_.bytes());
      return true;
    });
    if (!scanned) throw storage_failure(scanned.error().text);
  }

  offline_store& store_;
  archive_writer archive_;
  const transfer_step& step_;
  books books_;
  contents contents_;
  archive_counts counts_;
};

constexpr std::uint32_t format_with_ring = 5;

// Format 2 had the seal here and no `held bytes`. Up to format 4, the coverage of chunks was not known.
std::string from_old_format(std::uint32_t format, std::string_view state) {
  constexpr std::size_t held_bytes_at = 49, seal_bytes = 4, covered_at = 73;
  if (format == 2 && state.size() < held_bytes_at + seal_bytes) return {};
  std::string changed(format == 2 ? state.substr(0, state.size() - seal_bytes) : state);
  if (format == 2) changed.insert(held_bytes_at, sizeof(std::uint64_t), '\0');
  if (changed.size() < covered_at) return {};
  return changed.insert(covered_at, sizeof(std::uint64_t) + 1, '\0');
}

void check_whole(const byte_reader& reader, const archive_section& section) {
  if (reader.failed() || !reader.at_end()) fail_archive(section.at, "a section does not decode");
}

}  // namespace

void each_block_row(const stream_ledger& ledger, const std::function<void(std::string, std::string)>& take) {
  std::uint64_t behind = 0;
  for (auto number = ledger.marks->next_block(0); number; number = ledger.marks->next_block(behind)) {
    const ack_block block = ledger.marks->block(*number);
    std::string key;
    append_be(key, *number);
    take(std::move(key), encode(block));
    behind = *number + 1 + block.full_after;
  }
}

bool is_dead(const batch_view& batch, const stream_ledger& ledger) {
  const auto acked = ledger.marks->acked.range_at(std::max(batch.base_offset, ledger.log_start));
  return batch.last_offset < ledger.log_start || (acked && acked->end > batch.last_offset);
}

checkpoint archived_state(const stream_ledger& ledger) {
  checkpoint state = ledger.as_checkpoint(0);
  state.chunk_bytes = state.covered_end = 0;  // the importer makes its own chunks
  state.times.clear();
  return state;
}

archive_counts export_archive(offline_store& store, std::ostream& out, const transfer_step& step) {
  return exporter(store, out, step).run();
}

std::string encode(const archive_header& header) {
  std::string body;
  append_be(body, header.format);
  append_be(body, header.map_bytes);
  append_be(body, header.last_commit);
  append_time(body, header.time);
  return body;
}

archive_header decode_header(const archive_section& section) {
  byte_reader reader(section.body);
  archive_header header;
  header.format = reader.be<std::uint32_t>();
  if (header.format < archived_format_min || header.format > format_version) return header;  // its shape is not known
  header.map_bytes = reader.be<std::uint64_t>();
  header.last_commit = reader.be<std::uint64_t>();
  if (header.format < format_with_ring) {
    // Older archives have the last commit's blob here, without its entries. The time is at its end.
    constexpr std::size_t blob_bytes = 56;
    reader.take(blob_bytes - time_bytes);
  }
  header.time = take_time(reader);
  check_whole(reader, section);
  return header;
}

std::string encode(const archived_row& row) {
  std::string body;
  append_varint(body, row.key.size());
  return body.append(row.key).append(row.value);
}

archived_row decode_row(const archive_section& section) {
  byte_reader reader(section.body);
  archived_row row;
  row.key = reader.take(reader.varint());
  row.value = reader.rest();
  check_whole(reader, section);
  return row;
}

std::string encode(const archived_stream& stream) {
  std::string body;
  append_be(body, static_cast<std::uint32_t>(stream.stream));
  return body.append(encode(stream.state));
}

archived_stream decode_stream(const archive_section& section, std::uint32_t format) {
  byte_reader reader(section.body);
  archived_stream stream;
  stream.stream = static_cast<stream_id>(reader.be<std::uint32_t>());
  try {
    const std::string_view state = reader.rest();
    stream.state =
        format < format_with_ring ? decode_checkpoint(from_old_format(format, state)) : decode_checkpoint(state);
  } catch (const storage_failure&) {
    fail_archive(section.at, "a stream's section does not decode");
  }
  check_whole(reader, section);
  return stream;
}

std::string encode(const archive_counts& counts) {
  std::string body;
  append_be(body, counts.streams);
  append_be(body, counts.batches);
  append_be(body, counts.rows);
  return body;
}

archive_counts decode_counts(const archive_section& section) {
  byte_reader reader(section.body);
  archive_counts counts;
  counts.streams = reader.be<std::uint64_t>();
  counts.batches = reader.be<std::uint64_t>();
  counts.rows = reader.be<std::uint64_t>();
  check_whole(reader, section);
  return counts;
}

}  // namespace tidegate::store::offline
