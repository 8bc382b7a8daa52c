// The words of a command line as a query (tasks/query.h), with what shells and habit make
// convenient: a word that ends in a picture's extension is a picture, and needs no sign before it.
#pragma once

#include <span>
#include <string>

#include "tasks/query.h"

namespace tandem::cli {

// {"beach.jpg", "at", "night", "-", "people"} is "[beach.jpg] + at night - people".
std::string query_text(std::span<const std::string> words);

// wanted: a query, may be empty. unwanted: each a query whose terms are kept away from, with half
// their weight. Words alone that name a picture are one: "sunset + 2*beach.jpg". Throws kInput as
// parse_query does.
Query read_query(const std::string& wanted, std::span<const std::string> unwanted);

}  // namespace tandem::cli
