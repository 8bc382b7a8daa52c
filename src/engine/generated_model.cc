#include "engine/generated_model.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

#include "model/weights.h"

namespace tandem {
namespace {

constexpr std::uint64_t kGoldenRatio = 0x9E3779B97F4A7C15U;

// 64-bit hashes of one stream by number: splitmix64 of a counter.
class Words {
 public:
  Words(std::uint64_t seed, std::string_view name) : base_(0xCBF29CE484222325U) {
    for (const char c : name) base_ = (base_ ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
    base_ ^= seed * kGoldenRatio;
  }
  std::uint64_t operator[](std::uint64_t i) const {
    std::uint64_t z = base_ + (i + 1) * kGoldenRatio;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t base_;
};

double uniform(std::uint64_t z) { return static_cast<double>(z >> 40) / 16777216.0; }

// Mean 0, deviation 1: the sum of a hash's four 16-bit parts.
double normal(std::uint64_t z) {
  const std::uint64_t sum = (z & 0xFFFF) + (z >> 16 & 0xFFFF) + (z >> 32 & 0xFFFF) + (z >> 48);
  return (static_cast<double>(sum) - 131070.0) / 65536.0 * 1.7320508075688772;
}

// How the values of a tensor are made from hashes.
struct Rule {
  double offset = 0;
  double scale = 0;
  enum class Kind { kConstant, kUniform, kCubedUniform, kNormal } kind = Kind::kNormal;
  bool outliers = false;  // some output rows are 20 times larger
};

// FastViT's depthwise convolutions that stand for x + convolution(x).
bool passes_on(const std::string& name) {
  return name.ends_with("token_mixer.reparam_conv.weight") ||
         name.ends_with("pos_emb.reparam_conv.weight");
}

Rule rule_of(const WeightSpec& spec) {
  using Kind = Rule::Kind;
  const std::string& name = spec.name;
  const auto& shape = spec.shape;
  const auto ends = [&](const char* end) { return name.ends_with(end); };
  if (name == "logit_scale") return {2.6592600369327779, 0, Kind::kConstant};
  if (ends("running_var")) return {0.5, 1, Kind::kUniform};
  if (ends("running_mean")) return {0, 0.2};
  if (shape.size() == 1 && ends(".weight")) {
    if (name.find("ln_") != std::string::npos || name.find("norm") != std::string::npos ||
        name.find("LayerNorm") != std::string::npos)
      return {0.2, 4.8, Kind::kCubedUniform};
    if (ends("bn3.weight") && name.find("layer") != std::string::npos)
      return {0.2, 0.4, Kind::kUniform};
    return {0.5, 1, Kind::kUniform};
  }
  if (name.find("layer_scale") != std::string::npos) return {0.03, 0.27, Kind::kUniform};
  if (ends("gamma")) return {0.1, 0.9, Kind::kUniform};
  if (ends("bias") || ends("positional_embedding") || ends("pos_embed")) return {0, 0.1};
  if (ends("embedding") || ends("embedding.weight") || ends("cls_emb") || ends("cls_token") ||
      ends("latent"))
    return {0, 0.5};
  if (ends("embeddings.weight") || ends("embed_tokens.weight")) return {0, 0.5};
  // T5 does not scale its scores: its queries are small instead.
  if (ends("SelfAttention.q.weight")) return {0, 0.0625 / std::sqrt(static_cast<double>(shape[1]))};
  if (shape.size() == 4 && name.find("reparam_conv") != std::string::npos)
    return {0, (passes_on(name) ? 0.18 : 0.9) *
                   std::sqrt(2.0 / static_cast<double>(shape[1] * shape[2] * shape[3]))};
  if (shape.size() == 4)
    return {0, std::sqrt(2.0 / static_cast<double>(shape[1] * shape[2] * shape[3]))};
  const bool transposed = name == "visual.proj" || ends("text_projection");
  const auto fan_in = static_cast<double>(transposed ? shape[0] : shape[1]);
  return {0, 1.0 / std::sqrt(fan_in), Kind::kNormal,
          ends("c_proj.weight") || ends("out_proj.weight") || ends("attn.proj.weight") ||
              ends(".mlp.fc2.weight") || ends("output.dense.weight") ||
              ends("SelfAttention.o.weight") || ends("DenseReluDense.wo.weight")};
}

void center_rows(std::vector<double>& values, std::size_t width) {
  for (auto row = values.begin(); row != values.end(); row += static_cast<std::ptrdiff_t>(width)) {
    const double mean = std::accumulate(row, row + static_cast<std::ptrdiff_t>(width), 0.0) /
                        static_cast<double>(width);
    std::for_each(row, row + static_cast<std::ptrdiff_t>(width), [&](double& x) { x -= mean; });
  }
}

std::vector<float> values_of(const WeightSpec& spec, std::uint64_t seed) {
  const Rule rule = rule_of(spec);
  const Words words(seed, spec.name);
  std::size_t count = 1;
  for (const std::int64_t n : spec.shape) count *= static_cast<std::size_t>(n);
  // Queries and keys: see generated_model.py.
  std::size_t halved = 0;
  for (const char* end : {"in_proj_weight", "attn.qkv.weight", "token_mixer.qkv.weight"}) {
    if (spec.name.ends_with(end)) halved = count / 3 * 2;
  }
  for (const char* end : {"q_proj.weight", "k_proj.weight", "q_proj_weight", "k_proj_weight",
                          "query.weight", "key.weight", "SelfAttention.k.weight"}) {
    if (spec.name.ends_with(end)) halved = count;
  }
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    double x = 0;
    switch (rule.kind) {
      case Rule::Kind::kConstant:
        break;
      case Rule::Kind::kUniform:
        x = uniform(words[i]);
        break;
      case Rule::Kind::kCubedUniform:
        x = uniform(words[i]), x = x * x * x;
        break;
      case Rule::Kind::kNormal:
        x = normal(words[i]);
        break;
    }
    double scale = rule.scale;
    if (i < halved) scale *= 0.5;
    if (rule.outliers && i / static_cast<std::size_t>(spec.shape[1]) % 191 == 13) scale *= 20.0;
    values[i] = rule.offset + scale * x;
  }
  if (spec.shape.size() == 4 && spec.name.find("reparam_conv") == std::string::npos &&
      !spec.name.ends_with("pos_embed"))
    center_rows(values, count / spec.shape[0]);
  if (passes_on(spec.name)) {
    const std::size_t area = count / spec.shape[0];
    for (std::size_t i = area / 2; i < count; i += area) values[i] += 1;
  }
  return {values.begin(), values.end()};
}

}  // namespace

Checkpoint generated_model(const ModelConfig& config, std::uint64_t seed) {
  Checkpoint checkpoint;
  checkpoint.name = "generated";
  checkpoint.config = config;
  for (const WeightSpec& spec : weight_table(config)) {
    checkpoint.weights.add_float(spec.name, spec.shape, values_of(spec, seed));
  }
  return checkpoint;
}

PixelBatch generated_pictures(std::uint64_t seed, int count, int size_px) {
  PixelBatch batch{count, size_px, {}};
  const Words coarse(seed, "blocks");
  const Words fine(seed, "noise");
  const std::uint64_t blocks = (size_px + 15) / 16;
  std::uint64_t i = 0;
  for (std::uint64_t b = 0; b < static_cast<std::uint64_t>(count); ++b) {
    for (int y = 0; y < size_px; ++y) {
      for (int x = 0; x < size_px; ++x) {
        for (std::uint64_t c = 0; c < 3; ++c) {
          const std::uint64_t block = ((b * blocks + y / 16) * blocks + x / 16) * 3 + c;
          batch.pixels.push_back(
              static_cast<std::uint8_t>((coarse[block] >> 56) * 3 / 4 + (fine[i++] >> 58)));
        }
      }
    }
  }
  return batch;
}

PixelBatch generated_pictures(std::uint64_t seed, int count, const ModelConfig& config) {
  if (config.vision.family != VisionFamily::kNaflex)
    return generated_pictures(seed, count, config.vision.image_size_px);
  // Cut from the corner of squares that hold each.
  constexpr PictureSize kShown[] = {{100, 100}, {400, 100}, {90, 130}};
  PixelBatch batch{count, config.preprocess.size_px, {}};
  int side = 0;
  for (int i = 0; i < count; ++i) {
    const PictureSize size = input_size(kShown[i % std::size(kShown)], config.preprocess);
    batch.sizes.push_back(size);
    side = std::max({side, size.width, size.height});
  }
  const PixelBatch squares = generated_pictures(seed, count, side);
  for (int i = 0; i < count; ++i) {
    const std::uint8_t* line = squares.picture(i).data();
    for (int y = 0; y < batch.sizes[i].height; ++y, line += std::ptrdiff_t{3} * side)
      batch.pixels.insert(batch.pixels.end(), line,
                          line + std::ptrdiff_t{3} * batch.sizes[i].width);
  }
  return batch;
}

TokenBatch generated_texts(std::uint64_t seed, int count, const TextConfig& config) {
  TokenBatch batch;
  for (int i = 0; i < count; ++i) {
    const int longest = i == 0 ? config.context_length : std::min(config.context_length, 16);
    const Words words(seed, fmt::format("text {}", i));
    const int length = i == 0 ? longest : 2 + static_cast<int>(words[0] % (longest - 1));
    std::vector<std::int32_t> ids;
    for (int j = 0; j < length; ++j)
      ids.push_back(1 + static_cast<std::int32_t>(words[j] % (config.vocab_size - 3)));
    ids.front() = config.vocab_size - 2;
    ids.back() = config.vocab_size - 1;
    if (config.reads_padding()) ids.resize(config.context_length, config.pad_id);
    batch.add(ids);
  }
  return batch;
}

}  // namespace tandem
