// The eva dialect on models that are generated in Tandem's names, renamed by an independent rule
// (timm 1.0.31 checkpoint_filter_fn, read backwards), and on damaged ones.
#include <algorithm>
#include <filesystem>
#include <functional>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/error.h"
#include "core/safetensors.h"
#include "model/dialect.h"
#include "model/weights.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

// Every tensor has the shape of the table; the values are few, at its front.
TensorMap shapes_of(const ModelConfig& config) {
  std::size_t most = 0;
  for (const WeightSpec& spec : weight_table(config)) {
    std::size_t n = 1;
    for (const auto side : spec.shape) n *= static_cast<std::size_t>(side);
    most = std::max(most, n);
  }
  auto bytes = std::make_shared<std::vector<std::byte>>(most * 2);
  TensorMap map;
  for (const WeightSpec& spec : weight_table(config)) {
    std::size_t n = 1;
    for (const auto side : spec.shape) n *= static_cast<std::size_t>(side);
    map.tensors[spec.name] = {DType::kF16, spec.shape, std::span(*bytes).first(n * 2)};
  }
  map.owners.push_back(bytes);
  return map;
}

ModelConfig config_of(const std::string& name, int size, const std::string& pool) {
  const std::string text = R"({"embed_dim":64,"custom_text":true,"vision_cfg":{"image_size":)" +
                           std::to_string(size) + R"(,"timm_model_name":")" + name +
                           R"(","timm_pool":")" + pool +
                           R"(","timm_proj":null},"text_cfg":{"width":128,"heads":2,"layers":2,
                           "vocab_size":600,"context_length":32}})";
  return parse_model_config(json::parse(text, "c"), "c");
}

void replace(std::string& name, const std::string& from, const std::string& to) {
  const std::size_t at = name.find(from);
  if (at != std::string::npos) name.replace(at, from.size(), to);
}

TensorMap in_eva_names(const TensorMap& ours) {
  TensorMap theirs;
  theirs.owners = ours.owners;
  for (const auto& [name, view] : ours.tensors) {
    std::string n = name;
    replace(n, "visual.trunk.", "visual.");
    if (n.starts_with("visual.")) {
      replace(n, "mlp.norm", "mlp.ffn_ln");
      replace(n, "attn.norm", "attn.inner_attn_ln");
      replace(n, "mlp.fc1_g", "mlp.w1");
      replace(n, "mlp.fc1_x", "mlp.w2");
      if (ours.contains("visual.trunk.blocks.0.mlp.fc1_g.weight")) replace(n, "mlp.fc2", "mlp.w3");
      replace(n, "q_proj.bias", "q_bias");
      replace(n, "v_proj.bias", "v_bias");
    }
    theirs.tensors[n] = view;
  }
  return theirs;
}

Error refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "accepted";
  return Error(Kind::kInternal, "");
}

class EvaNames : public testing::TestWithParam<std::pair<const char*, int>> {};

TEST_P(EvaNames, AreReadWithTheConfigurationThatTheirShapesSay) {
  const ModelConfig config = config_of(GetParam().first, GetParam().second, "token");
  TensorMap theirs = in_eva_names(shapes_of(config));
  theirs.add_float("visual.rope.freqs_cos", {2}, {1, 1});
  const ModelConfig found = infer_eva_config(theirs, "w");
  EXPECT_EQ(found.vision.timm.model, config.vision.timm.model);
  EXPECT_EQ(found.vision.image_size_px, config.vision.image_size_px);
  EXPECT_EQ(found.embed_dim, 64);
  EXPECT_EQ(found.text.heads, 2);
  EXPECT_EQ(found.text.layers, 2);
  EXPECT_EQ(found.text.context_length, 32);
  check_weights(weight_table(config), rename_eva(theirs, found, "w"), "w");
}

INSTANTIATE_TEST_SUITE_P(Models, EvaNames,
                         testing::Values(std::pair{"eva02_base_patch16_clip_224", 224},
                                         std::pair{"eva02_large_patch14_clip_224", 224},
                                         std::pair{"eva02_large_patch14_clip_336", 336},
                                         std::pair{"eva02_large_patch14_clip_224", 448},
                                         std::pair{"eva02_enormous_patch14_clip_224", 224},
                                         std::pair{"eva_giant_patch14_224", 224}));

TEST(EvaDialect, WritesWhatItReads) {
  const fs::path dir = fs::temp_directory_path() / ("tandem_eva_" + std::to_string(getpid()));
  Checkpoint c;
  c.name = "eva";
  c.config = config_of("eva02_base_patch16_clip_224", 224, "token");
  c.weights = shapes_of(c.config);
  auto mark = std::make_shared<std::vector<std::byte>>(768 * 2, std::byte{0x3C});
  c.weights.tensors["visual.trunk.blocks.3.attn.q_proj.bias"].bytes = *mark;
  c.weights.owners.push_back(mark);
  eva_dialect().write(c, dir, DType::kF16);
  const SafeTensors file = read_safetensors(dir / "model.safetensors");
  EXPECT_TRUE(file.map.contains("visual.blocks.3.attn.q_bias"));
  EXPECT_TRUE(file.map.contains("visual.blocks.3.mlp.w1.weight"));
  ASSERT_TRUE(eva_dialect().recognises(dir));
  ASSERT_EQ(dialect_of(dir / "model.safetensors"), &dialects().front());
  const Checkpoint back = eva_dialect().read(dir);
  EXPECT_EQ(json::dump(to_json(back.config)), json::dump(to_json(c.config)));
  check_weights(weight_table(c.config), back.weights, "w");
  EXPECT_EQ(to_float(back.weights.at("visual.trunk.blocks.3.attn.q_proj.bias")),
            to_float(c.weights.at("visual.trunk.blocks.3.attn.q_proj.bias")));
  fs::remove_all(dir);
}

