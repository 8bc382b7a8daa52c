#include "engine/quantize.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "core/json.h"
#include "core/rng.h"
#include "core/safetensors.h"
#include "engine/cpu/quantize.h"
#include "model/quantised.h"

namespace tandem {
namespace {

constexpr int kPictures = 4;
constexpr int kTexts = 12;
constexpr int kLayerSamples = 24;

// Blocks of colour at four sizes, from the whole picture to noise: flat places, edges, texture.
PixelBatch sample_pictures(const ModelConfig& config) {
  const int size = input_size({1000, 1000}, config.preprocess).width;
  PixelBatch batch{kPictures, size, {}};
  if (config.vision.family == VisionFamily::kNaflex) batch.sizes.assign(kPictures, {size, size});
  for (int b = 0; b < kPictures; ++b) {
    Rng rng(static_cast<std::uint64_t>(b) + 1);
    const int block = std::max(1, size >> (2 * b + 1));
    const int across = (size + block - 1) / block;
    std::vector<std::uint8_t> colours(static_cast<std::size_t>(across) * across * 3);
    for (auto& c : colours) c = static_cast<std::uint8_t>(rng.below(224));
    for (int y = 0; y < size; ++y) {
      for (int x = 0; x < size * 3; ++x) {
        const auto colour =
            colours[(static_cast<std::size_t>(y / block) * across + x / 3 / block) * 3 + x % 3];
        batch.pixels.push_back(static_cast<std::uint8_t>(colour + rng.below(32)));
      }
    }
  }
  return batch;
}

// Words between the vocabulary's last two ids, which are a CLIP tokenizer's start and end.
TokenBatch sample_texts(const TextConfig& config) {
  TokenBatch batch;
  Rng rng(1);
  for (int i = 0; i < kTexts; ++i) {
    const int longest = config.context_length;
    const int length = config.reads_padding() ? longest : std::min(longest, 4 + 2 * i);
    std::vector<std::int32_t> ids(static_cast<std::size_t>(length));
    for (auto& id : ids)
      id = 1 + static_cast<std::int32_t>(
                   rng.below(static_cast<std::uint64_t>(std::max(1, config.vocab_size - 3))));
    ids.front() = config.vocab_size - 2;
    ids.back() = config.vocab_size - 1;
    batch.add(ids);
  }
  return batch;
}

// The matrices to quantise: each product that reads one of them runs on every row, and the
// matrices it joins are all among them.
std::set<std::string> choose(const Observations& seen) {
  std::set<std::string> chosen;
  for (const auto& [name, linear] : seen.linears)
    chosen.insert(linear.matrices.begin(), linear.matrices.end());
  for (bool changed = true; changed;) {
    changed = false;
    for (const auto& [name, linear] : seen.linears) {
      const bool all = linear.every_row && !linear.mixed &&
                       std::all_of(linear.matrices.begin(), linear.matrices.end(),
                                   [&](const auto& m) { return chosen.contains(m); });
      if (all) continue;
      for (const auto& matrix : linear.matrices) changed = chosen.erase(matrix) > 0 || changed;
    }
  }
  return chosen;
}

// What each channel of a norm's output is divided by. Empty where a reader stays float.
std::vector<float> smoothing(const NormObservation& norm, const Observations& seen,
                             const TensorMap& weights, const std::set<std::string>& chosen) {
  const std::size_t width = norm.peaks.size();
  std::vector<double> squares(width, 0.0);
  for (const auto& reader : norm.readers) {
    for (const auto& matrix : seen.linears.at(reader).matrices) {
      if (!chosen.contains(matrix)) return {};
      const auto values = to_float(weights.at(matrix));
      for (std::size_t i = 0; i < values.size(); ++i)
        squares[i % width] += static_cast<double>(values[i]) * values[i];
    }
  }
  std::vector<float> smooth(norm.readers.empty() ? 0 : width);
  for (std::size_t i = 0; i < smooth.size(); ++i) {
    // 1e-5: a channel that is always zero, or that nothing reads, may be scaled by anything.
    const double peak = std::max(1e-5, static_cast<double>(norm.peaks[i]));
    const double length = std::max(1e-5, std::sqrt(squares[i]));
    smooth[i] = static_cast<float>(std::sqrt(peak / length));
  }
  return smooth;
}

// A matrix (out,in) as integers with one scale a row.
struct Integers {
  std::vector<std::int8_t> values;
  std::vector<float> scales;
};

Integers to_integers(const std::string& name, std::vector<float> values,
                     const std::vector<float>& smooth, std::size_t in) {
  Integers out;
  for (std::size_t begin = 0; begin < values.size(); begin += in) {
    const auto row = std::span(values).subspan(begin, in);
    float peak = 0;
    for (std::size_t i = 0; i < in; ++i) {
      if (!smooth.empty()) row[i] *= smooth[i];
      if (!std::isfinite(row[i])) {
        throw Error(Kind::kCorrupt,
                    fmt::format("{}: holds {}. Expected finite weights.", name, row[i]));
      }
      peak = std::max(peak, std::abs(row[i]));
    }
    // A row of zeros: any scale fits.
    const float scale = peak > 1e-30F ? peak / 127.0F : 1.0F;
    out.scales.push_back(scale);
    for (const float x : row)
      out.values.push_back(static_cast<std::int8_t>(std::nearbyint(x / scale)));
  }
  return out;
}

void add_integers(TensorMap& map, const std::string& name, std::vector<std::int64_t> shape,
                  Integers integers) {
  const auto owner = std::make_shared<const std::vector<std::int8_t>>(std::move(integers.values));
  map.tensors[name] = {DType::kI8, shape, std::as_bytes(std::span(*owner))};
  map.owners.push_back(owner);
  map.add_float(scale_name(name), {shape[0]}, std::move(integers.scales));
}

// Of x W^T over rows of x, with x and W rounded as the engine rounds them.
double relative_error(std::span<const float> inputs, const std::vector<float>& weights,
                      const Integers& integers, const std::vector<float>& smooth) {
  const std::size_t outs = integers.scales.size();
  const std::size_t in = weights.size() / outs;
  double error = 0;
  double power = 0;
  std::vector<std::int32_t> rounded(in);
  for (std::size_t begin = 0; begin < inputs.size(); begin += in) {
    const auto x = inputs.subspan(begin, in);
    const auto smoothed = [&](std::size_t i) { return smooth.empty() ? x[i] : x[i] / smooth[i]; };
    float peak = 0;
    for (std::size_t i = 0; i < in; ++i) peak = std::max(peak, std::abs(smoothed(i)));
    const float inverse = peak > 1e-30F ? 127.0F / peak : 0.0F;
    for (std::size_t i = 0; i < in; ++i)
      rounded[i] = static_cast<std::int32_t>(std::nearbyint(smoothed(i) * inverse));
    for (std::size_t o = 0; o < outs; ++o) {
      double exact = 0;
      std::int32_t sum = 0;
      for (std::size_t i = 0; i < in; ++i) {
        exact += static_cast<double>(x[i]) * weights[o * in + i];
        sum += rounded[i] * integers.values[o * in + i];
      }
      const double got = static_cast<double>(sum) * integers.scales[o] * (peak / 127.0F);
      error += (got - exact) * (got - exact);
      power += exact * exact;
    }
  }
  return power > 0 ? std::sqrt(error / power) : 0.0;
}

// All that stays floats: bf16 in matrices and tables, float32 in vectors.
void add_rest(const TensorMap& weights, const std::set<std::string>& chosen, TensorMap& out) {
  TensorMap large;
  TensorMap small;
  for (const auto& [name, view] : weights.tensors) {
    if (!chosen.contains(name)) (view.shape.size() >= 2 ? large : small).tensors[name] = view;
  }
  for (TensorMap part : {with_dtype(large, DType::kBF16), with_dtype(small, DType::kF32)}) {
    out.tensors.merge(part.tensors);
    out.owners.insert(out.owners.end(), part.owners.begin(), part.owners.end());
  }
}

}  // namespace

Quantised quantise(const Checkpoint& checkpoint, const QuantiseOptions& options) {
  const TensorMap& weights = checkpoint.weights;
  if (is_quantised(weights)) {
    throw Error(Kind::kUnsupported, fmt::format("{}: is quantised already. Expected the model it "
                                                "was made from.",
                                                checkpoint.name));
  }
  const Observations seen = observe_model(
      checkpoint, sample_pictures(checkpoint.config), sample_texts(checkpoint.config.text),
      {.samples = options.layer_errors ? kLayerSamples : 0, .threads = options.threads});
  const auto chosen = choose(seen);
  Quantised result;
  add_rest(weights, chosen, result.weights);
  std::map<std::string, std::vector<float>> smooth;
  for (const auto& [prefix, norm] : seen.norms) {
    smooth[prefix] = smoothing(norm, seen, weights, chosen);
    if (!smooth[prefix].empty()) {
      result.weights.add_float(smooth_name(prefix), {static_cast<std::int64_t>(norm.peaks.size())},
                               smooth[prefix]);
    }
  }
  for (const auto& [name, linear] : seen.linears) {
    for (const auto& matrix : linear.matrices) {
      if (!chosen.contains(matrix) || result.weights.contains(matrix)) continue;
      const auto& shape = weights.at(matrix).shape;
      const auto& factors = smooth[linear.norm];
      auto integers = to_integers(matrix, to_float(weights.at(matrix)), factors,
                                  static_cast<std::size_t>(shape[1]));
      if (options.layer_errors) {
        result.layers.push_back({matrix, relative_error(linear.inputs, to_float(weights.at(matrix)),
                                                        integers, factors)});
      }
      add_integers(result.weights, matrix, shape, std::move(integers));
    }
  }
  return result;
}

void save_quantised(const std::filesystem::path& folder, const ModelConfig& config,
                    const TensorMap& weights) {
  std::filesystem::create_directories(folder);
  const json::value described = to_json(config);
  write_safetensors(folder / "open_clip_model.safetensors", weights,
                    {{std::string(kQuantisedKey), std::string(kQuantisedScheme)},
                     {"open_clip_config", json::dump(described)},
                     {"format", "pt"}});
  write_file_atomically(folder / "open_clip_config.json", json::pretty(described) + "\n");
}

RowAgreement compare_rows(const Matrix& a, const Matrix& b) {
  RowAgreement found;
  double sum = 0;
  for (std::size_t r = 0; r < a.rows; ++r) {
    double cosine = 0;
    for (std::size_t c = 0; c < a.cols; ++c) {
      cosine += static_cast<double>(a.row(r)[c]) * b.row(r)[c];
      const double difference = std::abs(static_cast<double>(a.row(r)[c]) - b.row(r)[c]);
      found.max_difference = std::max(found.max_difference, difference);
    }
    found.min_cosine = std::min(found.min_cosine, cosine);
    sum += cosine;
  }
  found.mean_cosine = sum / static_cast<double>(a.rows);
  return found;
}

double top_one_agreement(const Matrix& images_a, const Matrix& texts_a, const Matrix& images_b,
                         const Matrix& texts_b) {
  const auto best = [](const Matrix& images, const Matrix& texts, std::size_t i) {
    std::size_t top = 0;
    double highest = -2;
    for (std::size_t t = 0; t < texts.rows; ++t) {
      double dot = 0;
      for (std::size_t c = 0; c < texts.cols; ++c)
        dot += static_cast<double>(images.row(i)[c]) * texts.row(t)[c];
      if (dot > highest) top = t;
      highest = std::max(highest, dot);
    }
    return top;
  };
  std::size_t same = 0;
  for (std::size_t i = 0; i < images_a.rows; ++i)
    same += best(images_a, texts_a, i) == best(images_b, texts_b, i) ? 1 : 0;
  return static_cast<double>(same) / static_cast<double>(images_a.rows);
}

}  // namespace tandem
