// The verdict on a store after a fault: opens the store, reads it to the last message, and checks it against what its
// workload was promised.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/faults/invariants.hpp"
#include "tests/faults/marking_broker.hpp"

namespace tidegate::faults {

struct verdict {
  std::string refused;  // why the store does not open, or cannot continue; empty = it does
  std::vector<violation> violations;
  bool has_incomplete_commit = false;  // the journal ended with an incomplete commit, and the start reported it
  bool is_good() const { return refused.empty() && violations.empty(); }
  bool has_broken(promise promise) const;
  // Returns the first failure, in words for people.
  std::string text() const;
};

// Opens and checks a store. `goes_on`: the store must also store a message in every queue and partition afterwards,
// stop cleanly, and open again. An exception of the store becomes the verdict's `refused`.
verdict judge(const small_store& store, const history& told, bool goes_on);

// Returns the history from a file of marks. Ignores a last line that is cut off.
history read_marks(const std::filesystem::path& file);

}  // namespace tidegate::faults
