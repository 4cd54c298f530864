// A test hook: ends the process at once, as if killed, when it passes a named place for the N-th time. Off unless the
// environment sets TIDEGATE_BRIDGE_FAILPOINT=after_intent|after_send|after_confirm|before_cursor[:N].
#pragma once

#include <string_view>

namespace tidegate::bridge::failpoint {

constexpr int exit_code = 99;

// Ends the process with `exit_code` if `place` is the named place and its count is reached.
void pass(std::string_view place);

}  // namespace tidegate::bridge::failpoint
