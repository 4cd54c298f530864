#include "broker/store/offline/inspection.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/base/bytes.hpp"
#include "broker/store/offline/census.hpp"
#include "broker/store/offline/row_inspection.hpp"
#include "broker/store/rows.hpp"

namespace tidegate::store::offline {
namespace {

// Failures start with this; after the name of a row it says nothing new.
constexpr std::string_view known_prefix = "the store is damaged: ";

std::string_view without_prefix(std::string_view text) {
  if (text.starts_with(known_prefix)) text.remove_prefix(known_prefix.size());
  return text;
}

std::string stream_name(stream_id stream) { return fmt::format("stream {}", static_cast<std::uint32_t>(stream)); }

class inspector {
 public:
  inspector(offline_store& store, inspection_listener* listener) : store_(store), listener_(listener) {}

  inspection run() {
    count_pages();
    const finder find = [this](severity level, std::string where, std::string what) {
      add(level, std::move(where), std::move(what));
    };
    row_inspection rows(find);
    const auto& tables = store_.rows();
    walk(tables.meta, [&](auto key, auto value, const auto&) { rows.take_meta(key, value); });
    walk(tables.catalog, [&](auto key, auto value, const auto&) { rows.take_definition(key, value); });
    walk(tables.state, [&](auto key, auto value, const auto&) { rows.take_state(key, value); });
    walk(tables.loss, [&](auto key, auto value, const auto&) { rows.take_loss(key, value); });
    walk_journal();
    replay(rows);
    stream_census census(books_ ? &*books_ : nullptr);
    walk(tables.chunk, [&](auto key, auto value, const lmdb::txn& txn) {
      census.take_chunk_row(txn, tables.chunk, {key, value}, [&](const std::string& what) {
        add(severity::damaged, row_name("chunk", key), std::string(without_prefix(what)));
      });
    });
    if (books_) compare(census);
    return std::move(out_);
  }

 private:
  void count_pages() {
    note_place("the list of free pages", 0);
    try {
      out_.pages = store_.pages();
      const std::uint64_t ever_used = store_.env().ever_used().used_pages, listed = store_.env().free_pages();
      if (out_.pages.used_pages + listed == ever_used) return;
      const bool is_leak = out_.pages.used_pages + listed < ever_used;  // costs room, and nothing else
      add(is_leak ? severity::inconsistent : severity::damaged, "the list of free pages",
          fmt::format("lists {} of {} pages, and the tables have {}", listed, ever_used, out_.pages.used_pages));
    } catch (const storage_failure& failure) {
      out_.pages = store_.env().ever_used();
      add(severity::damaged, "the list of free pages", failure.what());
    }
  }

  void add(severity level, std::string where, std::string what) {
    auto& count = level == severity::note           ? out_.notes
                  : level == severity::inconsistent ? out_.inconsistencies
                                                    : out_.damages;
    ++count;
    if (out_.findings.size() >= findings_max) return;
    out_.findings.push_back({level, std::move(where), std::move(what)});
    if (listener_ != nullptr) listener_->found(out_.findings.back());
  }

  void note_place(std::string_view place, std::uint64_t bytes) {
    done_ += bytes;
    if (listener_ != nullptr) listener_->at(place, done_, out_.pages.used_pages * out_.pages.page_bytes);
  }

  template <class Look>
  void walk(lmdb::table table, const Look& look) {
    table_use& use = out_.tables.emplace_back(table_use{table.name, 0, 0});
    std::string before;
    try {
      const lmdb::txn txn(store_.env(), lmdb::access::read);
      lmdb::cursor cursor(txn, table);
      note_place(fmt::format("the beginning of table {}", table.name), 0);
      const std::uint64_t told = txn.entries(table);
      // A damaged page may lead back to an earlier one; the walk ends all the same.
      for (auto row = cursor.first(); row && use.rows <= told; row = cursor.next()) {
        const std::string place = row_name(table.name, row->key);
        note_place(place, row->key.size() + row->value.size());
        if (use.rows > 0 && row->key <= before) add(severity::damaged, place, "stands out of order");
        before = row->key;
        ++use.rows;
        use.bytes += row->key.size() + row->value.size();
        examine(look, place, *row, txn);
      }
      if (told != use.rows) {
        add(severity::damaged, fmt::format("table {}", table.name),
            use.rows > told ? fmt::format("has more rows than the {} that LMDB counts", told)
                            : fmt::format("has {} rows, and LMDB counts {}", use.rows, told));
      }
    } catch (const storage_failure& failure) {
      add(severity::damaged, fmt::format("table {}", table.name),
          fmt::format("cannot be read behind row {}: {}", use.rows, failure.what()));
    }
  }

