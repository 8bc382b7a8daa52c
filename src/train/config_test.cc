#include "train/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace tandem {
namespace {

TrainConfig parsed(const std::string& extra) {
  const std::string text =
      R"({"model": {"embed_dim": 64, "vision_cfg": {"image_size": 64, "layers": [1,1,1,1], "width": 32},
          "text_cfg": {"context_length": 16, "vocab_size": 600, "width": 64, "heads": 1, "layers": 1}},
          "data": {"train": ["a.tar"]}, "batch_size": 8, "samples": 100)" +
      extra + "}";
  return parse_train_config(json::parse(text, "c.json"), "c.json");
}

std::string refusal(const std::string& extra) {
  try {
    parsed(extra);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), Kind::kInput);
    return e.what();
  }
  return "accepted";
}

TEST(TrainConfig, TheShippedOneIsRead) {
  const TrainConfig c = read_train_config("assets/mini/train.json");
  EXPECT_TRUE(c.model.vision.is_resnet());
  EXPECT_TRUE(c.bf16);
  EXPECT_EQ(c.train.size(), 2U);
}

TEST(TrainConfig, UnknownKeysNameTheClosestKnownOne) {
  EXPECT_THAT(refusal(R"(, "batchsize": 4)"), testing::HasSubstr("batch_size"));
  EXPECT_THAT(refusal(R"(, "schedule": {"warmup": 4})"), testing::HasSubstr("warmup_steps"));
}

TEST(TrainConfig, ImpossibleValuesAreRefusedWithTheirPlace) {
  EXPECT_THAT(refusal(R"(, "ema": 2)"), testing::HasSubstr("ema"));
  EXPECT_THAT(refusal(R"(, "replicas": 3)"), testing::HasSubstr("divide batch_size"));
  EXPECT_THAT(refusal(R"(, "precision": "fp8")"), testing::HasSubstr("fp32 or bf16"));
  EXPECT_THAT(refusal(R"(, "equal_groups": "apart")"),
              testing::HasSubstr("masked, positives or negatives"));
}

TEST(TrainConfig, HashIgnoresTheScheduleAndThreadsOnly) {
  const std::string base = config_hash(parsed(""));
  EXPECT_EQ(config_hash(parsed(R"(, "threads": 3, "schedule": {"lr": 1})")), base);
  EXPECT_NE(config_hash(parsed(R"(, "seed": 3)")), base);
  EXPECT_NE(config_hash(parsed(R"(, "ema": 0.5)")), base);
}

}  // namespace
}  // namespace tandem
