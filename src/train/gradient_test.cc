// One training step beside open_clip's: tools/goldens/train_gradients.py.
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <string>

#include "core/json.h"
#include "core/safetensors.h"
#include "engine/generated_model.h"
#include "engine/torch/backend.h"
#include "model/clip.h"
#include "train/contrastive_loss.h"
#include "train/parameters.h"

namespace tandem {
namespace {

class Gradients : public testing::TestWithParam<const char*> {
 protected:
  Gradients()
      : golden_(
            read_safetensors(std::string("tests/goldens/train/") + GetParam() + ".safetensors")),
        config_(
            parse_model_config(json::parse(golden_.metadata.at("config"), GetParam()), GetParam())),
        seed_(std::stoull(golden_.metadata.at("seed"))),
        count_(std::stoi(golden_.metadata.at("count"))),
        table_(weight_table(config_)),
        parameters_(table_, generated_model(config_, seed_).weights, false, 1) {}

  double step(EqualGroups equal_groups) {
    TorchLoader loader(parameters_.replica(0), at::kFloat);
    const Clip<TorchBackend> clip(loader, config_);
    TorchBackend backend(config_.preprocess, {.training = true});
    const at::Tensor images =
        clip.image().run(backend, generated_pictures(seed_, count_, config_.vision.image_size_px));
    const at::Tensor texts = clip.text().run(backend, generated_texts(seed_, count_, config_.text));
    const std::vector<std::int64_t> distinct{-1, 5, -1, 7, 9, 8};
    const at::Tensor loss =
        contrastive_loss(images, texts, get("logit_scale"), distinct, equal_groups);
    loss.backward();
    return loss.item<float>();
  }
  at::Tensor get(const std::string& name) { return parameters_.replica(0).get(name, at::kFloat); }
  std::vector<float> golden(const std::string& name) { return to_float(golden_.map.at(name)); }

  SafeTensors golden_;
  ModelConfig config_;
  std::uint64_t seed_;
  int count_;
  std::vector<WeightSpec> table_;
  TrainParameters parameters_;
};

// float32 against float32 over three blocks of each tower: open_clip itself is up to 4e-5 of a
// gradient's norm from its float64 result on these models.
TEST_P(Gradients, LossGradientsAndStatisticsEqualOpenClip) {
  EXPECT_NEAR(step(EqualGroups::kMasked), golden("loss")[0], 1e-5);
  const std::size_t kept = std::stoul(golden_.metadata.at("kept"));
  for (const WeightSpec& spec : table_) {
    if (!spec.trainable) {
      const at::Tensor after = get(spec.name);
      const std::vector<float> want = golden("after." + spec.name);
      for (std::size_t i = 0; i < want.size(); ++i) {
        ASSERT_NEAR(after.const_data_ptr<float>()[i], want[i], 1e-5 * (1 + std::abs(want[i])))
            << spec.name << " " << i;
      }
      continue;
    }
    const at::Tensor grad = get(spec.name).grad();
    ASSERT_TRUE(grad.defined()) << spec.name;
    const double norm = golden("norm." + spec.name)[0];
    const double tolerance = 2e-4 * norm + 1e-6;
    EXPECT_NEAR(grad.norm().item<double>(), norm, tolerance) << spec.name;
    const std::vector<float> want = golden("grad." + spec.name);
    const std::size_t count = grad.numel();
    const std::size_t stride = std::max<std::size_t>(1, (count + kept - 1) / kept);
    for (std::size_t i = 0; i < want.size(); ++i) {
      ASSERT_NEAR(grad.const_data_ptr<float>()[i * stride], want[i], tolerance)
          << spec.name << " " << i;
    }
  }
}

TEST_P(Gradients, LossIsOpenClipsInEveryModeWhenGroupsAreDistinct) {
  EXPECT_NEAR(step(EqualGroups::kNegatives), golden("loss")[0], 1e-5);
  EXPECT_NEAR(step(EqualGroups::kPositives), golden("loss")[0], 1e-5);
}

std::string test_name(const testing::TestParamInfo<const char*>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(OpenClip, Gradients,
                         testing::Values("tiny", "tiny-quick-gelu", "tiny-layer-scale",
                                         "tiny-resnet"),
                         test_name);

// Rows 0 and 2 are of one group. Expected values by hand from the 3x3 cosines.
struct SmallBatch {
  at::Tensor images = at::eye(3);
  at::Tensor texts =
      at::tensor({1.0F, 0.0F, 0.0F, 0.0F, 1.0F, 0.0F, 0.6F, 0.0F, 0.8F}).view({3, 3});
  at::Tensor scale = at::zeros({});
  std::vector<std::int64_t> groups{4, -1, 4};
  double loss(EqualGroups how) const {
    return contrastive_loss(images, texts, scale, groups, how).item<double>();
  }
};

// Cosines, images by texts: (1,0,.6) (0,1,0) (0,0,.8).
double row(double right, double a, double b) {
  return std::log(std::exp(right) + std::exp(a) + std::exp(b)) - right;
}

TEST(EqualGroupsOf, NegativesArePushedApart) {
  const double images = row(1, 0, .6) + row(1, 0, 0) + row(.8, 0, 0);
  const double texts = row(1, 0, 0) + row(1, 0, 0) + row(.8, .6, 0);
  EXPECT_NEAR(SmallBatch().loss(EqualGroups::kNegatives), (images + texts) / 6, 1e-6);
}

TEST(EqualGroupsOf, MaskedOnesAreLeftOut) {
  const auto two = [](double right, double a) {
    return std::log(std::exp(right) + std::exp(a)) - right;
  };
  const double images = two(1, 0) + row(1, 0, 0) + two(.8, 0);
  const double texts = two(1, 0) + row(1, 0, 0) + two(.8, 0);
  EXPECT_NEAR(SmallBatch().loss(EqualGroups::kMasked), (images + texts) / 6, 1e-6);
}

TEST(EqualGroupsOf, PositivesShareTheTarget) {
  const double images =
      (row(1, 0, .6) + row(.6, 0, 1)) / 2 + row(1, 0, 0) + (row(0, 0, .8) + row(.8, 0, 0)) / 2;
  const double texts =
      (row(1, 0, 0) + row(0, 0, 1)) / 2 + row(1, 0, 0) + (row(.6, .8, 0) + row(.8, .6, 0)) / 2;
  EXPECT_NEAR(SmallBatch().loss(EqualGroups::kPositives), (images + texts) / 6, 1e-6);
}

}  // namespace
}  // namespace tandem
