#include "core/closest.h"

#include <array>
#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(EditDistance, CountsInsertionsDeletionsReplacementsAndSwaps) {
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("serach", "search"), 1U);
  EXPECT_EQ(edit_distance("same", "same"), 0U);
}

TEST(Closest, NamesTheNearestCandidateOrNone) {
  constexpr std::array<std::string_view, 3> names = {"vit-b-16", "vit-b-32", "rn50"};
  EXPECT_EQ(closest("vit-b33", names), "vit-b-32");
  EXPECT_EQ(closest("rn5", names), "rn50");
  EXPECT_EQ(closest("banana", names), "");
  EXPECT_EQ(closest("x", {}), "");
}

}  // namespace
}  // namespace tandem
