#include "train/report.h"

#include <fmt/format.h>
#include <map>

#include "core/progress.h"
#include "train/chart.h"

namespace tandem {
namespace {

constexpr const char* kStyle = R"(
:root{color-scheme:light dark;--line:#8884}
body{font:15px/1.45 system-ui,sans-serif;max-width:1400px;margin:2rem auto;padding:0 1rem}
main{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:1rem}
figure{margin:0;border:1px solid var(--line);border-radius:8px;padding:.6rem}
figcaption{font-weight:600}svg{width:100%;height:auto}svg text{font-size:12px;fill:currentColor;opacity:.7}
.grid{stroke:var(--line)}polyline{fill:none;stroke-width:1.6}.legend{margin:.2rem 0 0}
table{border-collapse:collapse}td,th{padding:.15rem .8rem .15rem 0;text-align:right}
td:first-child,th:first-child{text-align:left}pre{overflow:auto;border:1px solid var(--line);padding:.6rem}
polyline.s0{stroke:#3b82f6}polyline.s1{stroke:#f97316}polyline.s2{stroke:#10b981}polyline.s3{stroke:#a855f7}
polyline.s4{stroke:#ef4444}polyline.s5{stroke:#14b8a6}polyline.s6{stroke:#eab308}polyline.s7{stroke:#64748b}
.legend .s0{color:#3b82f6}.legend .s1{color:#f97316}.legend .s2{color:#10b981}.legend .s3{color:#a855f7}
.legend .s4{color:#ef4444}.legend .s5{color:#14b8a6}.legend .s6{color:#eab308}.legend .s7{color:#64748b}
)";

using Steps = std::vector<StepReport>;

template <typename Get>
ChartSeries series_of(const std::string& name, const Steps& steps, Get get) {
  ChartSeries s{name, {}};
  for (const StepReport& r : steps) s.points.emplace_back(r.samples, get(r));
  return s;
}

// A running mean that forgets with 0.9 a point.
ChartSeries smoothed(const std::string& name, const ChartSeries& raw) {
  ChartSeries s{name, {}};
  double mean = raw.points.empty() ? 0 : raw.points.front().second;
  for (const auto& [x, y] : raw.points) s.points.emplace_back(x, mean = 0.9 * mean + 0.1 * y);
  return s;
}

std::string curves(const Steps& steps) {
  const ChartSeries loss = series_of("loss", steps, [](const auto& r) { return r.loss; });
  const auto one = [&](const std::string& title, auto get) {
    return svg_chart({series_of(title, steps, get)}, {.title = title, .x_label = "samples"});
  };
  return svg_chart({loss, smoothed("smoothed", loss)}, {.title = "loss", .x_label = "samples"}) +
         one("learning rate", [](const auto& r) { return r.lr; }) +
         one("logit scale", [](const auto& r) { return r.scale; }) +
         one("gradient norm", [](const auto& r) { return r.grad_norm; }) +
         one("samples per second", [](const auto& r) { return r.samples_per_second; });
}

std::string validation_curves(const std::vector<ValidationPoint>& validations) {
  std::map<std::string, ChartSeries> by_name;
  for (const ValidationPoint& p : validations) {
    for (const auto& [name, value] : p.values) {
      by_name[name].name = name;
      by_name[name].points.emplace_back(p.samples, value);
    }
  }
  // One chart a measure: what follows the last space, e.g. "r@10".
  std::map<std::string, std::vector<ChartSeries>> charts;
  for (const auto& [name, series] : by_name) {
    charts[name.substr(name.rfind(' ') + 1)].push_back(series);
  }
  std::string out;
  for (const auto& [measure, series] : charts) {
    out += svg_chart(series,
                     {.title = "validation: " + measure, .x_label = "samples", .percent = true});
  }
  return out;
}

std::string last_validation(const std::vector<ValidationPoint>& validations) {
  if (validations.empty()) return "";
  std::string rows;
  for (const auto& [name, value] : validations.back().values) {
    rows += fmt::format("<tr><td>{}</td><td>{:.1f} %</td></tr>", escape_html(name), 100 * value);
  }
  return fmt::format("<h2>Validation after {} samples</h2><table>{}</table>",
                     with_thousands(validations.back().samples), rows);
}

}  // namespace

std::string html_report(const TrainConfig& config, const std::vector<StepReport>& steps,
                        const std::vector<ValidationPoint>& validations) {
  const std::int64_t done = steps.empty() ? 0 : steps.back().samples;
  return fmt::format(
      "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width\"><title>Training: {0}</title>"
      "<style>{1}</style><h1>Training: {0}</h1><p>{2} of {3} samples.</p>"
      "<main>{4}{5}</main>{6}<details><summary>Config</summary><pre>{7}</pre></details></html>\n",
      escape_html(config.out.string()), kStyle, with_thousands(done),
      with_thousands(config.samples), validation_curves(validations), curves(steps),
      last_validation(validations), escape_html(json::pretty(config.source)));
}

}  // namespace tandem