  template <class Look>
  void examine(const Look& look, const std::string& place, const lmdb::entry& row, const lmdb::txn& txn) {
    try {
      look(row.key, row.value, txn);
    } catch (const storage_failure& failure) {
      add(severity::damaged, place, std::string(without_prefix(failure.what())));
    }
  }

  // Reads blob by blob, from where the tables say that the journal starts.
  void walk_journal() {
    table_use& use = out_.tables.emplace_back(table_use{"journal", 0, 0});
    try {
      note_place("the beginning of the journal", 0);
      const journal_row row = store_.checked_journal_row();
      store_.journal().read(row.head, row.in_tables, [&](std::string_view blob, const blob_head& head) {
        const std::string place = fmt::format("commit {} of the journal", head.commit);
        note_place(place, blob.size());
        ++use.rows;
        use.bytes += blob.size();
        try {
          row_inspection::take_blob(blob);
        } catch (const storage_failure& failure) {
          add(severity::damaged, place, std::string(without_prefix(failure.what())));
        }
      });
      if (const commit_number commit = store_.journal().incomplete(); commit != 0) {
        add(severity::note, fmt::format("commit {} of the journal", commit),
            "is not whole: the power went while it was written, or it was damaged since; a start leaves it out");
      }
    } catch (const storage_failure& failure) {
      add(severity::damaged, "the journal", std::string(without_prefix(failure.what())));
    }
  }

  // Reads the books as a start does. If rows are damaged, that would only stop at the first of them.
  void replay(row_inspection& rows) {
    if (out_.damages > 0) return;
    note_place("the replay of the journal", 0);
    try {
      contents contents;
      books_ = store_.read_books(&contents);
      rows.compare(*books_, contents);
      out_.identity = store_.identity();
      out_.overview = summarize(store_, *books_, contents);
    } catch (const storage_failure& failure) {
      books_.reset();
      add(severity::damaged, "the replay of the journal",
          fmt::format("fails, and so would a start: {}", without_prefix(failure.what())));
    }
  }

  // The tables are behind the journal, so chunks below a log start are normal.
  void compare(stream_census& census) {
    census.take_segments(store_.journal(), [this](stream_id id) -> complaint {
      return [this, id](const std::string& what) {
        add(severity::damaged, fmt::format("the journal of {}", stream_name(id)), std::string(without_prefix(what)));
      };
    });
    for (const auto& [id, count] : census.counts()) {
      if (books_->streams.contains(id)) continue;
      add(severity::note, stream_name(id),
          fmt::format("is deleted, and {} of its chunks are left; the next commits free them", count.chunks));
    }
    for (const auto& [id, ledger] : books_->streams) {
      const auto found = census.counts().find(id);
      compare(id, ledger, found == census.counts().end() ? stream_count{} : found->second);
    }
  }

  void compare(stream_id id, const stream_ledger& ledger, const stream_count& count) {
    if (ledger.chunks.bytes != count.chunk_bytes) {
      add(severity::inconsistent, stream_name(id),
          fmt::format("has {} bytes of chunks, and its checkpoint says {}", count.chunk_bytes, ledger.chunks.bytes));
    }
    const std::uint64_t live = ledger.next - ledger.log_start - ledger.marks->acked.size();
    if (live == count.live + count.gone) return;
    add(severity::damaged, stream_name(id),
        fmt::format("holds {} of {} {}: the others are missing", count.live, live - count.gone,
                    ledger.kind == stream_kind::queue ? "messages that are not acknowledged"
                                                      : "records between its log start and its end"));
  }

  offline_store& store_;
  inspection_listener* listener_;
  inspection out_;
  std::optional<books> books_;
  std::uint64_t done_ = 0;
};

}  // namespace

std::string_view name(severity level) {
  switch (level) {
    case severity::note: return "note";
    case severity::inconsistent: return "inconsistent";
    case severity::damaged: return "damaged";
  }
  return "";
}

inspection inspect(offline_store& store, inspection_listener* listener) { return inspector(store, listener).run(); }

}  // namespace tidegate::store::offline
