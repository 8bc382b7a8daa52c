#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

#include "preprocess/tokenizer.h"

namespace tandem {
namespace {

std::string vocabulary() {
  std::ifstream file("assets/vocab/bpe_simple_vocab_16e6.txt", std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(ClipTokenizer, GivesTheReferenceIdsOfACaption) {
  const auto tokenizer = make_clip_tokenizer(vocabulary(), {});
  EXPECT_THAT(tokenizer->encode("a photo of a cat"),
              testing::ElementsAre(49406, 320, 1125, 539, 320, 2368, 49407));
}

}  // namespace
}  // namespace tandem
