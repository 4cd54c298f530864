#include "tests/faults/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "tests/faults/holdings.hpp"

namespace tidegate::faults {
namespace {

struct count {
  std::uint64_t messages = 0;  // messages in queues, plus the end offsets of the partitions
  std::size_t places = 0;      // queues and partitions
};

count count_all(const core::api::services& core) {
  count all;
  for (const auto& row : core.inspecting.list_queues()) {
    all.messages += row.ready;
    ++all.places;
  }
  for (const auto& row : core.inspecting.list_topics()) {
    for (const auto& partition : row.partitions) all.messages += partition.high_watermark;
    all.places += row.partitions.size();
  }
  return all;
}

void commit(opened_store& opened) {
  opened.broker.flush_now();
  while (opened.store.is_busy()) {
    opened.store.step();
    opened.broker.collect();
  }
}

std::vector<std::uint32_t> publishers_of(const history& told) {
  std::vector<std::uint32_t> publishers;
  for (const auto& [publisher, producer] : told.producers()) publishers.push_back(publisher);
  return publishers;
}

// Publishes one message into every queue and partition.
void add_one_each(const core::api::services& core) {
  batch_builder batch;
  message_view probe;
  probe.body = "goes on";
  batch.add(0, 0, probe);
  const std::string bytes = batch.finish();
  for (const auto& row : core.inspecting.list_queues()) {
    probe.routing_key = row.definition->name;
    core.publishing.publish(probe, {}).value();
  }
  for (const auto& row : core.inspecting.list_topics()) {
    for (std::uint32_t i = 0; i < row.partitions.size(); ++i) {
      core.publishing.produce(row.definition->name, i, bytes, {}).value();
    }
  }
}

// Adds a violation for each damaged range that the broker skipped while it was read. The broker reports these as losses
// only after they are committed.
void tell_damage(opened_store& opened, verdict& verdict) {
  commit(opened);
  for (const auto& row : opened.broker.services().inspecting.list_losses().value()) {
    if (row.record.reason != store::loss_reason::damaged) continue;
    verdict.violations.push_back({promise::readable, fmt::format("{} {}: offsets {} to {} are damaged", row.kind,
                                                                 row.name, row.record.first, row.record.end)});
  }
}

// Returns what is wrong; empty = nothing.
std::string go_on(opened_store& opened) {
  const count before = count_all(opened.broker.services());
  add_one_each(opened.broker.services());
  commit(opened);
  const count after = count_all(opened.broker.services());
  opened.store.close();
  if (after.messages == before.messages + before.places) return {};
  return fmt::format("{} messages became {} with {} more", before.messages, after.messages, before.places);
}

}  // namespace

bool verdict::has_broken(promise promise) const {
  return std::ranges::any_of(violations, [&](const violation& one) { return one.broken == promise; });
}

std::string verdict::text() const {
  if (!refused.empty()) return "refused: " + refused;
  if (violations.empty()) return "good";
  return fmt::format("{}: {} ({} in all)", name(violations.front().broken), violations.front().text, violations.size());
}

verdict judge(const small_store& store, const history& told, bool goes_on) {
  verdict verdict;
  try {
    count at_end;
    {
      opened_store opened(store);
      verdict.has_incomplete_commit = opened.store.start().incomplete_commit != 0;
      verdict.violations = check(told, read_holdings(opened, publishers_of(told)));
      tell_damage(opened, verdict);
      if (!goes_on || !verdict.violations.empty()) return verdict;
      verdict.refused = go_on(opened);
      at_end = count_all(opened.broker.services());
    }
    const opened_store again(store);
    if (!again.store.start().stopped_cleanly) verdict.refused = "a clean stop is not known as one";
    if (count_all(again.broker.services()).messages != at_end.messages)
      verdict.refused = "a clean stop lost or made messages";
  } catch (const std::exception& cause) {
    verdict.refused = cause.what();
  }
  return verdict;
}

history read_marks(const std::filesystem::path& file) {
  history told;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line) && !stream.eof();) told.apply(line);
  return told;
}

}  // namespace tidegate::faults
