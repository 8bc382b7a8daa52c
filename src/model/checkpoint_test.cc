#include "model/checkpoint.h"

#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/error.h"
#include "model/weights.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

class CheckpointTest : public testing::Test {
 protected:
  CheckpointTest()
      : dir_(fs::temp_directory_path() / ("tandem_checkpoint_" + std::to_string(getpid()))) {
    fs::create_directories(dir_);
    config_ = parse_model_config(
        json::parse(
            R"({"embed_dim":16,"vision_cfg":{"image_size":32,"layers":1,"width":32,"head_width":16,"patch_size":16},
          "text_cfg":{"context_length":8,"vocab_size":520,"width":16,"heads":2,"layers":1}})",
            "tiny"),
        "tiny");
    weights_ = initial_weights(weight_table(config_), Rng(3));
  }
  ~CheckpointTest() override { fs::remove_all(dir_); }

  Kind kind_of(const fs::path& path) {
    try {
      load_checkpoint(path);
    } catch (const Error& e) {
      message_ = e.what();
      return e.kind();
    }
    ADD_FAILURE() << "loaded " << path;
    return Kind::kInternal;
  }

  fs::path dir_;
  ModelConfig config_;
  TensorMap weights_;
  std::string message_;
};

TEST_F(CheckpointTest, LoadsWhatItSaved) {
  save_checkpoint(dir_ / "m", config_, weights_, DType::kF32);
  const Checkpoint c = load_checkpoint(dir_ / "m");
  EXPECT_EQ(c.name, "m");
  EXPECT_EQ(c.config.embed_dim, 16);
  EXPECT_EQ(to_float(c.weights.at("visual.proj")), to_float(weights_.at("visual.proj")));
}

TEST_F(CheckpointTest, LoadsTheWeightsFileAloneWithItsConfigInside) {
  save_checkpoint(dir_ / "m", config_, weights_, DType::kF16);
  const Checkpoint c = load_checkpoint(dir_ / "m" / "open_clip_model.safetensors");
  EXPECT_EQ(c.weights.at("visual.proj").dtype, DType::kF16);
  EXPECT_EQ(c.config.text.context_length, 8);
}

TEST_F(CheckpointTest, FingerprintTellsWeightsApart) {
  save_checkpoint(dir_ / "a", config_, weights_, DType::kF32);
  save_checkpoint(dir_ / "b", config_, weights_, DType::kF32);
  save_checkpoint(dir_ / "c", config_, initial_weights(weight_table(config_), Rng(4)), DType::kF32);
  const auto print = [&](const char* name) { return load_checkpoint(dir_ / name).fingerprint(); };
  EXPECT_EQ(print("a"), print("b"));
  EXPECT_NE(print("a"), print("c"));
}

TEST_F(CheckpointTest, RefusesPickleWithTheCommandThatConverts) {
  std::ofstream(dir_ / "x.pt") << "PK";
  EXPECT_EQ(kind_of(dir_ / "x.pt"), Kind::kUnsupported);
  EXPECT_NE(message_.find("save_file"), std::string::npos);
}

TEST_F(CheckpointTest, SaysWhatAFolderLacks) {
  EXPECT_EQ(kind_of(dir_), Kind::kNotFound);
  EXPECT_NE(message_.find("open_clip_config.json"), std::string::npos);
  EXPECT_EQ(kind_of(dir_ / "nothing"), Kind::kNotFound);
}

TEST_F(CheckpointTest, RefusesWeightsThatDoNotFitTheConfig) {
  save_checkpoint(dir_ / "m", config_, weights_, DType::kF32);
  ModelConfig other = config_;
  other.embed_dim = 8;
  std::ofstream(dir_ / "m" / "open_clip_config.json") << json::dump(to_json(other));
  EXPECT_EQ(kind_of(dir_ / "m"), Kind::kCorrupt);
}

}  // namespace
}  // namespace tandem
