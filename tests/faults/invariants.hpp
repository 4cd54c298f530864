// Checks the store's promises: compares what an opened store holds with what its workload was promised. Nothing
// confirmed is lost, nothing appears that was never published, nothing appears twice, order and offsets stay the same,
// what is settled stays settled, and the counters are right. All fault programs use this one checker;
// invariants_test.cpp shows that it finds each kind of breach.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/faults/history.hpp"
#include "tests/faults/holdings.hpp"

namespace tidegate::faults {

enum class promise {
  readable,        // everything in the store can be read
  kept,            // a confirmed message is there, unless an acknowledgement or the retention removed it
  attempted,       // no message is there that was never tried, or in a queue or topic it was not published to
  once,            // no message is in a queue or topic twice
  order,           // the messages of each publisher are in order in each queue and partition
  whole_body,      // the body is the same to the byte
  right_metadata,  // exchange, routing key and key are the same
  settled,         // an acknowledged message is not delivered again
  redelivered,     // a message that may have been delivered is marked so, and its delivery count is within bounds
  dense,           // a log's offsets rise without a gap
  offsets,         // an offset names the same message as before, in logs and in queues
  log_start,       // the log start moves forward only, and no further than retention requires
  end,             // a log does not end below its confirmed end
  committed,       // a committed offset does not go back
  producers,       // a producer's confirmed sequence is known
  definitions,     // what was declared is there, what was removed is not
  counters,        // each counter equals the number of messages counted
  whole_publish,   // a message is in all of its targets or in none
};
// Returns the enumerator's name.
std::string_view name(promise promise);

struct violation {
  promise broken;
  std::string text;
};

// Returns all broken promises; empty = the store kept them. `told`: what was tried and promised up to the fault.
std::vector<violation> check(const history& told, const holdings& found);

}  // namespace tidegate::faults
