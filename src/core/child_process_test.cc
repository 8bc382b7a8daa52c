#include "core/child_process.h"

#include <csignal>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/error.h"

namespace tandem {
namespace {

using Direction = ChildProcess::Direction;

TEST(ChildProcess, GivesLinesAndHowItEnded) {
  ChildProcess child("/bin/sh", {"-c", "printf 'one\\n\\nlast'; echo why >&2; exit 5"},
                     Direction::kFromChild);
  std::string line;
  ASSERT_TRUE(child.read_line(line));
  EXPECT_EQ(line, "one");
  ASSERT_TRUE(child.read_line(line));
  EXPECT_EQ(line, "");
  EXPECT_FALSE(child.read_line(line));  // it has no end: cut off
  const auto end = child.finish();
  EXPECT_EQ(end.exit_code, 5);
  EXPECT_EQ(end.message, "why");
}

TEST(ChildProcess, TakesMoreThanAPipeHolds) {
  ChildProcess child("/bin/sh", {"-c", "test $(wc -c) = 1000000"}, Direction::kToChild);
  for (int i = 0; i < 1000; ++i) child.write(std::string(1000, 'x'));
  EXPECT_EQ(child.finish().exit_code, 0);
}

TEST(ChildProcess, ADeadChildIsNoSignalHere) {
  ChildProcess child("/bin/sh", {"-c", "kill -9 $$"}, Direction::kToChild);
  for (int i = 0; i < 1000; ++i) child.write(std::string(1000, 'x'));
  const auto end = child.finish();
  EXPECT_EQ(end.exit_code, -1);
  EXPECT_EQ(end.signal, SIGKILL);
}

TEST(ChildProcess, LongLinesAreRefused) {
  ChildProcess child("/bin/sh", {"-c", "while true; do printf xxxxxxxxxxxxxxxx; done"},
                     Direction::kFromChild);
  std::string line;
  EXPECT_THROW(child.read_line(line, 100'000), Error);
}

TEST(ChildProcess, AMissingProgramIsSaid) {
  try {
    ChildProcess child("/nowhere/program", {}, Direction::kFromChild);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), Kind::kNotFound);
    EXPECT_THAT(e.what(), testing::HasSubstr("/nowhere/program"));
  }
}

}  // namespace
}  // namespace tandem
