#include "model/dialect.h"

#include <functional>
#include <gtest/gtest.h>
#include <set>

#include "core/error.h"

namespace tandem {
namespace {

TensorMap two_by_three() {
  TensorMap map;
  map.add_float("a", {2, 3}, {0, 1, 2, 3, 4, 5});
  map.add_float("b", {1, 3}, {6, 7, 8});
  return map;
}

std::string message_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), Kind::kCorrupt);
    return e.what();
  }
  return "accepted";
}

TEST(Dialects, HaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (const Dialect& dialect : dialects()) {
    EXPECT_TRUE(names.insert(dialect.name).second) << dialect.name;
    EXPECT_NE(dialect.read, nullptr) << dialect.name;
    EXPECT_FALSE(dialect.description.empty()) << dialect.name;
  }
}

TEST(Dialects, RecogniseNothingInAnEmptyFolderOrNowhere) {
  EXPECT_EQ(dialect_of("tests/goldens"), nullptr);
  EXPECT_EQ(dialect_of("no/such/place"), nullptr);
}

TEST(TensorRenamer, RenamesTransposesJoinsAndCuts) {
  const TensorMap from = two_by_three();
  TensorRenamer renamer(from, "f");
  renamer.rename("a", "plain");
  renamer.transpose("a", "turned");
  renamer.join({"a", "b"}, "joined");
  renamer.slice("a", "cut", 1, 2);
  renamer.reshape("a", "flat", {6});
  renamer.put("made", {2}, {1, 2});
  const TensorMap to = renamer.take();
  EXPECT_EQ(to_float(to.at("plain")), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(to.at("plain").bytes.data(), from.at("a").bytes.data());  // no copy
  EXPECT_EQ(to_float(to.at("turned")), (std::vector<float>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(to.at("turned").shape, (std::vector<std::int64_t>{3, 2}));
  EXPECT_EQ(to_float(to.at("joined")), (std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(to.at("joined").shape, (std::vector<std::int64_t>{3, 3}));
  EXPECT_EQ(to_float(to.at("cut")), (std::vector<float>{3, 4, 5}));
  EXPECT_EQ(to.at("flat").shape, (std::vector<std::int64_t>{6}));
  EXPECT_EQ(to_float(to.at("made")), (std::vector<float>{1, 2}));
}

TEST(TensorRenamer, KeepsTheBytesAliveAfterItsSourceIsGone) {
  TensorMap to;
  {
    const TensorMap from = two_by_three();
    TensorRenamer renamer(from, "f");
    renamer.rename("a", "x");
    renamer.transpose("b", "y");
    to = renamer.take();
  }
  EXPECT_EQ(to_float(to.at("x")).at(5), 5);
  EXPECT_EQ(to_float(to.at("y")).at(2), 8);
}

TEST(TensorRenamer, NamesWhatIsMissingMisshapenOrUnknown) {
  const TensorMap from = two_by_three();
  TensorRenamer renamer(from, "file");
  EXPECT_EQ(message_of([&] { renamer.rename("c", "c"); }),
            "file: tensor \"c\" is missing. The file does not fit its configuration.");
  EXPECT_NE(message_of([&] { renamer.reshape("a", "a", {7}); }).find("Expected 7 values"),
            std::string::npos);
  EXPECT_NE(message_of([&] { renamer.slice("b", "b", 0, 2); }).find("has 1 rows"),
            std::string::npos);
  EXPECT_NE(message_of([&] { renamer.slice("b", "b", -1, 1); }).find("has 1 rows"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              TensorMap odd = two_by_three();
              odd.add_float("narrow", {1, 2}, {0, 0});
              TensorRenamer(odd, "file").join({"a", "narrow"}, "x");
            }).find("\"narrow\" is F32 [1,2]"),
            std::string::npos);
  TensorRenamer partial(from, "file");
  partial.rename("a", "a");
  EXPECT_NE(message_of([&] { partial.take(); }).find("\"b\" is not part of this model"),
            std::string::npos);
  TensorRenamer ignoring(from, "file");
  ignoring.rename("a", "a");
  ignoring.ignore("b");
  EXPECT_EQ(message_of([&] { ignoring.take(); }), "accepted");
}

}  // namespace
}  // namespace tandem
