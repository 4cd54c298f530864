// Finds the known word that a mistyped one was probably meant to be.
#pragma once

#include <span>
#include <string_view>

namespace tidegate::settings {

// Returns the candidate with the smallest number of edits (a letter inserted, left out, replaced, or two neighbours
// exchanged), the first of several. Returns an empty view when none is within a third of the word's length, rounded up.
// A word or a candidate of more than 64 bytes matches nothing.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace tidegate::settings
