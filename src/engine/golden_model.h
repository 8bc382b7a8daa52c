// The fixture that both engines' golden tests share: a model of generated weights, its inputs, and
// what open_clip answers. Goldens: tools/goldens/model_goldens.py.
#pragma once

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/safetensors.h"
#include "engine/encoder.h"
#include "engine/generated_model.h"

namespace tandem {

struct Golden {
  ModelConfig config;
  std::uint64_t seed = 0;
  std::vector<float> image;
  std::vector<float> text;
};

// A timm trunk made smaller than its name says: {"width":…, "layers":…, "head_width":…}.
inline void apply_trunk(const json::value& trunk, VisionConfig& vision) {
  const json::Reader r(trunk, "trunk");
  vision.width = static_cast<int>(r.integer("width", vision.width));
  vision.layers = static_cast<int>(r.integer("layers", vision.layers));
  vision.head_width = static_cast<int>(r.integer("head_width", vision.head_width));
}

inline Golden read_golden(const std::string& name) {
  const auto file = read_safetensors("tests/goldens/model/" + name + ".safetensors");
  Golden golden{parse_model_config(json::parse(file.metadata.at("config"), name), name),
                std::stoull(file.metadata.at("seed")), to_float(file.map.at("image")),
                to_float(file.map.at("text"))};
  const auto trunk = file.metadata.find("trunk");
  if (trunk != file.metadata.end())
    apply_trunk(json::parse(trunk->second, name), golden.config.vision);
  return golden;
}

struct Distance {
  double max_abs = 0;
  double min_cosine = 1;
  double mean_cosine = 0;
};

// Of rows of unit length.
inline Distance distance(const Matrix& a, const std::vector<float>& b) {
  EXPECT_EQ(a.values.size(), b.size());
  Distance d;
  for (std::size_t r = 0; r < a.rows; ++r) {
    double dot = 0;
    double squares_a = 0;
    double squares_b = 0;
    for (std::size_t c = 0; c < a.cols; ++c) {
      const double x = a.row(r)[c];
      const double y = b[r * a.cols + c];
      d.max_abs = std::max(d.max_abs, std::abs(x - y));
      dot += x * y;
      squares_a += x * x;
      squares_b += y * y;
    }
    EXPECT_NEAR(squares_a, 1.0, 1e-5);
    const double cosine = dot / std::sqrt(squares_a * squares_b);
    d.min_cosine = std::min(d.min_cosine, cosine);
    d.mean_cosine += cosine / static_cast<double>(a.rows);
  }
  return d;
}

class GoldenModel : public testing::TestWithParam<const char*> {
 protected:
  GoldenModel()
      : golden_(read_golden(GetParam())),
        checkpoint_(generated_model(golden_.config, golden_.seed)) {
    pictures_ = generated_pictures(
        golden_.seed, static_cast<int>(golden_.image.size()) / golden_.config.embed_dim,
        golden_.config);
    texts_ = generated_texts(golden_.seed,
                             static_cast<int>(golden_.text.size()) / golden_.config.embed_dim,
                             golden_.config.text);
  }
  Golden golden_;
  Checkpoint checkpoint_;
  PixelBatch pictures_;
  TokenBatch texts_;
};

inline std::string golden_test_name(const testing::TestParamInfo<const char*>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// Every golden there is.
inline auto golden_names() {
  static const std::vector<const char*> kNames = {
      "tiny", "tiny-quick-gelu", "tiny-layer-scale", "tiny-no-ln-pre", "tiny-average",
      "tiny-average-after", "tiny-resnet", "vit-b-32", "vit-b-32-quick-gelu", "rn50",
      "vit-l-14-4-layers", "tiny-eva02", "tiny-eva02-mlp", "tiny-eva01", "tiny-eva01-average",
      "tiny-eva02-post", "tiny-pe", "tiny-pe-no-class", "eva02-b-16-4-layers",
      "eva02-l-14-2-layers", "pe-core-b-16-4-layers", "tiny-mci0", "tiny-mci3",
      "mobileclip-s0-2-blocks", "tiny-mci-vit", "tiny-mci-vit-average", "mobileclip-b-2-layers",
      // OpenCLIP's other shapes, and CoCa (tools/goldens/model_shapes.py).
      "tiny-heads-80-88", "tiny-heads-104-112", "tiny-sine", "tiny-pool", "tiny-pool-average",
      "tiny-pool-parallel", "tiny-pool-cascade", "tiny-clipa", "tiny-text-first",
      "tiny-text-argmax", "tiny-text-eos", "tiny-text-last-causal", "tiny-text-first-causal",
      "tiny-coca", "tiny-coca-pad-inside", "tiny-coca-no-pooler", "rn50x4-short", "rn50x64-short",
      "vit-h-14-2-layers", "vit-g-14-1-layer", "vit-bigg-14-1-layer", "coca-l-14-1-layer",
      // SigLIP (tools/goldens/model_siglip.py).
      "tiny-siglip", "tiny-siglip2", "tiny-siglip-average", "tiny-siglip-norm-after",
      "tiny-timm-clip", "siglip-b-16-2-layers", "siglip2-so400m-14-1-layer", "tiny-naflex",
      "naflex-b-16-2-layers",
      // Text towers of transformers (tools/goldens/model_hf_text.py).
      "hf-xlm-roberta", "hf-roberta", "hf-bert", "hf-mt5", "hf-mt5-relu", "hf-mt5-distant",
      "hf-xlm-roberta-large-2-layers", "hf-mt5-base-2-layers"};
  return testing::ValuesIn(kNames);
}

}  // namespace tandem
