// The commands that work on a store's directory, without a broker. Each gives the exit code.
#pragma once

#include <functional>

#include "broker/store/offline/isolation.hpp"
#include "client/tool/arguments.hpp"

namespace tidegate::tool {

// Of check: what could not be looked at counts as damaged, as 1 would say that a start survives it.
constexpr int exit_not_checked = 2;

// Of salvage: the archive is written, and something is missing in it.
constexpr int exit_incomplete = 3;

int run_store_command(const store_arguments& arguments, bool json);

int check_store(const store_arguments& arguments, bool json);
int show_store(const store_arguments& arguments, bool json);
int export_store(const store_arguments& arguments, bool json);
int salvage_store(const store_arguments& arguments, bool json);
int import_store(const store_arguments& arguments, bool json);

// Runs the work in a process of its own and shows, on a terminal, how far it is. `take` gets the lines it sends.
store::offline::isolated_outcome watch(std::string_view what,
                                       const std::function<void(store::offline::isolated_end&)>& work,
                                       const std::function<void(std::string_view line)>& take);
// The outcome as one line for people; empty: it went well.
std::string failure_of(const store::offline::isolated_outcome& outcome);

}  // namespace tidegate::tool
