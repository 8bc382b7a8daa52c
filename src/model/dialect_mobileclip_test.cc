#include <gtest/gtest.h>

#include "core/error.h"
#include "core/json.h"
#include "model/dialect.h"

namespace tandem {
namespace {

using Shape = std::vector<std::int64_t>;

Shape shape_of(const json::value& v) {
  Shape shape;
  for (const auto& n : v.get_array()) shape.push_back(n.get_int64());
  return shape;
}

std::int64_t count(const Shape& shape) {
  std::int64_t n = 1;
  for (const auto side : shape) n *= side;
  return n;
}

// A tensor of shape alone: enough to tell which model it is.
void put(TensorMap& map, const std::string& name, const Shape& shape) {
  map.tensors[name] = {DType::kF32, shape, {}};
}

// tests/goldens/model_fastvit/apple_names.json comes from open_clip
// (tools/goldens/mobileclip_names.py).
TEST(MobileClipDialect, CallsEveryTensorWhatOpenClipCallsIt) {
  const json::value all = json::read("tests/goldens/model_fastvit/apple_names.json");
  for (const auto& [name, model] : all.at("models").get_object()) {
    const std::string where(name);
    ModelConfig config = parse_model_config(model.at("config"), where);
    config.vision.width = static_cast<int>(model.at("trunk").at("width").get_int64());
    TensorMap theirs;
    float number = 0;
    for (const auto& row : model.at("tensors").get_array()) {
      const Shape shape = shape_of(row.at(1));
      if (row.at(0).get_string().empty()) continue;
      std::vector<float> values(static_cast<std::size_t>(count(shape)), ++number);
      values.back() = -number;  // transposed: stays last
      if (values.size() > 1) values[1] = 0.5F;
      theirs.add_float(std::string(row.at(0).get_string()), shape, std::move(values));
    }
    const TensorMap ours = rename_mobileclip(theirs, config, where);
    ASSERT_EQ(ours.tensors.size(), model.at("tensors").get_array().size()) << where;
    number = 0;
    for (const auto& row : model.at("tensors").get_array()) {
      const std::string want(row.at(2).get_string());
      ASSERT_TRUE(ours.contains(want)) << want;
      EXPECT_EQ(ours.at(want).shape, shape_of(row.at(3))) << want;
      const auto values = to_float(ours.at(want));
      if (row.at(0).get_string().empty()) {
        EXPECT_EQ(values.front(), 0) << want;
        continue;
      }
      EXPECT_EQ(values.back(), -++number) << want;
      const Shape shape = ours.at(want).shape;
      if (row.at(0).get_string().ends_with("proj") && shape.size() == 2) {
        EXPECT_EQ(values[static_cast<std::size_t>(shape[1])], 0.5F) << want;  // was at (0,1)
      } else if (values.size() > 1) {
        EXPECT_EQ(values[1], 0.5F) << want;
      }
    }
  }
}

TensorMap marks(int width, int first_blocks, int stages) {
  TensorMap map;
  put(map, "image_encoder.model.patch_embed.0.rbr_conv.0.conv.weight", {width, 3, 3, 3});
  for (int i = 0; i < first_blocks; ++i)
    put(map, "image_encoder.model.network.0." + std::to_string(i) + ".layer_scale", {width, 1, 1});
  for (int i = 1; i < stages; ++i) {
    put(map, "image_encoder.model.network." + std::to_string(2 * i - 1) + ".proj.0.x", {1});
  }
  put(map, "image_encoder.model.head.proj", {1280, 512});
  put(map, "text_encoder.embedding_layer.weight", {49408, 512});
  put(map, "text_encoder.positional_embedding.pos_embed.pos_embed", {1, 1, 77, 512});
  for (int i = 0; i < 12; ++i)
    put(map, "text_encoder.transformer." + std::to_string(i) + ".pre_norm_mha.0.weight", {512});
  return map;
}

TEST(MobileClipDialect, TellsFromShapesWhichModelItIs) {
  const auto name = [](const TensorMap& map) {
    return infer_mobileclip_config(map, "f").vision.timm.model;
  };
  EXPECT_EQ(name(marks(64, 2, 4)), "fastvit_mci0");
  EXPECT_EQ(name(marks(64, 4, 4)), "fastvit_mci1");
  EXPECT_EQ(name(marks(80, 4, 4)), "fastvit_mci2");
  const ModelConfig s1 = infer_mobileclip_config(marks(64, 4, 4), "f");
  EXPECT_FALSE(s1.text.causal);
  EXPECT_EQ(s1.text.layers, 12);
  EXPECT_EQ(s1.vision.image_size_px, 256);
  EXPECT_EQ(s1.preprocess.size_px, 256);
  EXPECT_EQ(s1.embed_dim, 512);

  TensorMap b = marks(64, 4, 4);
  b.tensors.erase("image_encoder.model.patch_embed.0.rbr_conv.0.conv.weight");
  put(b, "image_encoder.model.patch_emb.0.block.conv.weight", {192, 3, 4, 4});
  put(b, "image_encoder.model.classifier.proj", {768, 512});
  const ModelConfig config = infer_mobileclip_config(b, "f");
  EXPECT_EQ(config.vision.timm.model, "vit_base_mci_224");
  EXPECT_EQ(config.vision.image_size_px, 224);
  EXPECT_TRUE(config.text.causal);
}

TEST(MobileClipDialect, RefusesWhatIsNoMobileClip) {
  const auto refusal = [](TensorMap map, const std::string& without) {
    map.tensors.erase(without);
    try {
      infer_mobileclip_config(map, "f");
    } catch (const Error& e) {
      return e.kind();
    }
    return Kind::kInternal;
  };
  const TensorMap whole = marks(64, 4, 4);
  EXPECT_EQ(refusal(marks(65, 4, 4), ""), Kind::kUnsupported);
  EXPECT_EQ(refusal(marks(64, 3, 4), ""), Kind::kUnsupported);
  EXPECT_EQ(refusal(whole, "image_encoder.model.head.proj"), Kind::kCorrupt);
  EXPECT_EQ(refusal(whole, "text_encoder.embedding_layer.weight"), Kind::kCorrupt);
  EXPECT_EQ(refusal(whole, "text_encoder.transformer.0.pre_norm_mha.0.weight"), Kind::kUnsupported);
  TensorMap odd = whole;
  put(odd, "image_encoder.model.head.proj", {1280});
  EXPECT_EQ(refusal(odd, ""), Kind::kCorrupt);
}

}  // namespace
}  // namespace tandem
