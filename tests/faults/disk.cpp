#include "tests/faults/disk.hpp"

#include <algorithm>
#include <cstring>

namespace tidegate::faults {
namespace {

constexpr std::size_t pending_max_without_syncs = 300;

// Adds some of the sectors that the write touches: either a run from the write's start, or any of them.
void tear(const event& write, std::vector<piece>& into, draw& draw) {
  const bool front_only = draw.percent(50);
  const std::size_t size = write.bytes.size();
  const std::size_t first = sector_bytes - write.offset % sector_bytes;  // up to the first sector's end
  std::vector<piece> sectors;
  for (std::size_t begin = 0, end = std::min(first, size); begin < size;
       begin = end, end = std::min(end + sector_bytes, size)) {
    sectors.push_back({&write, begin, end});
  }
  const std::size_t kept = draw.below(sectors.size() + 1);
  for (std::size_t i = 0; i < sectors.size(); ++i) {
    if (front_only ? i < kept : draw.percent(50)) into.push_back(sectors[i]);
  }
}

}  // namespace

void disk::put(const event& event) {
  if (event.kind == event::what::size) {
    synced_.resize(event.offset);
    return;
  }
  if (synced_.size() < event.offset + event.bytes.size()) synced_.resize(event.offset + event.bytes.size());
  std::memcpy(synced_.data() + event.offset, event.bytes.data(), event.bytes.size());
}

void disk::put_oldest(std::size_t count) {
  for (; count > 0; --count) {
    put(*pending_.front());
    pending_.pop_front();
  }
}

void disk::apply(const event& event) {
  if (event.part != part_) return;
  switch (event.kind) {
    case event::what::name:
    case event::what::mark: return;
    case event::what::sync:
      if (!ignores_syncs_) put_oldest(pending_.size());
      return;
    case event::what::size:
    case event::what::write:
      if (event.synced && !ignores_syncs_) return put(event);
      pending_.push_back(&event);
      if (ignores_syncs_ && pending_.size() > pending_max_without_syncs) put_oldest(1);
      return;
  }
}

std::vector<piece> disk::pieces(cut_kind kind, const event* in_flight, draw& draw) const {
  std::vector<piece> chosen;
  if (kind == cut_kind::synced) return chosen;
  std::deque<const event*> candidates = pending_;
  if (in_flight != nullptr && in_flight->part == part_ && in_flight->kind == event::what::write &&
      kind != cut_kind::all) {
    candidates.push_back(in_flight);
  }
  const unsigned kept_percent = draw.one_of(std::vector<unsigned>{10, 50, 90});
  for (const event* const write : candidates) {
    if (write->kind != event::what::write) continue;
    const bool whole = kind == cut_kind::all || draw.percent(kept_percent);
    if (kind == cut_kind::torn && draw.percent(50)) {
      tear(*write, chosen, draw);
    } else if (whole) {
      chosen.push_back({write, 0, write->bytes.size()});
    }
  }
  return chosen;
}

}  // namespace tidegate::faults
