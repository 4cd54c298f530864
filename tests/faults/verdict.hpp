// A store that met a fault is opened, read to the last message, and held to what its workload was promised.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/faults/invariants.hpp"
#include "tests/faults/marking_broker.hpp"

namespace tidegate::faults {

struct verdict {
  std::string refused;  // why it does not open, or cannot go on
  std::vector<violation> violations;
  bool has_incomplete_commit = false;  // the journal ended with one, and the start said so
  bool is_good() const { return refused.empty() && violations.empty(); }
  bool has_broken(promise promise) const;
  // The first thing that is wrong, for people.
  std::string text() const;
};

// `goes_on`: it must also take a message into every queue and partition afterwards, stop cleanly, and open again.
verdict judge(const small_store& store, const history& told, bool goes_on);

// The history that a file of marks tells, also when its last line is cut off.
history read_marks(const std::filesystem::path& file);

}  // namespace tidegate::faults
