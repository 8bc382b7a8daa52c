#include <fstream>
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

constexpr const char* kTiny =
    R"({"model_type":"clip","projection_dim":12,
    "text_config":{"vocab_size":520,"hidden_size":16,"intermediate_size":40,
      "num_hidden_layers":1,"num_attention_heads":2,"max_position_embeddings":8},
    "vision_config":{"hidden_size":24,"intermediate_size":56,"num_hidden_layers":1,
      "num_attention_heads":3,"image_size":16,"patch_size":8}})";

ModelConfig parse(const std::string& text) {
  return parse_hf_clip_config(json::parse(text, "c.json"), "c.json");
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

class HfClip : public testing::Test {
 protected:
  HfClip() : dir_(fs::temp_directory_path() / ("tandem_hf_clip_" + std::to_string(getpid()))) {
    fs::create_directories(dir_);
    checkpoint_.name = "tiny";
    checkpoint_.config = parse(kTiny);
    checkpoint_.config.preprocess.size_px = 16;
    checkpoint_.weights = initial_weights(weight_table(checkpoint_.config), Rng(5));
  }
  ~HfClip() override { fs::remove_all(dir_); }
  fs::path dir_;
  Checkpoint checkpoint_;
};

TEST_F(HfClip, FillsInWhatTransformersFillsIn) {
  const ModelConfig c = parse(R"({"model_type":"clip"})");
  EXPECT_EQ(c.embed_dim, 512);
  EXPECT_TRUE(c.quick_gelu);
  EXPECT_EQ(c.vision.width, 768);
  EXPECT_EQ(c.vision.patch_px, 32);
  EXPECT_EQ(c.vision.head_width, 64);
  EXPECT_EQ(c.text.width, 512);
  EXPECT_EQ(c.text.context_length, 77);
  EXPECT_EQ(c.text.pool, TextConfig::Pool::kArgmax);
}

TEST_F(HfClip, TakesTheOlderSectionsFirst) {
  // transformers: text_config_dict, completed by the defaults, replaces text_config.
  const ModelConfig c =
      parse(R"({"text_config":{"hidden_size":768,"num_hidden_layers":3},"text_config_dict":
              {"hidden_size":256},"vision_config_dict":null})");
  EXPECT_EQ(c.text.width, 256);
  EXPECT_EQ(c.text.layers, 12);
}

