// A test hook: the process ends at once, as if killed, when it passes a named place for the n-th time. Off unless the
// environment sets it: TIDEGATE_BRIDGE_FAILPOINT=after_intent|after_send|after_confirm|before_cursor[:N].
#pragma once

#include <string_view>

namespace tidegate::bridge::failpoint {

constexpr int exit_code = 99;

void pass(std::string_view place);

}  // namespace tidegate::bridge::failpoint
