#include "model/config.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace tandem {
namespace {

ModelConfig parse(const std::string& text) {
  return parse_model_config(json::parse(text, "c.json"), "c.json");
}

std::string error_of(const std::string& text, Kind kind) {
  try {
    parse(text);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), kind) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "accepted: " << text;
  return "";
}

const char* const kVitB32 =
    R"({"model_cfg":{"embed_dim":512,"vision_cfg":{"image_size":224,"layers":12,"width":768,"patch_size":32},
        "text_cfg":{"context_length":77,"vocab_size":49408,"width":512,"heads":8,"layers":12}},
        "preprocess_cfg":{"mean":[0.5,0.4,0.3],"std":[0.2,0.2,0.1],"interpolation":"bilinear","resize_mode":"squash"}})";

TEST(ModelConfigTest, ReadsOpenClipsVitB32) {
  const ModelConfig c = parse(kVitB32);
  EXPECT_EQ(c.embed_dim, 512);
  EXPECT_FALSE(c.vision.is_resnet());
  EXPECT_EQ(c.vision.heads(), 12);
  EXPECT_EQ(c.vision.grid(), 7);
  EXPECT_EQ(c.preprocess.size_px, 224);
  EXPECT_EQ(c.preprocess.interpolation, Filter::kBilinear);
  EXPECT_EQ(c.preprocess.resize_mode, ResizeMode::kSquash);
  EXPECT_FLOAT_EQ(c.preprocess.mean[1], 0.4F);
  EXPECT_EQ(c.activation(), Activation::kGelu);
}

TEST(ModelConfigTest, ReadsAModifiedResNetFromFourStages) {
  const ModelConfig c = parse(R"({"embed_dim":1024,"quick_gelu":true,
      "vision_cfg":{"image_size":224,"layers":[3,4,6,3],"width":64,"patch_size":null},
      "text_cfg":{"context_length":77,"vocab_size":49408,"width":512,"heads":8,"layers":12}})");
  EXPECT_TRUE(c.vision.is_resnet());
  EXPECT_EQ(c.vision.heads(), 32);
  EXPECT_EQ(c.vision.grid(), 7);
  EXPECT_EQ(c.activation(), Activation::kQuickGelu);
}

TEST(ModelConfigTest, WritesWhatItReads) {
  const ModelConfig c = parse(kVitB32);
  const ModelConfig again = parse(json::dump(to_json(c)));
  EXPECT_EQ(json::dump(to_json(again)), json::dump(to_json(c)));
  EXPECT_EQ(again.preprocess.mean, c.preprocess.mean);
}

TEST(ModelConfigTest, NamesTheKeyItDoesNotSupport) {
  const std::string message =
      error_of(R"({"embed_dim":8,"vision_cfg":{"timm_model_name":"vit_base"},"text_cfg":{}})",
               Kind::kUnsupported);
  EXPECT_NE(message.find("timm_model_name"), std::string::npos) << message;
  EXPECT_NE(message.find("c.json: vision_cfg"), std::string::npos) << message;
}

TEST(ModelConfigTest, RefusesWhatChangesTheNumbersInSilence) {
  error_of(R"({"embed_dim":8,"vision_cfg":{"qk_norm":true},"text_cfg":{}})", Kind::kUnsupported);
  error_of(R"({"embed_dim":8,"vision_cfg":{},"text_cfg":{"scale_heads":true}})",
           Kind::kUnsupported);
  error_of(R"({"embed_dim":8,"vision_cfg":{},"text_cfg":{"pool_type":"none"}})",
           Kind::kUnsupported);
  error_of(R"({"embed_dim":8,"vision_cfg":{},"text_cfg":{"embed_cls":true,"no_causal_mask":true}})",
           Kind::kUnsupported);
  error_of(R"({"embed_dim":8,"vision_cfg":{"pool_type":"none"},"text_cfg":{}})",
           Kind::kUnsupported);
  error_of(R"({"embed_dim":8,"vision_cfg":{"image_size":[224,160]},"text_cfg":{}})",
           Kind::kUnsupported);
}

TEST(ModelConfigTest, RefusesTowersThatDoNotFitTogether) {
  const std::string tower = R"("vision_cfg":{"width":64,"attentional_pool":)";
  error_of(R"({"embed_dim":32,)" + tower + R"("cascade"},"text_cfg":{}})", Kind::kCorrupt);
  error_of(R"({"embed_dim":36,)" + tower + R"(true}, "text_cfg":{}})", Kind::kCorrupt);
  error_of(R"({"embed_dim":32,"vision_cfg":{},"text_cfg":{"proj_type":"none"}})", Kind::kCorrupt);
  const std::string decoder = R"(,"multimodal_cfg":{"width":64},"text_cfg":{"width":64,)";
  const std::string text = R"("heads":1,"output_tokens":true}})";
  EXPECT_TRUE(
      parse(R"({"embed_dim":64,)" + tower + R"(true,"output_tokens":true})" + decoder + text)
          .custom_text);
  error_of(R"({"embed_dim":64,)" + tower + R"(true})" + decoder + text, Kind::kCorrupt);
  error_of(R"({"embed_dim":32,)" + tower + R"(true,"output_tokens":true})" + decoder + text,
           Kind::kCorrupt);
}

