#include "model/hf_preprocess.h"

#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <sstream>
#include <unistd.h>

#include "core/error.h"
#include "preprocess/test_picture.h"

namespace tandem {
namespace {

VisionConfig tower(int size_px) {
  VisionConfig v;
  v.image_size_px = size_px;
  return v;
}

PreprocessConfig parse(const std::string& text, int size_px = 224) {
  return parse_hf_preprocess(json::parse(text, "p"), "p", tower(size_px));
}

Kind kind_of(const std::string& text, int size_px = 224) {
  try {
    parse(text, size_px);
  } catch (const Error& e) {
    return e.kind();
  }
  ADD_FAILURE() << "accepted: " << text;
  return Kind::kInternal;
}

// tests/goldens/hf_clip/pixels.txt: transformers' Pillow backend (tools/goldens/hf_clip.py).
TEST(HfPreprocess, EqualsTransformersProcessorsByteForByte) {
  std::ifstream file("tests/goldens/hf_clip/pixels.txt");
  std::string line;
  int cases = 0;
  while (std::getline(file, line)) {
    if (line.starts_with('#')) continue;
    std::istringstream in(line);
    std::string name;
    int width, height;
    std::uint32_t seed, crc;
    in >> name >> width >> height >> seed >> crc;
    ASSERT_TRUE(in) << line;
    const PreprocessConfig config =
        read_hf_preprocess("tests/goldens/hf_clip/processors/" + name, tower(32));
    std::vector<std::uint8_t> out(32 * 32 * 3);
    transform_image(test_picture(width, height, 3, seed), config, out);
    EXPECT_EQ(crc32(out), crc) << line;
    ++cases;
  }
  EXPECT_EQ(cases, 39);
}

TEST(HfPreprocess, FillsInWhatTheClassFillsIn) {
  const PreprocessConfig clip = parse("{}");
  EXPECT_EQ(clip.resize_mode, ResizeMode::kShortest);
  EXPECT_EQ(clip.interpolation, Filter::kBicubic);
  EXPECT_EQ(clip.crop_offset, CropOffset::kDown);
  EXPECT_EQ(clip.mean, PreprocessConfig{}.mean);
  const PreprocessConfig siglip = parse(R"({"image_processor_type":"SiglipImageProcessorFast"})");
  EXPECT_EQ(siglip.resize_mode, ResizeMode::kSquash);
  EXPECT_EQ(siglip.mean[1], 0.5F);
  EXPECT_EQ(parse(R"({"image_processor_type":"ViTImageProcessor"})").interpolation,
            Filter::kBilinear);
}

TEST(HfPreprocess, ReadsTheOlderSpellings) {
  // openai/clip-vit-base-patch32's first file: sizes as numbers.
  const PreprocessConfig p = parse(
      R"({"crop_size":336,"do_center_crop":true,"do_normalize":true,"do_resize":true,
          "feature_extractor_type":"CLIPFeatureExtractor","image_mean":[0.1,0.2,0.3],
          "image_std":[0.5,0.5,0.5],"resample":3,"size":336})",
      336);
  EXPECT_EQ(p.size_px, 336);
  EXPECT_EQ(p.resize_mode, ResizeMode::kShortest);
  EXPECT_EQ(p.mean[2], 0.3F);
  EXPECT_EQ(
      parse(R"({"image_processor":{"size":{"shortest_edge":32},"crop_size":32}})", 32).size_px, 32);
  EXPECT_EQ(parse(R"({"do_normalize":false})").std[0], 1.0F);
}

TEST(HfPreprocess, RefusesWhatItCannotExpress) {
  for (const char* text :
       {R"({"do_resize":false})", R"({"size":{"shortest_edge":256}})",
        R"({"do_center_crop":false})", R"({"resample":1})", R"({"do_rescale":false})",
        R"({"rescale_factor":0.0078})", R"({"do_pad":true})", R"({"image_processor_type":"Blip"})",
        R"({"size":{"height":224,"width":200}})", R"({"size":{"longest_edge":224}})",
        R"({"size":{"shortest_edge":224,"longest_edge":400}})", R"({"surprise":3})"}) {
    EXPECT_EQ(kind_of(text), Kind::kUnsupported) << text;
  }
  for (const char* text :
       {R"({"image_std":[0,1,1]})", R"({"image_mean":[1,2]})", R"({"image_mean":["a",2,3]})",
        R"({"size":{"shortest_edge":99999}})", R"({"resample":9})", R"({"size":"big"})",
        R"({"crop_offset":"left"})", "[]"}) {
    EXPECT_EQ(kind_of(text), Kind::kCorrupt) << text;
  }
  EXPECT_EQ(kind_of("{}", 336), Kind::kCorrupt);
}

TEST(HfPreprocess, ReadsBackWhatItWrites) {
  PreprocessConfig p{.size_px = 48, .interpolation = Filter::kBilinear};
  for (const ResizeMode mode : {ResizeMode::kShortest, ResizeMode::kSquash}) {
    for (const CropOffset offset : {CropOffset::kHalfToEven, CropOffset::kDown}) {
      if (mode == ResizeMode::kSquash && offset == CropOffset::kDown) continue;  // there is no crop
      p.resize_mode = mode;
      p.crop_offset = offset;
      const PreprocessConfig back =
          parse(json::dump(hf_preprocess_json(p, "CLIPImageProcessor")), 48);
      EXPECT_EQ(back.resize_mode, mode);
      EXPECT_EQ(back.crop_offset, offset);
      EXPECT_EQ(back.mean, p.mean);
      EXPECT_EQ(back.interpolation, Filter::kBilinear);
    }
  }
  p.resize_mode = ResizeMode::kLongest;
  EXPECT_THROW(hf_preprocess_json(p, "CLIPImageProcessor"), Error);
}

TEST(HfPreprocess, KeepsProportionsForNaflexTowersOnly) {
  VisionConfig v = tower(256);
  v.family = VisionFamily::kNaflex;
  const auto naflex = [&](const std::string& text) {
    return parse_hf_preprocess(json::parse(text, "p"), "p", v);
  };
  const PreprocessConfig p =
      naflex(R"({"image_processor_type":"Siglip2ImageProcessorFast","max_num_patches":100})");
  EXPECT_EQ(p.resize_mode, ResizeMode::kPatches);
  EXPECT_EQ(p.interpolation, Filter::kBilinear);
  EXPECT_EQ(p.patch_px, 16);
  EXPECT_EQ(p.max_patches, 100);
  EXPECT_EQ(p.mean[0], 0.5F);
  const auto again = naflex(json::dump(hf_preprocess_json(p, "Siglip2ImageProcessor")));
  EXPECT_EQ(again.max_patches, 100);
  EXPECT_THROW(naflex(R"({"image_processor_type":"SiglipImageProcessor"})"), Error);
  EXPECT_THROW(naflex(R"({"image_processor_type":"Siglip2ImageProcessor","patch_size":14})"),
               Error);
  EXPECT_THROW(naflex(R"({"image_processor_type":"Siglip2ImageProcessor","max_num_patches":0})"),
               Error);
  EXPECT_EQ(kind_of(R"({"image_processor_type":"Siglip2ImageProcessor"})"), Kind::kUnsupported);
}

}  // namespace
}  // namespace tandem
