// tests/goldens/model_tables/eva.json comes from open_clip and timm (tools/goldens/timm_tables.py).
#include "model/eva.h"

#include <cmath>
#include <gtest/gtest.h>
#include <map>

#include "core/error.h"
#include "core/json.h"
#include "model/timm.h"
#include "model/weights.h"

namespace tandem {
namespace {

using Shape = std::vector<std::int64_t>;

Shape shape_of(const json::value& v) {
  Shape shape;
  for (const auto& n : v.get_array()) shape.push_back(n.get_int64());
  return shape;
}

TEST(Eva, HasTheTensorsOfEveryConfigurationOfOpenClip) {
  const json::value all = json::read("tests/goldens/model_tables/eva.json");
  for (const auto& [name, model] : all.at("models").get_object()) {
    const ModelConfig config = parse_model_config(model.at("config"), std::string(name));
    std::map<std::string, Shape> want;
    for (const auto& [pattern, row] : model.at("tensors").get_object()) {
      const std::string text(pattern);
      const std::size_t at = text.find("{}");
      const auto count = row.at(0).get_int64();
      for (std::int64_t i = 0; i < count; ++i) {
        std::string tensor = text;
        if (at != std::string::npos) tensor.replace(at, 2, std::to_string(i));
        want[tensor] = shape_of(row.at(1));
      }
    }
    std::map<std::string, Shape> got;
    for (const WeightSpec& spec : weight_table(config)) got[spec.name] = spec.shape;
    EXPECT_EQ(got, want) << name;
  }
}

TEST(Eva, ConfigurationsSurviveWritingAndReading) {
  const json::value all = json::read("tests/goldens/model_tables/eva.json");
  for (const auto& [name, model] : all.at("models").get_object()) {
    const ModelConfig config = parse_model_config(model.at("config"), std::string(name));
    const json::value written = to_json(config);
    const ModelConfig again =
        parse_model_config(json::parse(json::dump(written), "again"), "again");
    EXPECT_EQ(json::dump(to_json(again)), json::dump(written)) << name;
    EXPECT_EQ(again.vision.timm.projection, "") << name;
    EXPECT_EQ(again.vision.width, config.vision.width) << name;
  }
}

VisionConfig vision(const std::string& name, const std::string& pool,
                    const std::string& projection) {
  VisionConfig v;
  v.image_size_px = 0;
  v.timm = {.model = name, .pool = pool, .projection = projection};
  return v;
}

TEST(Eva, TakesThePictureSizeFromTheNameUnlessGiven) {
  VisionConfig v = vision("eva02_large_patch14_clip_336", "token", "");
  ASSERT_TRUE(describe_timm(v));
  EXPECT_EQ(v.image_size_px, 336);
  v.image_size_px = 224;
  ASSERT_TRUE(describe_timm(v));
  EXPECT_EQ(v.image_size_px, 224);
}

// timm makes the trunk with its own pool when a projection follows, and the norm stays there.
TEST(Eva, PutsItsLastNormWhereTimmHasIt) {
  EXPECT_TRUE(eva_head(vision("eva_giant_patch14_224", "token", "")).norm_first);
  EXPECT_FALSE(eva_head(vision("eva_giant_patch14_224", "token", "linear")).norm_first);
  EXPECT_FALSE(eva_head(vision("eva_giant_patch14_224", "avg", "none")).norm_first);
  EXPECT_TRUE(eva_head(vision("eva02_base_patch16_clip_224", "avg", "linear")).norm_first);
}

TEST(Eva, RefusesPoolsThatTheModelHasNot) {
  for (const auto& v : {vision("eva02_base_patch16_clip_224", "max", ""),
                        vision("vit_pe_core_gigantic_patch14_448", "token", ""),
                        vision("eva02_base_patch16_clip_224", "map", "linear"),
                        vision("eva02_base_patch16_clip_224", "", "")}) {
    try {
      eva_head(v);
      ADD_FAILURE() << v.timm.pool;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), Kind::kUnsupported);
    }
  }
}

// timm's RotaryEmbeddingCat on a 2x2 grid, head 8, reference grid 16: rows count in steps of 8.
TEST(Eva, AnglesFollowTheReferenceGrid) {
  const auto table = eva_angles(*find_eva("eva02_base_patch16_clip_224"), 2, 8);
  ASSERT_EQ(table.size(), 4U * 16);
  const float* last_of_first_row = table.data() + 16;  // (y 0, x 1): x's half is turned
  EXPECT_FLOAT_EQ(last_of_first_row[0], 1);
  EXPECT_FLOAT_EQ(last_of_first_row[4], std::cos(8.0F));
  EXPECT_FLOAT_EQ(last_of_first_row[5], std::cos(8.0F));
  EXPECT_FLOAT_EQ(last_of_first_row[6], std::cos(0.08F));
  EXPECT_FLOAT_EQ(last_of_first_row[8 + 4], std::sin(8.0F));
  // The Perception Encoder counts from one, across first.
  const auto pe = eva_angles(*find_eva("vit_pe_core_base_patch16_224"), 14, 8);
  EXPECT_FLOAT_EQ(pe[16], std::cos(2.0F));
  EXPECT_FLOAT_EQ(pe[16 + 4], std::cos(1.0F));
}

}  // namespace
}  // namespace tandem
