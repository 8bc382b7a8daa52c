// What `tandem search` found, as tables for people and as lines of JSON.
#pragma once

#include <string>
#include <vector>

#include "cli/console.h"
#include "index/store.h"
#include "tasks/finder.h"

namespace tandem::cli {

struct AnswerView {
  std::string query;        // as text
  bool with_title = false;  // one of several queries
  bool all = false;         // rows below the cut-off are shown, too
  std::size_t first_rank = 1;
};

void print_json(const Answer& answer, const AnswerView& view, Console& console);
// The table, facets below it, and a note about what was left out or that nothing is relevant.
void print_table(const Answer& answer, const AnswerView& view, Console& console);

// Groups as near_duplicates() gives them.
void print_groups(const Store& store, const std::vector<std::vector<std::int64_t>>& groups,
                  bool as_json, Console& console);

}  // namespace tandem::cli
