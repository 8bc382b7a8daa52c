// A line chart as a piece of SVG, for reports that need no other file.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace tandem {

struct ChartSeries {
  std::string name;
  std::vector<std::pair<double, double>> points;  // by rising x
};

struct ChartOptions {
  std::string title;
  std::string x_label;
  bool percent = false;  // y is a share: from 0, labelled in percent
};

// Series take the colours of the page's CSS classes s0, s1, …; values that are not finite are left
// out. Names are escaped.
std::string svg_chart(const std::vector<ChartSeries>& series, const ChartOptions& options);

std::string escape_html(const std::string& text);

}  // namespace tandem
