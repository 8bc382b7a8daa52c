#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

#include "core/error.h"
#include "preprocess/text_golden.h"
#include "preprocess/tokenizer.h"

namespace tandem {
namespace {

using testing::ElementsAre;

Kind kind_thrown(std::string_view merges, const BpeOptions& options) {
  try {
    make_clip_tokenizer(merges, options);
  } catch (const Error& e) {
    return e.kind();
  }
  ADD_FAILURE() << "nothing thrown";
  return Kind::kInternal;
}

void expect_equals_reference(const Tokenizer& tokenizer, const std::string& name,
                             std::size_t at_least) {
  const std::vector<TextGolden> goldens = read_text_goldens(name);
  ASSERT_GE(goldens.size(), at_least);
  for (const TextGolden& golden : goldens) {
    ASSERT_EQ(tokenizer.encode(golden.text), golden.ids) << golden.text;
  }
}

TEST(ClipTokenizer, GivesTheReferenceIdsOfACaption) {
  const auto tokenizer = make_clip_tokenizer(clip_merges(), {});
  EXPECT_THAT(tokenizer->encode("a photo of a cat"),
              ElementsAre(49406, 320, 1125, 539, 320, 2368, 49407));
}

TEST(ClipTokenizer, EqualsOpenClipOnStringsOfAllScriptsAndDamages) {
  expect_equals_reference(*make_clip_tokenizer(clip_merges(), {}), "tokens.txt", 2000);
}

TEST(ClipTokenizer, EqualsOpenClipWithAVocabularyCutToAPrefixOfTheMerges) {
  const BpeOptions cut{.context_length = 16, .vocab_size = 8192};
  expect_equals_reference(*make_clip_tokenizer(clip_merges(), cut), "tokens_cut.txt", 200);
}

TEST(ClipTokenizer, DecodesAsOpenClipDoes) {
  const auto tokenizer = make_clip_tokenizer(clip_merges(), {});
  const auto text = [&](std::vector<std::int32_t> ids) { return tokenizer->decode(ids); };
  EXPECT_EQ(text({49406, 320, 1125, 539, 320, 2368, 49407}), "a photo of a cat ");
  EXPECT_EQ(text({1097, 35689, 563, 15304, 2005, 48338, 21078, 361, 267, 2481, 256}),
            "naïve café — 東京 , ok ! ");
  // Bytes that are no UTF-8, and whole characters among them.
  EXPECT_EQ(text({320, 1929, 530, 7, 236, 93, 511, 255, 320}), "a dog in (\uFFFD~\uFFFD \uFFFDa ");
  EXPECT_THROW(text({49408}), Error);
  EXPECT_THROW(text({-1}), Error);
}

TEST(ClipTokenizer, GivesStartAndEndForNoText) {
  const auto tokenizer = make_clip_tokenizer(clip_merges(), {});
  EXPECT_THAT(tokenizer->encode(""), ElementsAre(49406, 49407));
  EXPECT_THAT(tokenizer->encode(" \n\t "), ElementsAre(49406, 49407));
}

TEST(ClipTokenizer, KeepsTheEndOfTextLastWhenItCuts) {
  const auto tokenizer = make_clip_tokenizer(clip_merges(), {.context_length = 3});
  EXPECT_THAT(tokenizer->encode("a photo of a cat"), ElementsAre(49406, 320, 49407));
  const auto shortest = make_clip_tokenizer(clip_merges(), {.context_length = 1});
  EXPECT_THAT(shortest->encode("a photo"), ElementsAre(49407));
}

TEST(ClipTokenizer, SpellsWordsInBytesWhenItHasNoMerges) {
  const auto tokenizer = make_clip_tokenizer(clip_merges(), {.vocab_size = 514});
  // 'a' is the 65th printable byte from '!', and "b" at a word's end is 256 further.
  EXPECT_THAT(tokenizer->encode("AB"), ElementsAre(512, 64, 65 + 256, 513));
}

TEST(ClipTokenizer, GivesAWordOfMegabytesNoMoreThanItsContext) {
  const auto tokenizer = make_clip_tokenizer(clip_merges(), {});
  for (const std::string unit :
       {"a", "lol", "ab", "\xF0\x9F\x98\x80", "\xC3\x83", "&amp;", "\xFF"}) {
    std::string text = "&";
    while (text.size() < 1U << 18) text += unit;
    const std::vector<std::int32_t> ids = tokenizer->encode(text);
    EXPECT_LE(ids.size(), 77U) << unit;
    EXPECT_EQ(ids.back(), 49407) << unit;
  }
}

TEST(ClipTokenizer, IsSafeToShareBetweenThreads) {
  const auto tokenizer = make_clip_tokenizer(clip_merges(), {});
  const std::vector<TextGolden> goldens = read_text_goldens("tokens.txt");
  std::vector<int> wrong(4);
  std::vector<std::thread> threads;
  for (int& count : wrong) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < 300; ++i)
        count += tokenizer->encode(goldens[i].text) != goldens[i].ids;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, testing::Each(0));
}

TEST(ClipTokenizer, RefusesMergesThatBreakTheirFormat) {
  const BpeOptions two{.vocab_size = 516};
  EXPECT_NO_THROW(make_clip_tokenizer("#version\na b\nab c</w>\n", two));
  EXPECT_EQ(kind_thrown("", two), Kind::kCorrupt);
  EXPECT_EQ(kind_thrown("#version\na b\n", two), Kind::kCorrupt);                 // too few
  EXPECT_EQ(kind_thrown("#version\na b\nab\n", two), Kind::kCorrupt);             // no pair
  EXPECT_EQ(kind_thrown("#version\na b\nzz c\n", two), Kind::kCorrupt);           // unknown symbol
  EXPECT_EQ(kind_thrown("#version\na b\na b\n", two), Kind::kCorrupt);            // twice
  EXPECT_EQ(kind_thrown("#version\na b\na b c\n", two), Kind::kCorrupt);          // three symbols
  EXPECT_EQ(kind_thrown("#version\na b\n\xFF\xFE \x80\n", two), Kind::kCorrupt);  // not text
}

TEST(ClipTokenizer, RefusesSizesOutOfRange) {
  const std::string merges = clip_merges();
  EXPECT_EQ(kind_thrown(merges, {.vocab_size = 513}), Kind::kInput);
  EXPECT_EQ(kind_thrown(merges, {.vocab_size = 49'409}), Kind::kInput);
  EXPECT_EQ(kind_thrown(merges, {.context_length = 0}), Kind::kInput);
}

}  // namespace
}  // namespace tandem
