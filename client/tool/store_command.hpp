// The commands that work on a store's directory, without a broker. Each returns the exit code.
#pragma once

#include <functional>

#include "broker/store/offline/isolation.hpp"
#include "client/tool/arguments.hpp"

namespace tidegate::tool {

// Exit code of check if the store could not be checked. It is the same as for damage, because 1 would mean that a start
// survives the findings.
constexpr int exit_not_checked = 2;

// Exit code of salvage if the archive is written but records of the store are missing in it.
constexpr int exit_incomplete = 3;

int run_store_command(const store_arguments& arguments, bool json);

int check_store(const store_arguments& arguments, bool json);
int show_store(const store_arguments& arguments, bool json);
int export_store(const store_arguments& arguments, bool json);
int salvage_store(const store_arguments& arguments, bool json);
int import_store(const store_arguments& arguments, bool json);

// Runs `work` in a separate process and, on a terminal, shows its progress after the word `what`. Calls `take` with
// each line that `work` sends.
store::offline::isolated_outcome watch(std::string_view what,
                                       const std::function<void(store::offline::isolated_end&)>& work,
                                       const std::function<void(std::string_view line)>& take);
// Returns the failure as one line for people; empty if the work succeeded.
std::string failure_of(const store::offline::isolated_outcome& outcome);

}  // namespace tidegate::tool
