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

struct Window {
  int begin = 0;
  std::vector<float> weights;
};

// What each of `to` places takes from a line of `from`.
std::vector<Window> windows(int from, int to) {
  const double scale = static_cast<double>(from) / to;
  const double stretch = std::max(scale, 1.0);
  const double reach = 2 * stretch;
  std::vector<Window> all;
  for (int i = 0; i < to; ++i) {
    const double center = scale * (i + 0.5);
    const int begin = std::max(0, static_cast<int>(center - reach + 0.5));
    const int end = std::min(from, static_cast<int>(center + reach + 0.5));
    std::vector<double> w;
    double sum = 0;
    for (int j = begin; j < end; ++j) sum += w.emplace_back(cubic((j - center + 0.5) / stretch));
    Window window{begin, {}};
    for (const double x : w) window.weights.push_back(static_cast<float>(x / sum));
    all.push_back(std::move(window));
  }
  return all;
}

int side_of(std::int64_t cells) {
  const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(cells))));
  return cells > 0 && side * side == cells ? static_cast<int>(side) : 0;
}

}  // namespace

std::vector<float> resample_positions(const std::vector<float>& rows, int prefix, int from, int to,
                                      int width) {
  const std::vector<Window> line = windows(from, to);
  const auto d = static_cast<std::size_t>(width);
  const auto old = [&](int y, int x) { return rows.data() + (prefix + y * from + x) * d; };
  // Across, then down.
  std::vector<float> across(static_cast<std::size_t>(from) * to * d);
  for (int y = 0; y < from; ++y) {
    for (int x = 0; x < to; ++x) {
      float* out = across.data() + (static_cast<std::size_t>(y) * to + x) * d;
      for (std::size_t k = 0; k < line[x].weights.size(); ++k) {
        const float* in = old(y, line[x].begin + static_cast<int>(k));
        for (std::size_t c = 0; c < d; ++c) out[c] += line[x].weights[k] * in[c];
      }
    }
  }
  std::vector<float> result(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(prefix * d));
  result.resize((prefix + static_cast<std::size_t>(to) * to) * d);
  for (int y = 0; y < to; ++y) {
    float* out = result.data() + (prefix + static_cast<std::size_t>(y) * to) * d;
    for (std::size_t k = 0; k < line[y].weights.size(); ++k) {
      const float* in = across.data() + (line[y].begin + k) * to * d;
      for (std::size_t c = 0; c < to * d; ++c) out[c] += line[y].weights[k] * in[c];
    }
  }
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
