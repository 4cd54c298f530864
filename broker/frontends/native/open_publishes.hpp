// The publishes of one application that it has no answer for yet. Their ids rise. A stored one is confirmed together
// with all before it, if those are answered too; a refused one is answered by itself.
#pragma once

#include <cstdint>

#include "broker/base/error.hpp"
#include "broker/base/line.hpp"

namespace tidegate::native {

class open_publishes {
 public:
  std::size_t size() const { return publishes_.size(); }
  std::uint64_t last_id() const { return last_id_; }
  // `id` is above last_id(). `sequence`: the producer's, 0 = none.
  void add(std::uint64_t id, std::uint64_t sequence);
  // Records that a publish is stored, or has nowhere to go.
  void stored(std::uint64_t id);
  // Records that a publish was refused and answered. A confirm of later ones does not cover it.
  void refused(std::uint64_t id, errc cause);

  // Returns the producer's sequence that a full store refused; 0 = none. Every later sequence has to be refused until
  // that one comes again: once a later one is stored, the refused one would count as seen before and be confirmed,
  // though it is nowhere.
  std::uint64_t refused_sequence() const { return refused_sequence_; }
  void sequence_taken() { refused_sequence_ = 0; }

  // Calls `confirm(id, multiple)` for what is stored and not confirmed yet.
  template <class Confirm>
  void confirm_stored(const Confirm& confirm);

 private:
  struct publish {
    std::uint64_t id;
    std::uint64_t sequence;
    enum class state { waits, stored, answered } state = state::waits;
  };
  publish& at(std::uint64_t id);
  // Removes what is stored or answered from the front. Returns the last stored id among it; 0 = none.
  std::uint64_t take_done();

  line<publish> publishes_;
  std::size_t stored_ = 0;  // how many of them
  std::uint64_t last_id_ = 0;
  std::uint64_t refused_sequence_ = 0;
};

template <class Confirm>
void open_publishes::confirm_stored(const Confirm& confirm) {
  if (const std::uint64_t through = take_done(); through != 0) confirm(through, true);
  if (stored_ == 0) return;
  // A publish that needed no commit may be stored before one that waits for a commit.
  for (publish& each : publishes_) {
    if (each.state != publish::state::stored) continue;
    confirm(each.id, false);
    each.state = publish::state::answered;
  }
  stored_ = 0;
}

}  // namespace tidegate::native
