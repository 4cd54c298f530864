#include "broker/frontends/native/open_publishes.hpp"

#include "broker/base/rising.hpp"

namespace tidegate::native {
namespace {

// Places whose memory is kept while no publish is open.
constexpr std::size_t places_kept = 4'096;

}  // namespace

void open_publishes::add(std::uint64_t id, std::uint64_t sequence) {
  last_id_ = id;
  publishes_.push_back({id, sequence});
}

open_publishes::publish& open_publishes::at(std::uint64_t id) {
  const auto found = lower_bound_in_rising(publishes_, &publish::id, id);
  TIDEGATE_EXPECT(found != publishes_.end() && found->id == id);
  return *found;
}

void open_publishes::stored(std::uint64_t id) {
  at(id).state = publish::state::stored;
  ++stored_;
}

void open_publishes::refused(std::uint64_t id, errc cause) {
  publish& found = at(id);
  found.state = publish::state::answered;
  if (!is_full(cause) || found.sequence == 0) return;
  if (refused_sequence_ == 0 || found.sequence < refused_sequence_) refused_sequence_ = found.sequence;
}

std::uint64_t open_publishes::take_done() {
  std::uint64_t through = 0;
  for (; !publishes_.empty() && publishes_.front().state != publish::state::waits; publishes_.pop_front()) {
    if (publishes_.front().state != publish::state::stored) continue;
    through = publishes_.front().id;
    --stored_;
  }
  if (publishes_.empty() && publishes_.capacity() > places_kept) publishes_ = {};
  return through;
}

}  // namespace tidegate::native
