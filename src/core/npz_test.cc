// Archives of numpy.savez (tools/goldens/npz_golden.py) and damage to them.
#include "core/npz.h"

#include <array>
#include <fstream>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/files.h"
#include "core/rng.h"

namespace tandem {
namespace {

std::string golden(const std::string& name) { return "tests/goldens/npz/" + name + ".npz"; }

std::string refusal(std::span<const std::byte> bytes) {
  try {
    parse_npz(bytes, "x.npz");
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

// The array of every golden archive: 0/8-1, 1/8-1, …
void expect_values(const TensorView& view) {
  EXPECT_EQ(view.shape, (std::vector<std::int64_t>{2, 3, 4}));
  const std::vector<float> values = to_float(view);
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(values[i], static_cast<float>(i) / 8 - 1) << i;
}

class Npz : public testing::TestWithParam<const char*> {};

TEST_P(Npz, ReadsEveryKindOfArray) {
  const TensorMap map = read_npz(golden(GetParam()));
  ASSERT_EQ(map.tensors.size(), 6U);
  expect_values(map.at("params/a/kernel"));
  expect_values(map.at("params/fortran"));
  expect_values(map.at("params/bf16"));
  EXPECT_EQ(map.at("params/bf16").dtype, DType::kBF16);
  EXPECT_EQ(map.at("params/a/bias").dtype, DType::kF16);
  EXPECT_EQ(to_float(map.at("params/a/bias")), (std::vector<float>{-1, -0.875F, -0.75F, -0.625F}));
  EXPECT_TRUE(map.at("params/t").shape.empty());
  EXPECT_EQ(to_float(map.at("params/t")), std::vector<float>{2.5F});
  EXPECT_EQ(to_float(map.at("step")), std::vector<float>{3});
}

INSTANTIATE_TEST_SUITE_P(Written, Npz, testing::Values("stored", "deflated", "streamed"),
                         [](const auto& info) { return std::string(info.param); });

TEST(NpzArchive, ReadsZip64Fields) { expect_values(read_npz(golden("zip64")).at("params/t")); }

TEST(NpzArchive, RefusesWhatHoldsMoreThanNumbers) {
  for (const char* name :
       {"refused_object", "refused_big_endian", "refused_method", "refused_entry"}) {
    try {
      read_npz(golden(name));
      ADD_FAILURE() << name;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), Kind::kUnsupported) << e.what();
    }
  }
}

TEST(NpzArchive, NoticesEveryChangedByteOfData) {
  std::vector<std::byte> bytes = read_file(golden("stored"));
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t at = text.find("\x93NUMPY") + 128;  // where the first array's data begins
  bytes[at] ^= std::byte{1};
  EXPECT_NE(refusal(bytes).find("checksum"), std::string::npos);
}

TEST(NpzArchive, RefusesEveryShorterFile) {
  const std::vector<std::byte> bytes = read_file(golden("deflated"));
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_NE(refusal(std::span(bytes).first(size)), "") << size;
}

TEST(NpzArchive, DoesNotBelieveASizeThatDeflateCannotReach) {
  std::vector<std::byte> bytes = read_file(golden("deflated"));
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t at = text.find("PK\x01\x02") + 24;  // the size in the first directory entry
  for (std::size_t i = 0; i < 3; ++i) bytes[at + i] = std::byte{0xFF};
  EXPECT_NE(refusal(bytes).find("cannot unpack"), std::string::npos) << refusal(bytes);
}

// Ten thousand damaged archives: none crashes, and what is still accepted has what it had.
TEST(NpzArchive, SurvivesTenThousandMutants) {
  int accepted = 0;
  Rng rng(5);
  const std::array<std::vector<std::byte>, 4> seeds = {
      read_file(golden("stored")), read_file(golden("deflated")), read_file(golden("streamed")),
      read_file(golden("zip64"))};
  for (int i = 0; i < 10'000; ++i) {
    std::vector<std::byte> bytes = seeds[rng.below(seeds.size())];
    for (std::uint64_t n = 1 + rng.below(3); n > 0; --n) {
      const std::size_t at = rng.below(bytes.size());
      switch (rng.below(4)) {
        case 0:
          bytes[at] = static_cast<std::byte>(rng.below(256));
          break;
        case 1:
          bytes[at] ^= static_cast<std::byte>(1U << rng.below(8));
          break;
        case 2:
          bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at));
          break;
        default:
          bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), std::byte{0xFF});
      }
    }
    if (!refusal(bytes).empty()) continue;
    ++accepted;
    for (const auto& [name, view] : parse_npz(bytes, "x.npz").tensors)
      EXPECT_EQ(view.bytes.size(),
                static_cast<std::size_t>(view.count()) * dtype_bytes(view.dtype));
  }
  EXPECT_GT(accepted, 0);  // times and attributes of entries mean nothing
  EXPECT_LT(accepted, 5'000);
}

}  // namespace
}  // namespace tandem
