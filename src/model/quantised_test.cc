#include "model/quantised.h"

#include <gtest/gtest.h>
#include <limits>

#include "core/error.h"
#include "model/weights.h"

namespace tandem {
namespace {

const std::vector<WeightSpec> kTable = {
    {"block.weight", {2, 3}, {}}, {"norm.weight", {3}, {}}, {"norm.bias", {3}, {}}};

void put_integers(TensorMap& map, std::vector<std::int8_t> values,
                  std::vector<std::int64_t> shape) {
  const auto owner = std::make_shared<const std::vector<std::int8_t>>(std::move(values));
  map.tensors["block.weight"] = {DType::kI8, std::move(shape), std::as_bytes(std::span(*owner))};
  map.owners.push_back(owner);
}

// block.weight = [[1 2 3] * 0.5, [-4 5 127] * 2], what a norm smoothed by [1 2 4] feeds it.
TensorMap good() {
  TensorMap map;
  put_integers(map, {1, 2, 3, -4, 5, 127}, {2, 3});
  map.add_float("block.weight_scale", {2}, {0.5F, 2.0F});
  map.add_float("norm.weight", {3}, {1, 1, 1});
  map.add_float("norm.bias", {3}, {2, 2, 2});
  map.add_float("norm.smooth", {3}, {1, 2, 4});
  return map;
}

std::string refusal(const TensorMap& map) {
  try {
    check_weights(kTable, map, "file");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), Kind::kCorrupt);
    return e.what();
  }
  return "";
}

TEST(Quantised, IsReadBackAsFloats) {
  EXPECT_EQ(refusal(good()), "");
  const TensorMap map = dequantised(good());
  EXPECT_EQ(to_float(map.at("block.weight")), (std::vector<float>{0.5F, 1, 1.5F, -8, 10, 254}));
  EXPECT_EQ(to_float(map.at("norm.weight")), (std::vector<float>{1, 0.5F, 0.25F}));
  EXPECT_EQ(to_float(map.at("norm.bias")), (std::vector<float>{2, 1, 0.5F}));
  EXPECT_EQ(map.tensors.size(), 3U);
  EXPECT_FALSE(is_quantised(map));
  EXPECT_EQ(refusal(map), "");
}

TEST(Quantised, RefusesAMissingScale) {
  TensorMap map = good();
  map.tensors.erase("block.weight_scale");
  EXPECT_NE(refusal(map).find("\"block.weight_scale\" is missing"), std::string::npos);
}

TEST(Quantised, RefusesScalesOfAnotherShapeOrType) {
  TensorMap map = good();
  map.add_float("block.weight_scale", {3}, {1, 1, 1});
  EXPECT_NE(refusal(map).find("is F32 [3]. Expected F32 [2]"), std::string::npos);
  map = good();
  map.add_float("norm.smooth", {1}, {1});
  EXPECT_NE(refusal(map).find("Expected F32 [3]"), std::string::npos);
  map = good();
  map.tensors["block.weight_scale"].dtype = DType::kI32;
  EXPECT_NE(refusal(map).find("is I32 [2]"), std::string::npos);
}

TEST(Quantised, RefusesScalesThatAreNotPositiveAndFinite) {
  for (const float bad : {0.0F, -1.0F, std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity()}) {
    TensorMap map = good();
    map.add_float("block.weight_scale", {2}, {0.5F, bad});
    EXPECT_NE(refusal(map).find("Expected positive, finite"), std::string::npos) << bad;
    map = good();
    map.add_float("norm.smooth", {3}, {1, bad, 1});
    EXPECT_NE(refusal(map).find("Expected positive, finite"), std::string::npos) << bad;
  }
}

TEST(Quantised, RefusesTheIntegerThatHasNoOpposite) {
  TensorMap map = good();
  put_integers(map, {1, 2, 3, -128, 5, 127}, {2, 3});
  EXPECT_NE(refusal(map).find("-128"), std::string::npos);
}

TEST(Quantised, RefusesIntegersOfAnotherShapeAndScalesOfNothing) {
  TensorMap map = good();
  put_integers(map, {1, 2, 3, 4}, {2, 2});
  EXPECT_NE(refusal(map).find("has shape [2,2]"), std::string::npos);
  map = good();
  put_integers(map, {1, 2}, {2});
  EXPECT_NE(refusal(map).find("Only matrices"), std::string::npos);
  map = good();
  map.add_float("other.smooth", {3}, {1, 1, 1});
  EXPECT_NE(refusal(map).find("smooths a norm that is not in the file"), std::string::npos);
  map = good();
  map.add_float("norm.weight_scale", {3}, {1, 1, 1});
  EXPECT_NE(refusal(map).find("which is not I8"), std::string::npos);
}

TEST(Quantised, RefusesASchemeItDoesNotKnow) {
  EXPECT_NO_THROW(check_quantised_scheme({}, "file"));
  EXPECT_NO_THROW(check_quantised_scheme({{"tandem_quantised", "int8 1"}}, "file"));
  EXPECT_THROW(check_quantised_scheme({{"tandem_quantised", "int8 2"}}, "file"), Error);
}

}  // namespace
}  // namespace tandem
