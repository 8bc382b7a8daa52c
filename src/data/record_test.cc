#include "data/record.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(SkipLog, SumsUpReasonsMostFrequentFirst) {
  SkipLog log;
  EXPECT_EQ(log.summary(50'000), "");
  for (int i = 0; i < 3; ++i) log.add("too small", "b" + std::to_string(i));
  for (int i = 0; i < 9; ++i) log.add("unreadable", "a" + std::to_string(i));
  EXPECT_EQ(log.total(), 12U);
  EXPECT_EQ(log.summary(50'000), "skipped 12 of 50,000 (9 unreadable, 3 too small)");
}

TEST(SkipLog, KeepsTheFirstFewExamplesOfEachReason) {
  SkipLog log;
  for (int i = 0; i < 1000; ++i) log.add("unreadable", std::to_string(i));
  EXPECT_EQ(log.reasons().at("unreadable").examples,
            (std::vector<std::string>{"0", "1", "2", "3", "4"}));
}

}  // namespace
}  // namespace tandem
