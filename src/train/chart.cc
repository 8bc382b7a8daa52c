#include "train/chart.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace tandem {
namespace {

constexpr double kWidth = 640;
constexpr double kHeight = 260;
constexpr double kLeft = 56;
constexpr double kRight = 12;
constexpr double kTop = 28;
constexpr double kBottom = 34;
constexpr int kColours = 8;

struct Range {
  double low = 0;
  double high = 1;
  double share(double v) const { return (v - low) / (high - low); }
};

template <typename Get>
Range range_of(const std::vector<ChartSeries>& series, Get get) {
  bool any = false;
  Range r;
  for (const ChartSeries& s : series) {
    for (const auto& p : s.points) {
      const double v = get(p);
      if (!std::isfinite(v)) continue;
      r.low = any ? std::min(r.low, v) : v;
      r.high = any ? std::max(r.high, v) : v;
      any = true;
    }
  }
  if (r.high <= r.low) r.high = r.low + 1;
  return r;
}

// 1, 2 or 5 times a power of ten, so that about `count` steps cover the range.
double tick_step(const Range& r, int count) {
  const double raw = (r.high - r.low) / count;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double times : {1.0, 2.0, 5.0}) {
    if (raw <= times * power) return times * power;
  }
  return 10 * power;
}

std::string number_text(double v, bool percent) {
  if (percent) return fmt::format("{:.0f}%", 100 * v);
  if (std::abs(v) >= 1e6) return fmt::format("{:g}M", v / 1e6);
  if (std::abs(v) >= 1e4) return fmt::format("{:g}k", v / 1e3);
  return fmt::format("{:g}", std::abs(v) < 1e-12 ? 0.0 : v);
}

double place_x(const Range& r, double v) { return kLeft + r.share(v) * (kWidth - kLeft - kRight); }
double place_y(const Range& r, double v) {
  return kHeight - kBottom - r.share(v) * (kHeight - kTop - kBottom);
}

std::string grid(const Range& x, const Range& y, const ChartOptions& options) {
  std::string out;
  const double y_step = tick_step(y, 5);
  for (double v = std::ceil(y.low / y_step) * y_step; v <= y.high; v += y_step) {
    out += fmt::format(R"(<line class="grid" x1="{:.0f}" x2="{:.0f}" y1="{:.1f}" y2="{:.1f}"/>)"
                       R"(<text x="{:.0f}" y="{:.1f}" text-anchor="end">{}</text>)",
                       kLeft, kWidth - kRight, place_y(y, v), place_y(y, v), kLeft - 6,
                       place_y(y, v) + 4, number_text(v, options.percent));
  }
  const double x_step = tick_step(x, 6);
  for (double v = std::ceil(x.low / x_step) * x_step; v <= x.high; v += x_step) {
    out += fmt::format(R"(<text x="{:.1f}" y="{:.0f}" text-anchor="middle">{}</text>)",
                       place_x(x, v), kHeight - kBottom + 16, number_text(v, false));
  }
  out += fmt::format(R"(<text x="{:.0f}" y="{:.0f}" text-anchor="end">{}</text>)", kWidth - kRight,
                     kHeight - 4, escape_html(options.x_label));
  return out;
}

}  // namespace

std::string svg_chart(const std::vector<ChartSeries>& series, const ChartOptions& options) {
  const Range x = range_of(series, [](const auto& p) { return p.first; });
  Range y = range_of(series, [](const auto& p) { return p.second; });
  if (options.percent) y.low = 0;
  std::string out =
      fmt::format(R"(<figure><figcaption>{}</figcaption><svg viewBox="0 0 {} {}" )"
                  R"(role="img" aria-label="{}">)",
                  escape_html(options.title), kWidth, kHeight, escape_html(options.title));
  out += grid(x, y, options);
  std::string legend;
  for (std::size_t i = 0; i < series.size(); ++i) {
    std::string points;
    for (const auto& [px, py] : series[i].points) {
      if (std::isfinite(py))
        points += fmt::format("{:.1f},{:.1f} ", place_x(x, px), place_y(y, py));
    }
    out += fmt::format(R"(<polyline class="s{}" points="{}"/>)", i % kColours, points);
    legend +=
        fmt::format(R"(<span class="s{}">{}</span> )", i % kColours, escape_html(series[i].name));
  }
  return out + "</svg><p class=\"legend\">" + legend + "</p></figure>\n";
}

std::string escape_html(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

}  // namespace tandem
