// SentencePiece models and tokenizer.json against their own libraries, on the small vocabularies of
// tests/goldens/tokenizers.
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <sstream>

#include "core/error.h"
#include "core/files.h"
#include "core/json.h"
#include "preprocess/text_golden.h"
#include "preprocess/tokenizer_spec.h"

namespace tandem {
namespace {

const std::string kFolder = "tests/goldens/tokenizers/";

std::vector<std::string> lines_of(const std::string& name) {
  std::ifstream file(kFolder + name, std::ios::binary);
  if (!file) throw std::runtime_error("no " + kFolder + name);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

TextClean clean_of(const std::string& name) {
  if (name == "whitespace") return TextClean::kWhitespace;
  if (name == "lower") return TextClean::kLower;
  if (name == "canonicalize") return TextClean::kCanonicalize;
  if (name == "lower_only") return TextClean::kLowerOnly;
  return name == "siglip" ? TextClean::kSiglip : TextClean::kNone;
}

// "…: kind=json clean=lower context=20 pad=0", the end of a golden's first line.
TokenizerSpec spec_of(const std::string& head) {
  TokenizerSpec spec{.clean = TextClean::kNone, .vocab_size = 0};
  std::istringstream words(head.substr(head.rfind(": ") + 2));
  for (std::string word; words >> word;) {
    const std::string key = word.substr(0, word.find('='));
    const std::string value = word.substr(key.size() + 1);
    if (key == "kind") {
      spec.kind = value == "json" ? TokenizerKind::kHfJson : TokenizerKind::kSentencePiece;
    } else if (key == "clean") {
      spec.clean = clean_of(value);
    } else if (key == "context") {
      spec.context_length = std::stoi(value);
    } else if (key == "pad") {
      spec.pad_to_context = true;
      spec.pad_id = std::stoi(value);
    } else if (key == "bos") {
      spec.bos_id = std::stoi(value);
    } else if (key == "eos") {
      spec.eos_id = std::stoi(value);
    } else if (key == "strip") {
      spec.strip_sep_id = std::stoi(value);
    } else if (key == "eos_token") {
      spec.around = {.eos_token = value};
    } else if (key == "clips") {
      spec.clips_class_id = std::stoi(value);
    }
  }
  return spec;
}

void expect_golden_ids(const std::string& vocabulary, const std::string& golden) {
  const auto strings = lines_of("strings.txt");
  const auto rows = lines_of(golden + ".ids");
  ASSERT_EQ(strings.size(), rows.size());
  const auto tokenizer =
      make_tokenizer(spec_of(rows[0]), std::filesystem::path(kFolder + vocabulary));
  for (std::size_t i = 1; i < rows.size(); ++i) {
    std::ostringstream got;
    for (const std::int32_t id : tokenizer->encode(percent_decoded(strings[i]))) {
      got << (got.tellp() > 0 ? " " : "") << id;
    }
    EXPECT_EQ(got.str(), rows[i]) << strings[i];
  }
}

TEST(SentencePiece, UnigramGivesSentencepiecesIds) {
  expect_golden_ids("unigram.model", "unigram-model");
}
TEST(SentencePiece, UnigramWithBytesAndUserDefinedPiecesGivesSentencepiecesIds) {
  expect_golden_ids("unigram_bytes.model", "unigram_bytes-model");
}
TEST(SentencePiece, BpeGivesSentencepiecesIds) { expect_golden_ids("bpe.model", "bpe-model"); }
TEST(SentencePiece, BpeWithUnusedPiecesGivesSentencepiecesIds) {
  expect_golden_ids("bpe_plain.model", "bpe_plain-model");
}
TEST(SentencePiece, SiglipCleansAsTransformersDoes) {
  expect_golden_ids("unigram.model", "SiglipTokenizer");
}
TEST(TokenizerJson, Siglip2LowersAsTransformersDoes) {
  expect_golden_ids("gemma.json", "Siglip2Tokenizer");
}

TEST(TokenizerJson, ByteLevelBpeGivesTokenizersIds) {
  expect_golden_ids("roberta.json", "roberta-json");
}
TEST(TokenizerJson, ClipsFastTokenizerGivesTokenizersIds) {
  expect_golden_ids("clip.json", "clip-json");
}
TEST(TokenizerJson, GemmaGivesTokenizersIds) { expect_golden_ids("gemma.json", "gemma-json"); }
TEST(TokenizerJson, XlmRobertaGivesTokenizersIds) { expect_golden_ids("xlmr.json", "xlmr-json"); }
TEST(TokenizerJson, T5GivesTokenizersIds) { expect_golden_ids("t5.json", "t5-json"); }
TEST(TokenizerJson, WordPieceGivesTokenizersIds) { expect_golden_ids("bert.json", "bert-json"); }
TEST(TokenizerJson, RareNormalisersAndSplittersGiveTokenizersIds) {
  expect_golden_ids("odd.json", "odd-json");
}

TEST(TokenizerSpec, ClipaStripsItsSeparatorsAsOpenClipDoes) {
  expect_golden_ids("bert.json", "open_clip-bert-strip_sep");
}
TEST(TokenizerSpec, CanonicalizesAsOpenClipDoes) {
  expect_golden_ids("t5.json", "open_clip-t5-canonicalize");
}
TEST(TokenizerSpec, LowersAsOpenClipDoes) {
  expect_golden_ids("gemma.json", "open_clip-gemma-lower");
}
TEST(TokenizerSpec, ClipsModeEndsWithTheClassTokenAsOpenClipDoes) {
  expect_golden_ids("roberta.json", "open_clip-roberta-clips");
}

// The error of reading `file` changed by `change`.
Error refusal(const std::string& file, const std::function<void(json::object&)>& change) {
  json::value whole = json::read(kFolder + file);
  change(whole.get_object());
  const TokenizerSpec spec{
      .kind = TokenizerKind::kHfJson, .clean = TextClean::kNone, .vocab_size = 0};
  try {
    make_tokenizer(spec, json::dump(whole), "x/tokenizer.json");
  } catch (const Error& e) {
    return e;
  }
  return Error(Kind::kInternal, "accepted");
}

TEST(TokenizerJson, RunsNoRegularExpressionOfTheFile) {
  const Error e = refusal("gemma.json", [](json::object& root) {
    root["pre_tokenizer"].get_object()["pattern"] = {{"Regex", "(a+)+b"}};
  });
  EXPECT_EQ(e.kind(), Kind::kUnsupported);
  EXPECT_NE(std::string(e.what()).find("x/tokenizer.json.pre_tokenizer.pattern"), std::string::npos)
      << e.what();
  EXPECT_NE(std::string(e.what()).find("(a+)+b"), std::string::npos) << e.what();
}

TEST(TokenizerJson, NamesThePartItDoesNotHave) {
  const Error e = refusal("bert.json", [](json::object& root) {
    root["pre_tokenizer"] = {{"type", "UnicodeScripts"}};
  });
  EXPECT_EQ(e.kind(), Kind::kUnsupported);
  EXPECT_NE(std::string(e.what()).find("UnicodeScripts"), std::string::npos) << e.what();
}

TEST(TokenizerJson, RefusesMergesOfTokensThatAreNotThere) {
  const Error e = refusal("roberta.json", [](json::object& root) {
    root["model"].get_object()["merges"].get_array()[5] = json::array{"zzzz", "qqqq"};
  });
  EXPECT_EQ(e.kind(), Kind::kCorrupt);
}

TEST(TokenizerJson, RefusesTemplatesWithUnknownTokens) {
  const Error e = refusal("xlmr.json", [](json::object& root) {
    root["post_processor"].get_object()["special_tokens"].get_object().erase("</s>");
  });
  EXPECT_EQ(e.kind(), Kind::kCorrupt);
}

TEST(TokenizerJson, ReadsMergesAsTextsToo) {
  json::value whole = json::read(kFolder + "roberta.json");
  auto& merges = whole.get_object()["model"].get_object()["merges"].get_array();
  ASSERT_TRUE(merges[0].is_array());
  for (json::value& merge : merges) {
    const auto& pair = merge.get_array();
    merge = std::string(pair[0].get_string()) + " " + std::string(pair[1].get_string());
  }
  const TokenizerSpec spec{
      .kind = TokenizerKind::kHfJson, .clean = TextClean::kNone, .vocab_size = 0};
  const auto pairs = make_tokenizer(spec, std::filesystem::path(kFolder + "roberta.json"));
  const auto texts = make_tokenizer(spec, json::dump(whole), "roberta.json");
  const std::string sentence = "A photo of two naïve cats, in 1984.";
  EXPECT_EQ(pairs->encode(sentence), texts->encode(sentence));
}

TEST(SentencePiece, RefusesAFileCutShort) {
  const std::string whole = read_text_file(kFolder + "bpe.model");
  const TokenizerSpec spec{
      .kind = TokenizerKind::kSentencePiece, .clean = TextClean::kNone, .vocab_size = 0};
  try {
    make_tokenizer(spec, std::string_view(whole).substr(0, whole.size() / 2), "x/spiece.model");
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), Kind::kCorrupt);
    EXPECT_NE(std::string(e.what()).find("x/spiece.model"), std::string::npos) << e.what();
  }
}

TEST(TokenizerSpec, RefusesAVocabularyLargerThanTheModel) {
  const TokenizerSpec spec{
      .kind = TokenizerKind::kSentencePiece, .clean = TextClean::kNone, .vocab_size = 100};
  EXPECT_THROW(make_tokenizer(spec, std::filesystem::path(kFolder + "unigram.model")), Error);
}

TEST(TokenizerSpec, TruncationKeepsTheEndOfText) {
  const TokenizerSpec spec{.kind = TokenizerKind::kSentencePiece,
                           .clean = TextClean::kNone,
                           .context_length = 6,
                           .vocab_size = 0,
                           .eos_id = 1};
  const auto tokenizer = make_tokenizer(spec, std::filesystem::path(kFolder + "unigram.model"));
  const auto ids = tokenizer->encode("a photo of a very large number of dogs and cats");
  ASSERT_EQ(ids.size(), 6U);
  EXPECT_EQ(ids.back(), 1);
}

// open_clip pools at the first end of text (argmax over ids), Tandem at a ragged text's last row.
// SimpleTokenizer of open_clip 3.3 does turn the literal text into the id.
TEST(TokenizerSpec, ClipsIdsStopAtTheFirstEndOfTextInTheCaption) {
  TokenizerSpec spec{.stop_after_id = 49'407};
  const auto stopped = make_tokenizer(spec, clip_merges(), "merges");
  spec.stop_after_id.reset();
  const auto whole = make_tokenizer(spec, clip_merges(), "merges");
  const std::string caption = "a dog <end_of_text> and a cat";
  EXPECT_EQ(whole->encode(caption),
            (std::vector<std::int32_t>{49'406, 320, 1929, 49'407, 537, 320, 2368, 49'407}));
  EXPECT_EQ(stopped->encode(caption), (std::vector<std::int32_t>{49'406, 320, 1929, 49'407}));
  const auto trained = make_clip_tokenizer(clip_merges(), {.stop_at_end_of_text = true});
  EXPECT_EQ(trained->encode(caption), stopped->encode(caption));
  EXPECT_EQ(trained->encode("a dog"), whole->encode("a dog"));
  // Not a special token of open_clip's: taken apart like any text.
  EXPECT_EQ(stopped->encode("a <|endoftext|>"),
            (std::vector<std::int32_t>{49'406, 320, 27, 347, 40'786, 4160, 91, 285, 49'407}));
}

TEST(TokenizerSpec, ClipsIdsFillTheContextForTowersThatReadTheirPadding) {
  const TokenizerSpec spec{.context_length = 8, .pad_to_context = true};
  const auto tokenizer = make_tokenizer(spec, clip_merges(), "merges");
  EXPECT_EQ(tokenizer->encode("a dog"),
            (std::vector<std::int32_t>{49'406, 320, 1929, 49'407, 0, 0, 0, 0}));
}

}  // namespace
}  // namespace tandem
