// The promises, checked: what an opened store holds against what its workload was promised. Nothing confirmed is lost,
// nothing comes from nowhere or twice, order and offsets stay, what is settled stays settled, the counters tell the
// truth. One checker for all faults; invariants_test.cpp shows that it finds each kind of breach.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/faults/history.hpp"
#include "tests/faults/holdings.hpp"

namespace tidegate::faults {

enum class promise {
  readable,        // nothing refuses to be read
  kept,            // what was confirmed is there, unless an acknowledgement or the retention took it
  attempted,       // nothing is there that was never tried, or that its queue or topic was not meant for
  once,            // nothing is there twice
  order,           // of each publisher in each queue and partition
  whole_body,      // to the byte
  right_metadata,  // exchange, routing key and key
  settled,         // what was acknowledged is not offered again
  redelivered,     // what may have been delivered says so, and counts what it knows
  dense,           // a log's offsets rise without a gap
  offsets,         // name what they named before, in logs and in queues
  log_start,       // goes forward only, and no further than retention has to
  end,             // of a log: not below what was confirmed
  committed,       // offsets do not go back
  producers,       // a confirmed sequence is known
  definitions,     // what was declared is there, what was removed is not
  counters,        // equal counted rows
  whole_publish,   // in all of its targets, or in none
};
std::string_view name(promise promise);

struct violation {
  promise broken;
  std::string text;
};

std::vector<violation> check(const history& told, const holdings& found);

}  // namespace tidegate::faults
