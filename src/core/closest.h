// The nearest of some names, for "unknown X. Closest: Y" messages.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tandem {

// Insertions, deletions, replacements and swaps of neighbours between two byte strings (optimal
// string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b);

// The candidate of smallest edit distance (the first of equals), or empty when none is near enough
// to be helpful: at most a third of the longer name's length, and at least 1, may differ.
std::string_view closest(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace tandem
