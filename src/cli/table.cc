#include "cli/table.h"

#include <algorithm>

namespace tandem::cli {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kLeastFlexible = 12;

}  // namespace

std::vector<std::size_t> Table::widths(const Console& console) const {
  std::vector<std::size_t> widths;
  for (const auto& column : columns_) widths.push_back(display_width(column.title));
  for (const auto& row : rows_) {
    for (std::size_t c = 0; c < row.size(); ++c)
      widths[c] = std::max(widths[c], display_width(row[c]));
  }
  if (!console.out_is_terminal()) return widths;
  std::size_t total = kGap * (columns_.size() - 1);
  for (const auto width : widths) total += width;
  const auto room = static_cast<std::size_t>(console.width());
  while (total > room) {
    std::size_t widest = columns_.size();
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (columns_[c].flexible && (widest == columns_.size() || widths[c] > widths[widest]))
        widest = c;
    }
    if (widest == columns_.size() || widths[widest] <= kLeastFlexible) break;
    --widths[widest];
    --total;
  }
  return widths;
}

void Table::print(Console& console) const {
  const auto width = widths(console);
  const auto line = [&](const std::vector<std::string>& cells, bool title) {
    std::string text;
    for (std::size_t c = 0; c < cells.size(); ++c) {
      const auto cell = columns_[c].flexible ? fit_path(cells[c], width[c]) : cells[c];
      const auto padding = width[c] - std::min(width[c], display_width(cell));
      const bool right = columns_[c].align == Align::kRight;
      if (c > 0) text += std::string(kGap, ' ');
      if (right) text += std::string(padding, ' ');
      text += console.styled(cell, title ? Style::kDim : columns_[c].style);
      if (!right && c + 1 < cells.size()) text += std::string(padding, ' ');
    }
    console.out(text);
  };
  std::vector<std::string> titles;
  for (const auto& column : columns_) titles.push_back(column.title);
  line(titles, true);
  for (const auto& row : rows_) line(row, false);
}

}  // namespace tandem::cli