// Meta's names: the attention pool's q and k|v come out of one matrix, the projection is turned.
TEST(EvaDialect, ReadsMetasNames) {
  const ModelConfig config = config_of("vit_pe_core_tiny_patch16_384", 384, "map");
  const TensorMap ours = shapes_of(config);
  TensorMap theirs;
  theirs.owners = ours.owners;
  for (const auto& [name, view] : ours.tensors) {
    std::string n = name;
    if (n.starts_with("text.")) n = n.substr(5);
    for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
             {"visual.trunk.", "visual."},
             {"attn_pool.norm", "attn_pool.layernorm"},
             {"attn_pool.latent", "attn_pool.probe"},
             {"attn_pool.proj", "attn_pool.attn.out_proj"},
             {"visual.norm_pre", "visual.ln_pre"},
             {"visual.norm.", "visual.ln_post."},
             {"visual.blocks.", "visual.transformer.resblocks."},
             {".norm1", ".ln_1"},
             {".norm2", ".ln_2"},
             {"attn.qkv.", "attn.in_proj_"},
             {"attn.proj", "attn.out_proj"},
             {"mlp.fc1", "mlp.c_fc"},
             {"mlp.fc2", "mlp.c_proj"},
             {"visual.patch_embed.proj", "visual.conv1"}})
      replace(n, from, to);
    if (n.find("visual.head") == 0 || n.find("visual.attn_pool.kv") == 0 ||
        n.find("visual.attn_pool.q.") == 0)
      continue;
    TensorView v = view;
    if (n == "visual.cls_token") n = "visual.class_embedding", v.shape = {192};
    if (n == "visual.pos_embed") n = "visual.positional_embedding", v.shape = {577, 192};
    theirs.tensors[n] = v;
  }
  std::vector<float> in_proj(3 * 192 * 192, 0.0F);
  in_proj[192 * 192] = 5;  // the first of k
  theirs.add_float("visual.attn_pool.attn.in_proj_weight", {3 * 192, 192}, in_proj);
  theirs.add_float("visual.attn_pool.attn.in_proj_bias", {3 * 192}, std::vector<float>(3 * 192));
  std::vector<float> proj(192 * 64, 0.0F);
  proj[1] = 7;
  theirs.add_float("visual.proj", {192, 64}, proj);
  const ModelConfig found = infer_eva_config(theirs, "w");
  EXPECT_EQ(found.vision.timm.model, "vit_pe_core_tiny_patch16_384");
  EXPECT_EQ(found.preprocess.resize_mode, ResizeMode::kSquash);
  const TensorMap back = rename_eva(theirs, found, "w");
  check_weights(weight_table(config), back, "w");
  EXPECT_EQ(to_float(back.at("visual.trunk.attn_pool.kv.weight"))[0], 5);
  EXPECT_EQ(to_float(back.at("visual.trunk.head.weight"))[192], 7);
}

TEST(EvaDialect, NamesWhatIsMissingMisshapenOrUnknown) {
  const ModelConfig config = config_of("eva02_base_patch16_clip_224", 224, "token");
  const TensorMap good = in_eva_names(shapes_of(config));
  TensorMap bad = good;
  bad.tensors.erase("visual.blocks.11.mlp.w2.bias");
  Error e = refusal([&] { rename_eva(bad, config, "w"); });
  EXPECT_EQ(e.kind(), Kind::kCorrupt);
  EXPECT_NE(std::string(e.what()).find("visual.blocks.11.mlp.w2.bias"), std::string::npos);
  bad = good;
  bad.tensors["visual.pos_embed"].shape = {197, 768};
  e = refusal([&] { infer_eva_config(bad, "w"); });
  EXPECT_EQ(e.kind(), Kind::kCorrupt);
  EXPECT_NE(std::string(e.what()).find("2 dimensions"), std::string::npos);
  bad.tensors["visual.pos_embed"].shape = {1, 198, 768};
  EXPECT_EQ(refusal([&] { infer_eva_config(bad, "w"); }).kind(), Kind::kUnsupported);
  bad.tensors["visual.pos_embed"].shape = {1, -5, 768};
  EXPECT_EQ(refusal([&] { infer_eva_config(bad, "w"); }).kind(), Kind::kCorrupt);
  bad = good;
  bad.tensors["visual.surprise"] = good.at("logit_scale");
  EXPECT_NE(std::string(refusal([&] { rename_eva(bad, config, "w"); }).what()).find("surprise"),
            std::string::npos);
}

TEST(EvaDialect, RefusesToWriteWhatItsNamesCannotSay) {
  Checkpoint c;
  c.config = config_of("vit_pe_core_tiny_patch16_384", 384, "map");
  EXPECT_EQ(refusal([&] { eva_dialect().write(c, "/tmp/never", DType::kF32); }).kind(),
            Kind::kUnsupported);
}

}  // namespace
}  // namespace tandem
