#include "engine/tokenizers.h"

#include <fstream>
#include <gtest/gtest.h>

#include "core/error.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

const fs::path kGoldens = "tests/goldens/tokenizers";
const fs::path kAssets = "assets";

// A folder of its own for each test.
class Tokenizers : public testing::Test {
 protected:
  void SetUp() override {
    const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    folder_ = fs::path(testing::TempDir()) / ("tokenizers_test_" + name);
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void put(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  void copy(const std::string& golden, const std::string& name) {
    fs::copy_file(kGoldens / golden, folder_ / name);
  }

  TokenizerChoice choose(const TextConfig& text) const {
    ModelConfig config;
    config.text = text;
    return choose_tokenizer(config, folder_, kAssets);
  }
  std::vector<std::int32_t> ids(const TextConfig& text, const std::string& caption) const {
    ModelConfig config;
    config.text = text;
    return load_tokenizer(config, folder_, kAssets)->encode(caption);
  }
  std::string refusal(const TextConfig& text, Kind kind) const {
    try {
      choose(text);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), kind) << e.what();
      return e.what();
    }
    ADD_FAILURE() << "accepted";
    return "";
  }

  fs::path folder_;
};

TextConfig siglip_text() {
  TextConfig text;
  text.context_length = 16;
  text.vocab_size = 2048;
  text.causal = false;
  text.pool = TextConfig::Pool::kLast;
  text.tokenizer_name = "timm/ViT-B-16-SigLIP";
  text.tokenizer_clean = "canonicalize";
  return text;
}

TEST_F(Tokenizers, OpenClipsModelsUseClipsBytePairsThoughATokenizerLiesBesideThem) {
  put("open_clip_config.json", "{}");
  put("config.json", R"({"model_type": "clip"})");
  copy("clip.json", "tokenizer.json");
  const auto choice = choose({});
  EXPECT_EQ(choice.spec.kind, TokenizerKind::kClipBpe);
  EXPECT_EQ(choice.spec.stop_after_id, 49'407);
  EXPECT_FALSE(choice.spec.pad_to_context);
  EXPECT_TRUE(fs::exists(choice.file));
}

TEST_F(Tokenizers, TowersThatReadTheirPaddingGetIt) {
  put("open_clip_config.json", "{}");
  TextConfig text;
  text.causal = false;  // MobileCLIP
  EXPECT_EQ(ids(text, "a dog").size(), 77U);
}

TEST_F(Tokenizers, ANamedTokenizerIsReadFromBesideTheWeights) {
  put("open_clip_config.json", "{}");
  copy("t5.json", "tokenizer.json");
  put("tokenizer_config.json", R"({"pad_token": "</s>", "tokenizer_class": "T5Tokenizer"})");
  const auto got = ids(siglip_text(), "A Photo, of two dogs!");
  ASSERT_EQ(got.size(), 16U);
  EXPECT_EQ(got.back(), 1);                                     // padding is `</s>` here
  EXPECT_EQ(got, ids(siglip_text(), "a photo   of two dogs"));  // canonicalised
}

TEST_F(Tokenizers, AMissingTokenizerIsNamedWithItsModelAndHowToGetIt) {
  put("open_clip_config.json", "{}");
  const std::string why = refusal(siglip_text(), Kind::kNotFound);
  EXPECT_NE(why.find((folder_ / "tokenizer.json").string()), std::string::npos) << why;
  EXPECT_NE(why.find("timm/ViT-B-16-SigLIP"), std::string::npos) << why;
  EXPECT_NE(why.find("tandem pull"), std::string::npos) << why;
}

TEST_F(Tokenizers, TransformersSiglipUsesItsSentencePieceModel) {
  put("config.json", R"({"model_type": "siglip"})");
  copy("unigram.model", "spiece.model");
  copy("t5.json", "tokenizer.json");
  put("tokenizer_config.json", R"({"pad_token": "</s>", "model_max_length": 12})");
  TextConfig text = siglip_text();
  text.tokenizer_name.clear();
  const auto choice = choose(text);
  EXPECT_EQ(choice.spec.kind, TokenizerKind::kSentencePiece);
  EXPECT_EQ(choice.spec.clean, TextClean::kSiglip);
  EXPECT_EQ(ids(text, "two dogs").size(), 12U);
}

TEST_F(Tokenizers, Siglip2LowersAndAddsTheEndThatItsConfigurationAsksFor) {
  put("config.json", R"({"model_type": "siglip2"})");
  copy("gemma.json", "tokenizer.json");
  put("tokenizer_config.json",
      R"({"tokenizer_class": "GemmaTokenizer", "add_bos_token": true, "add_eos_token": true,
          "bos_token": {"content": "<s>"}, "eos_token": "</s>", "pad_token": "<pad>"})");
  TextConfig text = siglip_text();
  text.tokenizer_name.clear();
  const auto got = ids(text, "A DOG");
  EXPECT_EQ(got.front(), 2);
  EXPECT_EQ(got, ids(text, "a dog"));
  EXPECT_EQ(got.back(), 0);
}

TEST_F(Tokenizers, PaddingOnTheLeftIsRefusedWhereItIsRead) {
  put("config.json", R"({"model_type": "siglip2"})");
  copy("gemma.json", "tokenizer.json");
  put("tokenizer_config.json", R"({"padding_side": "left"})");
  EXPECT_NE(refusal(siglip_text(), Kind::kUnsupported).find("padding_side"), std::string::npos);
}

TEST_F(Tokenizers, ALowerCaseThatTheFileContradictsIsRefused) {
  put("open_clip_config.json", "{}");
  copy("bert.json", "tokenizer.json");
  put("tokenizer_config.json",
      R"({"tokenizer_class": "BertTokenizer", "do_lower_case": false, "pad_token": "[PAD]"})");
  EXPECT_NE(refusal(siglip_text(), Kind::kUnsupported).find("do_lower_case"), std::string::npos);
}

TEST_F(Tokenizers, MaskedTowersGetNoPaddingAndKeepTheirSeparator) {
  put("open_clip_config.json", "{}");
  copy("xlmr.json", "tokenizer.json");
  TextConfig text = siglip_text();
  text.pool = TextConfig::Pool::kArgmax;
  text.tokenizer_clean.clear();
  text.hf.model = "xlm-roberta-base";
  const auto got = ids(text, "two dogs");
  EXPECT_LT(got.size(), 16U);
  EXPECT_EQ(got.back(), 1);  // `</s>` of this small vocabulary
}

TEST_F(Tokenizers, ClipaStripsItsSeparator) {
  put("open_clip_config.json", "{}");
  copy("bert.json", "tokenizer.json");
  put("tokenizer_config.json", R"({"sep_token": "[SEP]", "pad_token": "[PAD]"})");
  TextConfig text = siglip_text();
  text.strip_separator = true;
  const auto got = ids(text, "two dogs");
  ASSERT_EQ(got.size(), 16U);
  EXPECT_EQ(std::count(got.begin(), got.end(), 3), 0);  // [SEP]
}

}  // namespace
}  // namespace tandem
