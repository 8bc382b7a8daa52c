#include "data/npy.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/error.h"
#include "core/rng.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

class Npy : public ::testing::Test {
 protected:
  Npy() {
    std::string pattern = (fs::temp_directory_path() / "tandem_npy_XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
  }
  ~Npy() override { fs::remove_all(dir_); }
  fs::path dir_;
};

// tests/goldens/npy/*.npy: numpy.save of [[0, 1, -2.5], [65504, 6e-8, inf]]
// (tools/goldens/npy_golden.py).
const std::vector<float> kGolden32 = {0.0F, 1.0F, -2.5F, 65504.0F, 6e-8F, INFINITY};

TEST_F(Npy, ReadsWhatNumpyWrites) {
  const Matrix f4 = read_npy("tests/goldens/npy/f4.npy");
  EXPECT_EQ(f4.rows, 2U);
  EXPECT_EQ(f4.cols, 3U);
  EXPECT_EQ(f4.values, kGolden32);
  const Matrix f2 = read_npy("tests/goldens/npy/f2.npy");
  EXPECT_EQ(f2.values[2], -2.5F);
  EXPECT_EQ(f2.values[4], 0x1p-24F);
  EXPECT_EQ(read_npy("tests/goldens/npy/version2.npy").values, kGolden32);
  EXPECT_EQ(read_npy("tests/goldens/npy/empty.npy").rows, 0U);
}

TEST_F(Npy, TheReaderGivesAnyRows) {
  const NpyReader reader("tests/goldens/npy/f2.npy");
  ASSERT_EQ(reader.rows(), 2U);
  EXPECT_EQ(reader.cols(), 3U);
  const Matrix all = read_npy("tests/goldens/npy/f2.npy");
  EXPECT_EQ(reader.read(1, 1).values, std::vector<float>(all.values.begin() + 3, all.values.end()));
  EXPECT_EQ(reader.read(0, 2).values, all.values);
  EXPECT_EQ(reader.read(2, 0).rows, 0U);
}

TEST_F(Npy, WritesTheBytesThatNumpyWritesButForPadding) {
  for (const bool half : {false, true}) {
    NpyWriter writer(dir_ / "a.npy", 3, half ? NpyDType::kF16 : NpyDType::kF32);
    writer.add(std::span(kGolden32).first(3));
    writer.add(std::span(kGolden32).last(3));
    EXPECT_EQ(writer.rows(), 2U);
    writer.finish();
    const std::string ours = read_text_file(dir_ / "a.npy");
    const std::string golden =
        read_text_file(half ? "tests/goldens/npy/f2.npy" : "tests/goldens/npy/f4.npy");
    EXPECT_EQ(ours, golden);
  }
}

TEST_F(Npy, TheFileAppearsOnlyWhenFinished) {
  {
    NpyWriter writer(dir_ / "a.npy", 1, NpyDType::kF32);
    writer.add(std::span(kGolden32).first(1));
  }
  EXPECT_FALSE(fs::exists(dir_ / "a.npy"));
}

TEST_F(Npy, RefusesOtherDtypesOrdersAndRanksAsUnsupported) {
  for (const char* name : {"f8", "big_endian", "fortran", "rank1", "rank3", "object"}) {
    try {
      read_npy(std::string("tests/goldens/npy/") + name + ".npy");
      ADD_FAILURE() << name << " was accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), Kind::kUnsupported) << name << ": " << e.what();
    }
  }
}

TEST_F(Npy, RefusesEveryTruncationAndTrailingBytes) {
  auto bytes = read_file("tests/goldens/npy/f4.npy");
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_THROW(parse_npy(std::span(bytes).first(n), "x"), Error) << n;
  }
  bytes.push_back(std::byte{0});
  EXPECT_THROW(parse_npy(bytes, "x"), Error);
}

TEST_F(Npy, RefusesAShapeWhoseSizeWraps) {
  auto bytes = read_file("tests/goldens/npy/f4.npy");
  std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t shape = text.find("(2, 3), }");
  ASSERT_NE(shape, std::string::npos);
  for (const char* hostile : {"(4611686018427387904, 4)", "(4611686018427387904, 0)",
                              "(9223372036854775808, 2)", "(6, -1)", "(1e3, 2)", "(2 3)"}) {
    std::string changed = text;
    changed.replace(shape, std::strlen(hostile) + 3, std::string(hostile) + ", }");
    EXPECT_THROW(parse_npy(std::as_bytes(std::span(changed)), "x"), Error) << hostile;
  }
}

TEST_F(Npy, AnyChangedHeaderByteIsReadOrRefused) {
  const auto bytes = read_file("tests/goldens/npy/f4.npy");
  Rng rng(1);
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto changed = bytes;
    for (std::uint64_t n = 1 + rng.below(3); n > 0; --n)
      changed[rng.below(128)] = static_cast<std::byte>(rng.next());
    try {
      EXPECT_EQ(parse_npy(changed, "x").values.size(), 6U);
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 10'000);
}

}  // namespace
}  // namespace tandem
