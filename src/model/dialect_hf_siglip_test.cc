// transformers' SigLIP folders: what is refused. Numbers: engine/hf_siglip_golden_test.cc.
#include <filesystem>
#include <gtest/gtest.h>

#include "core/error.h"
#include "model/dialect.h"
#include "model/weights.h"

namespace tandem {
namespace {

std::string refusal(const std::string& text) {
  try {
    parse_hf_siglip_config(json::parse(text, "config.json"), "config.json");
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

ModelConfig parse(const std::string& text) {
  return parse_hf_siglip_config(json::parse(text, "config.json"), "config.json");
}

TEST(HfSiglipConfig, OfNothingIsBasePatch16) {
  const ModelConfig c = parse(R"({"model_type":"siglip"})");
  EXPECT_EQ(c.vision.timm.model, "vit_base_patch16_siglip_224");
  EXPECT_TRUE(c.vision.gelu_tanh);  // transformers' default, under a name that has erf in timm
  EXPECT_EQ(c.text.vocab_size, 32'000);
  EXPECT_EQ(c.embed_dim, 768);
}

TEST(HfSiglipConfig, FindsTimmsNameOfAPublishedShape) {
  const ModelConfig c = parse(R"({"model_type":"siglip",
    "vision_config":{"hidden_size":1152,"intermediate_size":4304,"num_hidden_layers":27,
                     "num_attention_heads":16,"image_size":384,"patch_size":16},
    "text_config":{"hidden_size":1152,"intermediate_size":4304,"num_hidden_layers":27,
                   "num_attention_heads":16,"vocab_size":256000}})");
  EXPECT_EQ(c.vision.timm.model, "vit_so400m_patch16_siglip_384");
  const auto own = json::dump(to_json(c));
  EXPECT_EQ(own.find("timm_shape"), std::string::npos) << own;
  for (const WeightSpec& spec : weight_table(c)) {
    if (spec.name == "visual.trunk.blocks.0.mlp.fc1.weight" ||
        spec.name == "text.transformer.resblocks.0.mlp.c_fc.weight") {
      EXPECT_EQ(spec.shape[0], 4304) << spec.name;
    }
  }
}

TEST(HfSiglipConfig, NamesNaflexTowersAsTimmDoes) {
  const ModelConfig c = parse(R"({"model_type":"siglip2","vision_config":{},"text_config":{}})");
  EXPECT_EQ(c.vision.family, VisionFamily::kNaflex);
  EXPECT_EQ(c.vision.timm.model, "naflexvit_base_patch16_siglip");
  EXPECT_EQ(c.vision.grid(), 16);
  for (const WeightSpec& spec : weight_table(c)) {
    if (spec.name == "visual.trunk.embeds.pos_embed") {
      EXPECT_EQ(spec.shape, (std::vector<std::int64_t>{1, 16, 16, 768}));
    }
  }
}

TEST(HfSiglipConfig, RefusesWhatItDoesNotCompute) {
  EXPECT_NE(refusal(R"({"model_type":"siglip3"})").find("siglip3"), std::string::npos);
  EXPECT_NE(refusal(R"({"model_type":"siglip2","vision_config":{"num_patches":200}})")
                .find("num_patches"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"vision_config":{"vision_use_head":false}})").find("vision_use_head"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"vision_config":{"hidden_act":"silu"}})").find("silu"), std::string::npos);
  EXPECT_NE(refusal(R"({"vision_config":{"layer_norm_eps":1e-5}})").find("layer_norm_eps"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"vision_config":{"num_attention_heads":5}})").find("num_attention_heads"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"text_config":{"projection_size":100}})").find("projection_size"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"vision_config":{"patch_size":512}})").find("patch_size"),
            std::string::npos);
}

TEST(HfSiglipTensors, NamesTheOneThatIsMissing) {
  const ModelConfig c = parse(R"({"model_type":"siglip"})");
  try {
    rename_hf_siglip(TensorMap{}, c, "model.safetensors");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), Kind::kCorrupt);
    EXPECT_NE(std::string(e.what()).find("logit_scale"), std::string::npos);
  }
}

TEST(HfSiglipWriting, RefusesTextsThatTheProcessorWouldCleanOtherwise) {
  Checkpoint checkpoint{
      .name = "model", .config = parse(R"({"model_type":"siglip"})"), .weights = {}};
  checkpoint.config.text.tokenizer_clean = "lower";
  const std::filesystem::path folder = testing::TempDir() + "hf_siglip_clean";
  try {
    hf_siglip_dialect().write(checkpoint, folder, DType::kF32);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), Kind::kUnsupported);
    EXPECT_NE(std::string(e.what()).find("tokenizer"), std::string::npos) << e.what();
  }
  EXPECT_FALSE(std::filesystem::exists(folder));
}

}  // namespace
}  // namespace tandem