// open_clip builds no model of these; its defaults are for keys that are left out.
TEST(ModelConfigTest, RefusesWhatOpenClipCannotBuild) {
  EXPECT_NE(
      error_of(R"({"vision_cfg":{},"text_cfg":{}})", Kind::kCorrupt).find("embed_dim: is missing"),
      std::string::npos);
  for (const char* key :
       {"image_size", "layers", "width", "head_width", "mlp_ratio", "patch_size"}) {
    const std::string text =
        std::string(R"({"embed_dim":64,"vision_cfg":{")") + key + R"(":null},"text_cfg":{}})";
    EXPECT_NE(error_of(text, Kind::kCorrupt).find(key), std::string::npos);
  }
}

TEST(ModelConfigTest, RefusesImpossibleValues) {
  error_of(R"({"embed_dim":0,"vision_cfg":{},"text_cfg":{}})", Kind::kCorrupt);
  error_of(R"({"embed_dim":8,"vision_cfg":{"width":100},"text_cfg":{}})", Kind::kCorrupt);
  error_of(R"({"embed_dim":8,"vision_cfg":{"layers":[1,2]},"text_cfg":{}})", Kind::kCorrupt);
  error_of(R"({"embed_dim":8,"vision_cfg":{"layers":-1},"text_cfg":{}})", Kind::kCorrupt);
  error_of(
      R"({"embed_dim":8,"vision_cfg":{"layers":[1,1,1,1],"width":64,"image_size":40},"text_cfg":{}})",
      Kind::kCorrupt);
  error_of(R"({"embed_dim":8,"vision_cfg":{},"text_cfg":{"width":100,"heads":3}})", Kind::kCorrupt);
  error_of(R"({"embed_dim":8,"text_cfg":{}})", Kind::kCorrupt);
  error_of(
      R"({"model_cfg":{"embed_dim":8,"vision_cfg":{},"text_cfg":{}},"preprocess_cfg":{"size":100}})",
      Kind::kCorrupt);
  for (const std::string key : {"mean", "std"}) {  // more than a float holds
    error_of(R"({"model_cfg":{"embed_dim":8,"vision_cfg":{},"text_cfg":{}},"preprocess_cfg":{")" +
                 key + R"(":[0.5,1e300,0.5]}})",
             Kind::kCorrupt);
  }
}

std::string timm(const std::string& name, const std::string& shape) {
  const std::string pool = name.starts_with("eva") ? "token" : "avg";
  return R"({"embed_dim":64,"vision_cfg":{"image_size":224,"timm_model_name":")" + name +
         R"(","timm_pool":")" + pool + R"(","timm_proj":null,"timm_shape":)" + shape +
         R"(},"text_cfg":{}})";
}

TEST(TimmShape, OfEvaAndFastVitIsWrittenAsItIsRead) {
  const ModelConfig eva =
      parse(timm("eva02_base_patch16_clip_224", R"({"width":80,"layers":3,"heads":5})"));
  EXPECT_EQ(eva.vision.width, 80);
  EXPECT_EQ(eva.vision.layers, 3);
  EXPECT_EQ(eva.vision.heads(), 5);
  const ModelConfig fast = parse(timm("fastvit_mci0", R"({"width":32,"layers":2})"));
  EXPECT_EQ(fast.vision.width, 32);
  EXPECT_EQ(fast.vision.layers, 2);
  for (const ModelConfig& c : {eva, fast}) {
    const std::string written = json::dump(to_json(c));
    EXPECT_NE(written.find("timm_shape"), std::string::npos) << written;
    const ModelConfig again = parse(written);
    EXPECT_EQ(json::dump(to_json(again)), written);
    EXPECT_EQ(again.vision.width, c.vision.width);
    EXPECT_EQ(again.vision.layers, c.vision.layers);
  }
}

TEST(TimmShape, RefusesTowersThatCannotBe) {
  const auto refuses = [](const std::string& name, const std::string& shape, const std::string& key,
                          Kind kind = Kind::kCorrupt) {
    const std::string message = error_of(timm(name, shape), kind);
    EXPECT_NE(message.find("timm_shape"), std::string::npos) << message;
    EXPECT_NE(message.find(key), std::string::npos) << message;
  };
  const std::string eva = "eva02_base_patch16_clip_224";
  refuses(eva, R"({"width":80,"heads":3})", "heads");
  refuses(eva, R"({"width":84,"heads":7})", "width");  // not a multiple of 8
  refuses(eva, R"({"width":48,"heads":8})", "heads");  // 6 a head: no two rotary axes
  refuses(eva, R"({"width":80,"heads":5,"mlp_ratio":2})", "mlp_ratio", Kind::kUnsupported);
  refuses("fastvit_mci0", R"({"width":48})", "width");  // heads are 32 wide
  refuses("fastvit_mci0", R"({"width":32,"heads":1})", "heads", Kind::kUnsupported);
}

}  // namespace
}  // namespace tandem
