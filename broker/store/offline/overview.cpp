#include "broker/store/offline/overview.hpp"

#include <algorithm>

#include "broker/base/bytes.hpp"

namespace tidegate::store::offline {
namespace {

std::optional<stream_owner> owner_of(const catalog& catalog, stream_id stream) {
  const auto found = catalog.streams().find(stream);
  if (found == catalog.streams().end()) return std::nullopt;
  return found->second;
}

stream_overview overview_of(stream_id id, const stream_ledger& ledger, const catalog& catalog) {
  return {.stream = id,
          .kind = ledger.kind,
          .in_memory = ledger.in_memory,
          .owner = owner_of(catalog, id),
          .log_start = ledger.log_start,
          .end = ledger.next,
          .live = ledger.next - ledger.log_start - ledger.marks->acked.size(),
          .counted = ledger.marks->deliveries.size(),
          .bytes = ledger.bytes(),
          .newest_timestamp_ms = ledger.newest_timestamp_ms};
}

// A group whose offset is below the log start can no longer read the dropped records, so they do not count as lag.
cursor_overview overview_of(std::string_view name, const cursor_state& state, const books& books,
                            const catalog& catalog) {
  const auto stream = static_cast<stream_id>(load_be<std::uint32_t>(name.data()));
  const std::string_view group = name.substr(sizeof stream);
  cursor_overview seen{stream, owner_of(catalog, stream), std::string(group), state.offset, 0};
  const auto found = books.streams.find(stream);
  if (found == books.streams.end()) return seen;
  const offset_t stands = std::max(state.offset, found->second.log_start);
  seen.lag = found->second.next - std::min(stands, found->second.next);
  return seen;
}

}  // namespace

store_overview summarize(offline_store& store, const books& books, const contents& contents) {
  catalog catalog;
  contents.each(fact_space::definition, [&](auto key, auto definition) { catalog.add(key, definition); });
  store_overview seen;
  for (const auto& [id, ledger] : books.streams) seen.streams.push_back(overview_of(id, ledger, catalog));
  contents.each(fact_space::committed_offset, [&](std::string_view name, std::string_view value) {
    seen.cursors.push_back(overview_of(name, decode_cursor(value), books, catalog));
  });
  contents.each(fact_space::producer, [&](auto, auto) { ++seen.producers; });
  seen.exchanges = catalog.exchanges();
  seen.queues = catalog.queues();
  seen.topics = catalog.topics();
  seen.bindings = catalog.bindings();
  const lmdb::txn txn(store.env(), lmdb::access::read);
  const commit_number before = store.journal().head().commit;
  const bool is_empty = before == books.last_commit;
  seen.journal = {books.last_commit - before, store.journal().used(), is_empty ? 0 : before + 1,
                  is_empty ? 0 : books.last_commit};
  seen.loss_records = txn.entries(store.rows().loss);
  return seen;
}

store_overview survey(offline_store& store) {
  contents contents;
  const books books = store.read_books(&contents);
  store_overview seen = summarize(store, books, contents);
  const auto losses = reader(store.env(), store.rows(), store.journal(), books).losses();
  if (!losses) throw store_damaged(losses.error().text);
  std::map<stream_id, std::optional<stream_owner>> owners;
  for (const stream_overview& stream : seen.streams) owners[stream.stream] = stream.owner;
  for (const auto& [number, record] : *losses) seen.losses.push_back({number, owners[record.stream], record});
  return seen;
}

}  // namespace tidegate::store::offline
