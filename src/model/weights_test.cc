#include "model/weights.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <set>

#include "core/error.h"
#include "core/json.h"

namespace tandem {
namespace {

// tests/goldens/model_tables/tables.json comes from open_clip (tools/goldens/weight_tables.py).
json::value goldens() { return json::read("tests/goldens/model_tables/tables.json"); }

std::vector<std::int64_t> shape_of(const json::value& v) {
  std::vector<std::int64_t> shape;
  for (const auto& n : v.get_array()) shape.push_back(n.get_int64());
  return shape;
}

class AgainstOpenClip : public testing::TestWithParam<const char*> {};

TEST_P(AgainstOpenClip, HasTheSameNamesShapesAndDecay) {
  const json::value all = goldens();
  const auto& model = all.at("models").at(GetParam());
  const auto table = weight_table(parse_model_config(model.at("config"), GetParam()));
  const auto& want = model.at("tensors").get_object();
  EXPECT_EQ(table.size(), want.size());
  for (const WeightSpec& spec : table) {
    ASSERT_TRUE(want.contains(spec.name)) << spec.name;
    const auto& row = want.at(spec.name);
    EXPECT_EQ(spec.shape, shape_of(row.at("shape"))) << spec.name;
    EXPECT_EQ(spec.trainable, row.at("trainable").get_bool()) << spec.name;
    EXPECT_EQ(spec.decays, row.at("decays").get_bool()) << spec.name;
  }
}

// Only tensors large enough for their spread to be stable: 4,096 values give it to about 1 % (one
// sigma).
TEST_P(AgainstOpenClip, StartsWithTheSameSpread) {
  const json::value all = goldens();
  const auto& model = all.at("models").at(GetParam());
  const auto table = weight_table(parse_model_config(model.at("config"), GetParam()));
  const TensorMap weights = initial_weights(table, Rng(0));
  for (const WeightSpec& spec : table) {
    const auto values = to_float(weights.at(spec.name));
    const auto& row = model.at("tensors").at(spec.name);
    double sum = 0;
    double squares = 0;
    for (const float v : values) {
      sum += v;
      squares += static_cast<double>(v) * v;
    }
    const double n = static_cast<double>(values.size());
    const double std = std::sqrt(std::max(0.0, squares / n - (sum / n) * (sum / n)));
    const double want = row.at("std").to_number<double>();
    const double tolerance = values.size() >= 4096 ? 0.06 * want : 0.5 * want;
    EXPECT_NEAR(std, want, tolerance + 1e-6) << spec.name;
    EXPECT_NEAR(sum / n, row.at("mean").to_number<double>(), 5 * want / std::sqrt(n) * 1.5 + 1e-6)
        << spec.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, AgainstOpenClip,
                         testing::Values("tiny-vit", "tiny-resnet", "RN50"));

// tests/goldens/model_tables/configs.json comes from open_clip (tools/goldens/config_tables.py NAME
// lists what is hashed).
TEST(WeightTable, HasTheTensorsOfEveryConfigurationOfOpenClip) {
  const json::value all = json::read("tests/goldens/model_tables/configs.json");
  EXPECT_GE(all.at("models").get_object().size(), 60U);
  for (const auto& [name, model] : all.at("models").get_object()) {
    std::vector<std::string> lines;
    for (const WeightSpec& spec :
         weight_table(parse_model_config(model.at("config"), std::string(name))))
      lines.push_back(fmt::format("{} [{}]\n", spec.name, fmt::join(spec.shape, ",")));
    std::ranges::sort(lines);
    std::uint64_t hash = 0xCBF29CE484222325U;  // FNV-1a
    for (const std::string& line : lines) {
      for (const char c : line) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
    }
    EXPECT_EQ(lines.size(), model.at("tensors").to_number<std::size_t>()) << name;
    EXPECT_EQ(fmt::format("{:016x}", hash), model.at("hash").get_string()) << name;
  }
}

ModelConfig tiny() {
  const json::value all = goldens();
  return parse_model_config(all.at("models").at("tiny-resnet").at("config"), "tiny-resnet");
}

TEST(WeightsTest, DrawsTheSameNumbersFromTheSameSeed) {
  const auto table = weight_table(tiny());
  const auto a = to_float(initial_weights(table, Rng(7)).at("token_embedding.weight"));
  const auto b = to_float(initial_weights(table, Rng(7)).at("token_embedding.weight"));
  const auto c = to_float(initial_weights(table, Rng(8)).at("token_embedding.weight"));
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
}

TEST(WeightsTest, NamesTheMissingTheMisshapenAndTheUnknownTensor) {
  const auto table = weight_table(tiny());
  const auto message = [&](const TensorMap& map) -> std::string {
    try {
      check_weights(table, map, "w");
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), Kind::kCorrupt);
      return e.what();
    }
    return "accepted";
  };
  TensorMap map = initial_weights(table, Rng(1));
  EXPECT_EQ(message(map), "accepted");
  map.add_float("visual.bn1.num_batches_tracked", {}, {3});
  EXPECT_EQ(message(map), "accepted");
  map.add_float("surprise", {1}, {1});
  EXPECT_NE(message(map).find("surprise"), std::string::npos);
  map.tensors.erase("surprise");
  map.add_float("ln_final.weight", {3}, {1, 2, 3});
  EXPECT_NE(message(map).find("ln_final.weight"), std::string::npos);
  map.tensors.erase("ln_final.weight");
  EXPECT_NE(message(map).find("missing"), std::string::npos);
}

}  // namespace
}  // namespace tandem
