// The commands on a store's directory, without a broker. Each returns the exit code.
#pragma once

#include <functional>

#include "broker/store/offline/isolation.hpp"
#include "client/tool/arguments.hpp"

namespace tidegate::tool {

// For check: a store that could not be checked counts as damaged, because 1 would mean that a start works.
constexpr int exit_not_checked = 2;

// For salvage: the archive is written, and something is missing in it.
constexpr int exit_incomplete = 3;

int run_store_command(const store_arguments& arguments, bool json);

int check_store(const store_arguments& arguments, bool json);
int show_store(const store_arguments& arguments, bool json);
int export_store(const store_arguments& arguments, bool json);
int salvage_store(const store_arguments& arguments, bool json);
int import_store(const store_arguments& arguments, bool json);

// Runs the work in a process of its own and shows its progress on a terminal. `take` gets the lines that it sends.
store::offline::isolated_outcome watch(std::string_view what,
                                       const std::function<void(store::offline::isolated_end&)>& work,
                                       const std::function<void(std::string_view line)>& take);
// Returns the failure as one line for people; empty = none.
std::string failure_of(const store::offline::isolated_outcome& outcome);

}  // namespace tidegate::tool
