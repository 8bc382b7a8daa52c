#include "model/positions.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "model/weights.h"

namespace tandem {
namespace {

// Keys' cubic with a = -0.5, which torch takes with antialias (-0.75 without).
double cubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1) return ((kA + 2) * x - (kA + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * kA;
  return 0;
}

double triangle(double x) { return std::max(0.0, 1 - std::abs(x)); }

struct Filter1d {
  double (*value)(double);
  double reach;
};
constexpr Filter1d kCubic{cubic, 2};
constexpr Filter1d kTriangle{triangle, 1};

struct Window {
  int begin = 0;
  std::vector<float> weights;
};

// What each of `to` places takes from a line of `from`.
std::vector<Window> windows(int from, int to, const Filter1d& filter) {
  const double scale = static_cast<double>(from) / to;
  const double stretch = std::max(scale, 1.0);
  const double reach = filter.reach * stretch;
  std::vector<Window> all;
  for (int i = 0; i < to; ++i) {
    const double center = scale * (i + 0.5);
    const int begin = std::max(0, static_cast<int>(center - reach + 0.5));
    const int end = std::min(from, static_cast<int>(center + reach + 0.5));
    std::vector<double> w;
    double sum = 0;
    for (int j = begin; j < end; ++j)
      sum += w.emplace_back(filter.value((j - center + 0.5) / stretch));
    Window window{begin, {}};
    for (const double x : w) window.weights.push_back(static_cast<float>(x / sum));
    all.push_back(std::move(window));
  }
  return all;
}

// rows: (from*from, d). Appends (to.cells(), d) to `result`: across, then down.
void resize(const float* rows, int from, GridSize to, std::size_t d, const Filter1d& filter,
            std::vector<float>& result) {
  const std::vector<Window> columns = windows(from, to.width, filter);
  const std::vector<Window> lines = windows(from, to.height, filter);
  std::vector<float> across(static_cast<std::size_t>(from) * to.width * d);
  for (int y = 0; y < from; ++y) {
    for (int x = 0; x < to.width; ++x) {
      float* out = across.data() + (static_cast<std::size_t>(y) * to.width + x) * d;
      for (std::size_t k = 0; k < columns[x].weights.size(); ++k) {
        const float* in = rows + (static_cast<std::size_t>(y) * from + columns[x].begin + k) * d;
        for (std::size_t c = 0; c < d; ++c) out[c] += columns[x].weights[k] * in[c];
      }
    }
  }
  const std::size_t line = to.width * d;
  const std::size_t before = result.size();
  result.resize(before + to.height * line);
  for (int y = 0; y < to.height; ++y) {
    float* out = result.data() + before + y * line;
    for (std::size_t k = 0; k < lines[y].weights.size(); ++k) {
      const float* in = across.data() + (lines[y].begin + k) * line;
      for (std::size_t c = 0; c < line; ++c) out[c] += lines[y].weights[k] * in[c];
    }
  }
}

int side_of(std::int64_t cells) {
  const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(cells))));
  return cells > 0 && side * side == cells ? static_cast<int>(side) : 0;
}

}  // namespace

std::vector<float> resize_grid(const float* rows, int from, GridSize to, int width) {
  std::vector<float> result;
  resize(rows, from, to, static_cast<std::size_t>(width), kTriangle, result);
  return result;
}

std::vector<float> resample_positions(const std::vector<float>& rows, int prefix, int from, int to,
                                      int width) {
  const auto d = static_cast<std::size_t>(width);
  std::vector<float> result(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(prefix * d));
  resize(rows.data() + prefix * d, from, {to, to}, d, kCubic, result);
  return result;
}

void fit_positions(const ModelConfig& config, TensorMap& weights) {
  const VisionConfig& v = config.vision;
  if (v.is_resnet()) return;
  for (const std::string name : {"visual.positional_embedding", "visual.trunk.pos_embed"}) {
    const auto it = weights.tensors.find(name);
    if (it == weights.tensors.end()) continue;
    std::vector<std::int64_t> want;
    for (const WeightSpec& spec : weight_table(config)) {
      if (spec.name == name) want = spec.shape;
    }
    const std::vector<std::int64_t> have = it->second.shape;
    const std::size_t rank = want.size();
    if (rank < 2 || have.size() != rank || have.back() != want.back() || have == want) continue;
    const std::int64_t prefix = want[rank - 2] - static_cast<std::int64_t>(v.grid()) * v.grid();
    const int from = side_of(have[rank - 2] - prefix);
    if (from == 0 || prefix < 0 || (rank == 3 && have[0] != 1)) continue;
    weights.add_float(name, want,
                      resample_positions(to_float(it->second), static_cast<int>(prefix), from,
                                         v.grid(), static_cast<int>(want.back())));
  }
}

}  // namespace tandem
