#include <gtest/gtest.h>

#include "model/backend.h"
#include "model/text.h"

namespace tandem {
namespace {

TokenBatch batch(std::initializer_list<std::vector<std::int32_t>> texts) {
  TokenBatch tokens;
  for (const auto& text : texts) tokens.add(text);
  return tokens;
}

using Rows = std::vector<std::int32_t>;

TEST(SharePrefixes, GivesATextOnlyTheRowsInWhichItDiffers) {
  const Segments s = share_prefixes(batch({{9, 1, 2, 8}, {9, 1, 3, 8}, {9, 4, 8}}));
  EXPECT_EQ(s.offsets, (Rows{0, 4, 6, 8}));
  EXPECT_EQ(s.path, (Rows{0, 1, 2, 3, 0, 1, 4, 5, 0, 6, 7}));
  EXPECT_EQ(s.path_offsets, (Rows{0, 4, 8, 11}));
  EXPECT_EQ(s.own_rows_in_paths(), (Rows{0, 1, 2, 3, 6, 7, 9, 10}));
  EXPECT_EQ(s.last_rows(), (Rows{3, 5, 7}));
  EXPECT_EQ(s.max_length, 4);
}

TEST(SharePrefixes, LeavesEvenACopyItsOwnLastRow) {
  const Segments s = share_prefixes(batch({{9, 1, 8}, {9, 1, 8}, {9}}));
  EXPECT_EQ(s.offsets, (Rows{0, 3, 4, 5}));
  EXPECT_EQ(s.path, (Rows{0, 1, 2, 0, 1, 3, 4}));
}

TEST(PooledRows, FollowTheKindOfPooling) {
  TextConfig config;
  const TokenBatch tokens = batch({{5, 1, 7, 0}, {7, 2, 5, 2}});
  EXPECT_EQ(pooled_rows(tokens, config), (Rows{3, 7}));  // causal: end of text is last
  config.causal = false;
  EXPECT_EQ(pooled_rows(tokens, config), (Rows{2, 4}));  // the greatest id
  config.pool = TextConfig::Pool::kFirst;
  EXPECT_EQ(pooled_rows(tokens, config), (Rows{0, 4}));
  config.pool = TextConfig::Pool::kLast;
  EXPECT_EQ(pooled_rows(tokens, config), (Rows{3, 7}));
  config.pool = TextConfig::Pool::kEos;
  config.eos_id = 2;
  EXPECT_EQ(pooled_rows(tokens, config), (Rows{0, 5}));
}

}  // namespace
}  // namespace tandem
