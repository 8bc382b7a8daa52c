// big_vision's archives: what is refused. Numbers: engine/big_vision_golden_test.cc.
#include <filesystem>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/npz.h"
#include "core/rng.h"
#include "model/dialect.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFolder = "tests/goldens/big_vision/layers";

ModelConfig config_of(const std::string& folder) {
  const std::string path = folder + "/open_clip_config.json";
  return parse_model_config(json::read(path), path);
}

std::string refusal(const TensorMap& arrays, const ModelConfig& config) {
  try {
    rename_big_vision(arrays, config, "siglip.npz");
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(BigVision, NeedsAConfigurationBesideIt) {
  const fs::path folder = fs::path(testing::TempDir()) / "big-vision-alone";
  fs::create_directories(folder);
  fs::copy_file(fs::path(kFolder) / "siglip.npz", folder / "siglip.npz",
                fs::copy_options::overwrite_existing);
  try {
    load_checkpoint(folder / "siglip.npz");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), Kind::kNotFound);
    EXPECT_NE(std::string(e.what()).find("open_clip_config.json"), std::string::npos);
  }
  fs::remove_all(folder);
}

TEST(BigVision, NamesTheArrayThatIsMissingOrTooMany) {
  const ModelConfig config = config_of(kFolder);
  const TensorMap whole = read_npz(std::string(kFolder) + "/siglip.npz");
  EXPECT_EQ(refusal(whole, config), "");
  TensorMap less = whole;
  less.tensors.erase("params/img/MAPHead_0/probe");
  EXPECT_NE(refusal(less, config).find("params/img/MAPHead_0/probe"), std::string::npos);
  TensorMap more = whole;
  more.add_float("params/img/cls", {1}, {0});
  EXPECT_NE(refusal(more, config).find("params/img/cls"), std::string::npos);
  TensorMap training = whole;  // the optimiser's state is no part of the model
  training.add_float("opt/count", {1}, {0});
  EXPECT_EQ(refusal(training, config), "");
}

TEST(BigVision, RefusesOtherShapesThanTheConfigurations) {
  const TensorMap arrays = read_npz(std::string(kFolder) + "/siglip.npz");
  ModelConfig heads = config_of(kFolder);
  heads.vision.head_width *= 3;
  EXPECT_NE(refusal(arrays, heads).find("1 heads of 24"), std::string::npos);
  ModelConfig size = config_of(kFolder);
  size.vision.image_size_px = 64;
  EXPECT_NE(refusal(arrays, size).find("img/pos_embedding"), std::string::npos);
  ModelConfig layers = config_of("tests/goldens/big_vision/stacked");
  layers.vision.layers = 3;
  const TensorMap stacked = read_npz("tests/goldens/big_vision/stacked/siglip.npz");
  EXPECT_NE(refusal(stacked, layers).find("3 layers"), std::string::npos);
}

TEST(BigVision, RefusesConfigurationsOfOtherModels) {
  EXPECT_NE(refusal(TensorMap{}, ModelConfig{}).find("not of SigLIP"), std::string::npos);
}

// Arrays of wrong shapes and dtypes are refused, or make tensors whose bytes fit their shapes.
TEST(BigVision, SurvivesArraysOfAnyShape) {
  Rng rng(3);
  for (const char* folder : {kFolder, "tests/goldens/big_vision/stacked"}) {
    const ModelConfig config = config_of(folder);
    const TensorMap whole = read_npz(std::string(folder) + "/siglip.npz");
    int refused = 0;
    for (int i = 0; i < 1'000; ++i) {
      TensorMap map = whole;
      auto it = std::next(map.tensors.begin(),
                          static_cast<std::ptrdiff_t>(rng.below(map.tensors.size())));
      std::vector<std::int64_t> shape(rng.below(5));
      std::int64_t count = 1;
      for (auto& side : shape) count *= side = static_cast<std::int64_t>(1 + rng.below(4));
      const std::string name = it->first;
      map.add_float(name, shape, std::vector<float>(static_cast<std::size_t>(count)));
      refused += refusal(map, config).empty() ? 0 : 1;
    }
    EXPECT_GT(refused, 500);
  }
}

}  // namespace
}  // namespace tandem
