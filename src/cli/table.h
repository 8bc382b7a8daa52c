// Columns of text for people. On a terminal the widest flexible column gives way so that lines do
// not wrap.
#pragma once

#include <string>
#include <vector>

#include "cli/console.h"

namespace tandem::cli {

enum class Align { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
  bool flexible = false;  // may be cut on a terminal
  Style style = Style::kPlain;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // Cells are shown as they are: escape() what came from outside. Missing cells are empty.
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  void print(Console& console) const;

 private:
  std::vector<std::size_t> widths(const Console& console) const;
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace tandem::cli
