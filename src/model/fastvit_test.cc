// Goldens: tools/goldens/model_fastvit.py and timm_tables.py.
#include "model/fastvit.h"

#include <cmath>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/json.h"
#include "core/safetensors.h"
#include "model/weights.h"

namespace tandem {
namespace {

ModelConfig config_of(const std::string& name) {
  const std::string text =
      R"({"embed_dim":8,"custom_text":true,"vision_cfg":{"image_size":256,"timm_model_name":")" +
      name + R"(","timm_pool":"avg","timm_proj":null},"text_cfg":{"width":64,"heads":1,
      "layers":1,"vocab_size":514,"no_causal_mask":true}})";
  return parse_model_config(json::parse(text, "c"), "c");
}

ModelConfig small() {
  ModelConfig config = config_of("fastvit_mci0");
  config.vision.width = 16;
  config.vision.layers = 1;
  return config;
}

// The trunk's branches in the golden, and for every other convolution a folded one.
TensorMap branches(const SafeTensors& golden, const ModelConfig& config) {
  TensorMap map;
  for (const auto& [name, view] : golden.map.tensors) {
    if (name.starts_with("train.")) map.tensors["visual.trunk." + name.substr(6)] = view;
  }
  for (const WeightSpec& spec : weight_table(config)) {
    const bool folded = spec.name.ends_with("reparam_conv.weight") &&
                        !golden.map.contains("folded." + spec.name.substr(13));
    if (folded) map.add_float(spec.name, {1}, {0});
  }
  return map;
}

TEST(FastVit, FoldsEveryKindOfBranchAsTimmDoes) {
  const auto golden = read_safetensors("tests/goldens/model_fastvit/folded.safetensors");
  TensorMap map = branches(golden, small());
  reparameterise(small(), map);
  int compared = 0;
  for (const auto& [name, view] : golden.map.tensors) {
    if (!name.starts_with("folded.")) continue;
    const TensorView& got = map.at("visual.trunk." + name.substr(7));
    ASSERT_EQ(got.shape, view.shape) << name;
    const auto a = to_float(got);
    const auto b = to_float(view);
    for (std::size_t i = 0; i < a.size(); ++i)
      ASSERT_NEAR(a[i], b[i], 1e-5 * (1 + std::abs(b[i]))) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 14);
  for (const auto& [name, view] : map.tensors)
    EXPECT_NE(name.find("reparam_conv"), std::string::npos) << name << " is left";
}

TEST(FastVit, NamesTheBranchThatIsMissingOrMisshapen) {
  const auto golden = read_safetensors("tests/goldens/model_fastvit/folded.safetensors");
  const auto refusal = [&](TensorMap map) -> std::string {
    try {
      reparameterise(small(), map);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), Kind::kCorrupt);
      return e.what();
    }
    return "accepted";
  };
  const std::string scope = "visual.trunk.stages.0.blocks.0.token_mixer.";
  TensorMap map = branches(golden, small());
  map.tensors.erase(scope + "mixer.identity.running_var");
  EXPECT_NE(refusal(map).find("mixer.identity.running_var"), std::string::npos);
  map = branches(golden, small());
  map.tensors.erase(scope + "layer_scale.gamma");
  EXPECT_NE(refusal(map).find("layer_scale.gamma"), std::string::npos);
  map = branches(golden, small());
  map.tensors.at(scope + "mixer.conv_scale.conv.weight").shape = {1, 16, 1, 1};
  EXPECT_NE(refusal(map).find("conv_scale.conv.weight"), std::string::npos);
}

TEST(FastVit, RefusesSizesThatTheStagesDoNotHalve) {
  EXPECT_THROW(parse_model_config(json::parse(R"({"embed_dim":8,"custom_text":true,"vision_cfg":{
      "image_size":250,"timm_model_name":"fastvit_mci0","timm_pool":"avg","timm_proj":null},
      "text_cfg":{}})",
                                              "c"),
                                  "c"),
               Error);
}

}  // namespace
}  // namespace tandem
