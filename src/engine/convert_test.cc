#include "engine/convert.h"

#include <cmath>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/error.h"
#include "core/safetensors.h"
#include "engine/generated_model.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

class Convert : public testing::Test {
 protected:
  Convert() : dir_(fs::temp_directory_path() / ("tandem_convert_" + std::to_string(getpid()))) {
    fs::remove_all(dir_);
    fs::create_directories(dir_);
    const auto config = parse_model_config(
        json::parse(
            R"({"embed_dim":16,"vision_cfg":{"image_size":32,"layers":2,"width":32,"head_width":16,"patch_size":16},
          "text_cfg":{"context_length":8,"vocab_size":520,"width":16,"heads":2,"layers":2}})",
            "tiny"),
        "tiny");
    const Checkpoint model = generated_model(config, 3);
    save_checkpoint(dir_ / "model", model.config, model.weights, DType::kF32);
    std::ofstream(dir_ / "model" / "tokenizer.json") << "{}";
  }
  ~Convert() override { fs::remove_all(dir_); }

  Converted convert(const std::string& to, const fs::path& out,
                    std::optional<DType> dtype = std::nullopt) {
    return convert_model(dir_ / "model", {.dialect = to,
                                          .out = dir_ / out,
                                          .dtype = dtype,
                                          .verify = true,
                                          .tokenizer = {},
                                          .threads = 1});
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
  int entries() const {
    return static_cast<int>(std::distance(fs::directory_iterator(dir_), fs::directory_iterator()));
  }
  fs::path dir_;
};

TEST_F(Convert, KeepsEveryBitAndTheTokenizer) {
  const Converted there = convert("hf-clip", "hf");
  EXPECT_TRUE(there.agrees);
  EXPECT_EQ(there.agreement->image_max_abs, 0);
  EXPECT_EQ(there.agreement->text_max_abs, 0);
  EXPECT_TRUE(fs::exists(dir_ / "hf" / "tokenizer.json"));
  const Converted back = convert_model(dir_ / "hf", {.dialect = "open-clip",
                                                     .out = dir_ / "back",
                                                     .dtype = std::nullopt,
                                                     .verify = true,
                                                     .tokenizer = {},
                                                     .threads = 1});
  EXPECT_TRUE(back.agrees);
  EXPECT_EQ(load_checkpoint(dir_ / "back").fingerprint(),
            load_checkpoint(dir_ / "model").fingerprint());
  EXPECT_TRUE(fs::exists(dir_ / "back" / "tokenizer.json"));
}

TEST_F(Convert, RoundsOnlyWhenAsked) {
  const Converted half = convert("open-clip", "half", DType::kF16);
  EXPECT_TRUE(half.agrees);
  EXPECT_GT(half.agreement->image_max_abs, 0);
  EXPECT_EQ(load_checkpoint(dir_ / "half").weights.at("visual.proj").dtype, DType::kF16);
  const Converted kept = convert_model(dir_ / "half", {.dialect = "hf-clip",
                                                       .out = dir_ / "kept",
                                                       .dtype = std::nullopt,
                                                       .verify = true,
                                                       .tokenizer = {},
                                                       .threads = 1});
  EXPECT_EQ(kept.dtype, DType::kF16);
  EXPECT_EQ(kept.agreement->image_max_abs, 0);
}

TEST_F(Convert, ToleratesRoundingOnlyWhereWeightsAreRounded) {
  TensorMap map;
  map.add_float("w", {1}, {1});
  EXPECT_EQ(tolerance(map, DType::kF32).max_abs, 2e-5);
  EXPECT_EQ(tolerance(map, DType::kF16).cosine, 0.9999);
  EXPECT_EQ(tolerance(map, DType::kBF16).cosine, 0.999);
  const TensorMap half = with_dtype(map, DType::kF16);
  EXPECT_EQ(tolerance(half, DType::kF16).max_abs, 2e-5);
  EXPECT_EQ(tolerance(half, DType::kF32).max_abs, 2e-5);
  EXPECT_EQ(tolerance(half, DType::kBF16).cosine, 0.999);
}

TEST_F(Convert, MakesOneFileThatSaysWhatItsTokenizerIs) {
  const Converted one = convert("open-clip", "one.safetensors");
  EXPECT_TRUE(one.agrees);
  const auto metadata = read_safetensors(dir_ / "one.safetensors").metadata;
  EXPECT_EQ(metadata.at("tokenizer"), "clip");
  EXPECT_EQ(metadata.at("tokenizer_file"), "tokenizer.json");
  // sha256 of "{}"
  EXPECT_EQ(metadata.at("tokenizer_sha256"),
            "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
  EXPECT_EQ(load_checkpoint(dir_ / "one.safetensors").fingerprint(),
            load_checkpoint(dir_ / "model").fingerprint());
}

TEST_F(Convert, LeavesNothingBehindWhenItCannot) {
  const int before = entries();
  EXPECT_EQ(refusal([&] { convert("hf-klip", "x"); }).kind(), Kind::kInput);
  EXPECT_NE(std::string(refusal([&] { convert("hf-klip", "x"); }).what()).find("Closest: hf-clip"),
            std::string::npos);
  EXPECT_EQ(refusal([&] { convert("hf-clip", "x.safetensors"); }).kind(), Kind::kInput);
  EXPECT_EQ(refusal([&] { convert("open-clip", "model"); }).kind(), Kind::kInput);  // exists
  Checkpoint other = load_checkpoint(dir_ / "model");
  other.config.vision.no_ln_pre = true;
  other.weights = generated_model(other.config, 3).weights;
  save_checkpoint(dir_ / "other", other.config, other.weights, DType::kF32);
  EXPECT_EQ(refusal([&] {
              convert_model(dir_ / "other", {.dialect = "hf-clip",
                                             .out = dir_ / "x",
                                             .dtype = std::nullopt,
                                             .verify = false,
                                             .tokenizer = {},
                                             .threads = 1});
            }).kind(),
            Kind::kUnsupported);
  EXPECT_EQ(entries(), before + 1);  // "other"
}

TEST_F(Convert, SeesModelsThatDiffer) {
  const Checkpoint a = load_checkpoint(dir_ / "model");
  const Agreement apart = compare_models(a, generated_model(a.config, 4), 1);
  EXPECT_GT(apart.image_max_abs, 0.1);
  EXPECT_LT(apart.text_cosine, 0.9);
}

TEST_F(Convert, TakesNotANumberForADifference) {
  const Checkpoint a = load_checkpoint(dir_ / "model");
  Checkpoint broken = generated_model(a.config, 3);
  const auto& shape = broken.weights.at("text_projection").shape;
  const auto count = static_cast<std::size_t>(shape.at(0) * shape.at(1));
  broken.weights.tensors.erase("text_projection");
  broken.weights.add_float("text_projection", {16, 16}, std::vector<float>(count, NAN));
  const Agreement apart = compare_models(a, broken, 1);
  EXPECT_LE(apart.image_max_abs, 2e-5);
  EXPECT_EQ(apart.text_max_abs, 2);
  EXPECT_EQ(apart.text_cosine, -1);
}

}  // namespace
}  // namespace tandem