TEST_F(HfClip, PoolsTheFirstEndOfTextWhereItIsNotTheLastId) {
  const auto pool = [](int end) {
    return parse(R"({"text_config":{"eos_token_id":)" + std::to_string(end) + "}}").text.pool;
  };
  EXPECT_EQ(pool(2), TextConfig::Pool::kArgmax);
  EXPECT_EQ(pool(49'407), TextConfig::Pool::kArgmax);
  EXPECT_EQ(pool(49'000), TextConfig::Pool::kEos);
}

TEST_F(HfClip, KeepsHiddenWidthsThatNoRatioGivesExactly) {
  const ModelConfig c = parse(R"({"vision_config":{"hidden_size":1664,"num_attention_heads":16,
                 "intermediate_size":8192}})");
  EXPECT_EQ(static_cast<int>(c.vision.width * c.vision.mlp_ratio), 8192);
}

TEST_F(HfClip, RefusesConfigurationsItCannotCompute) {
  for (const char* text :
       {R"({"vision_config":{"hidden_act":"gelu"}})", R"({"text_config":{"hidden_act":"relu"}})",
        R"({"vision_config":{"layer_norm_eps":1e-6}})"}) {
    EXPECT_EQ(refusal([&] { parse(text); }).kind(), Kind::kUnsupported) << text;
  }
  for (const char* text :
       {R"({"vision_config":{"hidden_size":770}})", R"({"vision_config":{"num_channels":1}})",
        R"({"vision_config":{"patch_size":225}})", R"({"text_config":{"vocab_size":7}})",
        R"({"projection_dim":0})", R"({"text_config":[]})",
        R"({"text_config":{"hidden_size":"x"}})", R"({"text_config":{"layer_norm_eps":0}})"}) {
    EXPECT_EQ(refusal([&] { parse(text); }).kind(), Kind::kCorrupt) << text;
  }
}

TEST_F(HfClip, ReadsBackWhatItWrote) {
  hf_clip_dialect().write(checkpoint_, dir_, DType::kF32);
  const Checkpoint back = load_checkpoint(dir_);
  EXPECT_EQ(json::dump(to_json(back.config)), json::dump(to_json(checkpoint_.config)));
  for (const auto& [name, view] : checkpoint_.weights.tensors)
    EXPECT_EQ(to_float(back.weights.at(name)), to_float(view)) << name;
}

TEST_F(HfClip, NamesTheTensorThatIsMissingOrTooMuch) {
  const TensorMap empty;
  const auto rename = [&](const TensorMap& map) {
    return refusal([&] { rename_hf_clip(map, checkpoint_.config, "m"); });
  };
  EXPECT_NE(std::string(rename(empty).what()).find("\"logit_scale\" is missing"),
            std::string::npos);
  hf_clip_dialect().write(checkpoint_, dir_, DType::kF32);
  TensorMap map = read_safetensors(dir_ / "model.safetensors").map;
  map.add_float("text_model.embeddings.position_ids", {1, 8}, std::vector<float>(8));
  EXPECT_NO_THROW(rename_hf_clip(map, checkpoint_.config, "m"));
  map.add_float("classifier.weight", {1}, {0});
  EXPECT_EQ(rename(map).kind(), Kind::kCorrupt);
}

TEST_F(HfClip, RefusesTowersAlone) {
  for (const char* config :
       {R"({"model_type":"clip_text_model","architectures":["CLIPTextModelWithProjection"]})",
        R"({"model_type":"clip_vision_model"})",
        R"({"model_type":"clip","architectures":["CLIPForImageClassification"]})"}) {
    std::ofstream(dir_ / "config.json") << config;
    const Error e = refusal([&] { load_checkpoint(dir_); });
    EXPECT_EQ(e.kind(), Kind::kUnsupported) << config;
    EXPECT_NE(std::string(e.what()).find("not a whole CLIP model"), std::string::npos);
  }
}

TEST_F(HfClip, RefusesPickledWeightsWithTheCommandThatConverts) {
  std::ofstream(dir_ / "config.json") << kTiny;
  std::ofstream(dir_ / "preprocessor_config.json") << R"({"size":16,"crop_size":16})";
  EXPECT_EQ(refusal([&] { load_checkpoint(dir_); }).kind(), Kind::kNotFound);
  std::ofstream(dir_ / "pytorch_model.bin") << "PK";
  EXPECT_NE(std::string(refusal([&] { load_checkpoint(dir_); }).what()).find("save_file"),
            std::string::npos);
}

TEST_F(HfClip, RefusesToWriteWhatClipModelCannotSay) {
  const auto refused = [&](auto change) {
    Checkpoint c = checkpoint_;
    change(c.config);
    EXPECT_EQ(refusal([&] { hf_clip_dialect().write(c, dir_, DType::kF32); }).kind(),
              Kind::kUnsupported);
  };
  refused([](ModelConfig& c) { c.vision.no_ln_pre = true; });
  refused([](ModelConfig& c) { c.vision.family = VisionFamily::kModifiedResNet; });
  refused([](ModelConfig& c) { c.vision.pool = VisionConfig::Pool::kAverage; });
  refused([](ModelConfig& c) { c.vision.layer_scale = 0.1; });
  refused([](ModelConfig& c) { c.text.causal = false; });
  refused([](ModelConfig& c) { c.text.pool = TextConfig::Pool::kLast; });
  refused([](ModelConfig& c) { c.init_logit_bias = -10; });
  EXPECT_FALSE(fs::exists(dir_ / "model.safetensors"));
}

}  // namespace
}  // namespace tandem
