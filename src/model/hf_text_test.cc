// Text towers of transformers: their numbers and refusals. What they compute is compared with
// transformers by the engines' golden tests (tests/goldens/model/hf-*).
#include "model/hf_text.h"

#include <fmt/format.h>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

#include "core/error.h"
#include "model/weights.h"

namespace tandem {
namespace {

using testing::HasSubstr;

std::string refusal(const std::string& text_cfg, Kind kind) {
  const std::string config =
      R"({"embed_dim":512,"vision_cfg":{"image_size":224,"layers":12,"width":768,
      "patch_size":32},"text_cfg":)" +
      text_cfg + "}";
  try {
    parse_model_config(json::parse(config, "c"), "c");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), kind) << e.what();
    return e.what();
  }
  return "accepted";
}

TEST(HfText, BucketsEqualTransformers) {
  std::ifstream file("tests/goldens/hf_text/buckets.txt");
  std::string line;
  int cases = 0;
  while (std::getline(file, line)) {
    if (line.starts_with("#")) continue;
    std::replace(line.begin(), line.end(), ':', ' ');
    std::istringstream in(line);
    int length = 0;
    int buckets = 0;
    int distance = 0;
    in >> length >> buckets >> distance;
    std::vector<std::int32_t> expected;
    for (int bucket = 0; in >> bucket;) expected.push_back(bucket);
    ASSERT_EQ(expected.size(), 2U * length - 1);
    EXPECT_EQ(t5_buckets(length, buckets, distance), expected) << length << " " << buckets;
    ++cases;
  }
  EXPECT_GE(cases, 3);
}

TEST(HfText, KnowsTheEncodersOfOpenClipsConfigurationsByName) {
  const auto parameters = [](const std::string& name, const std::string& pooler) {
    const std::string config = fmt::format(
        R"({{"embed_dim":512,"vision_cfg":{{"image_size":224,"layers":12,"width":768,"patch_size":32}},
            "text_cfg":{{"hf_model_name":"{}","hf_tokenizer_name":"{}","hf_pooler_type":"{}"}}}})",
        name, name, pooler);
    std::int64_t count = 0;
    for (const auto& weight : weight_table(parse_model_config(json::parse(config, "c"), "c"))) {
      if (!weight.name.starts_with("text.transformer.")) continue;
      std::int64_t values = 1;
      for (const auto side : weight.shape) values *= side;
      count += values;
    }
    return count;
  };
  // sum(p.numel()) of transformers 5.23's encoders without their pooling layers.
  EXPECT_EQ(parameters("roberta-base", "mean_pooler"), 124'055'040);
  EXPECT_EQ(parameters("xlm-roberta-base", "mean_pooler"), 277'453'056);
  EXPECT_EQ(parameters("xlm-roberta-large", "mean_pooler"), 558'840'832);
  EXPECT_EQ(parameters("bert-base-uncased", "cls_last_hidden_state_pooler"), 108'891'648);
  EXPECT_EQ(parameters("google/mt5-base", "mean_pooler"), 277'040'256);
}

TEST(HfText, RefusesWhatItDoesNotCompute) {
  EXPECT_THAT(
      refusal(R"({"hf_model_name":"facebook/nllb-200-distilled-600M"})", Kind::kUnsupported),
      HasSubstr("not known. Expected one of bert-base-uncased"));
  const auto with = [](const std::string& settings) {
    return R"({"context_length":32,"hf_model_name":"x","hf_config":{)" + settings + "}}";
  };
  EXPECT_THAT(refusal(with(R"("model_type":"m2m_100")"), Kind::kUnsupported),
              HasSubstr("model_type \"m2m_100\" is not supported"));
  EXPECT_THAT(refusal(with(R"("model_type":"bert","hidden_act":"relu")"), Kind::kUnsupported),
              HasSubstr("hidden_act"));
  EXPECT_THAT(refusal(with(R"("model_type":"bert","hidden_size":100,"num_attention_heads":7)"),
                      Kind::kCorrupt),
              HasSubstr("num_attention_heads"));
  EXPECT_THAT(refusal(with(R"("model_type":"bert","max_position_embeddings":16)"), Kind::kCorrupt),
              HasSubstr("16 positions"));
  EXPECT_THAT(refusal(R"({"hf_model_name":"roberta-base","hf_pooler_type":"max_pooler"})",
                      Kind::kUnsupported),
              HasSubstr("max_pooler"));
}

}  // namespace
}  // namespace tandem
