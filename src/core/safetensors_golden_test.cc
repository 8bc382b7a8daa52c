// Against PyPI's safetensors: its files read as it meant them, and damaged ones never crash or
// escape their bytes.
#include <cstring>
#include <filesystem>
#include <gtest/gtest.h>
#include <thread>
#include <unistd.h>

#include "core/error.h"
#include "core/files.h"
#include "core/rng.h"
#include "core/safetensors.h"
#include "core/sha256.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

const std::vector<float> kValues = {0, 1, -2.5, 65504, 0.125, -0.0};

TEST(SafeTensorsGolden, ReadsEveryDtypeThatTheReferenceWrote) {
  const SafeTensors file = read_safetensors("tests/goldens/safetensors/all.safetensors");
  EXPECT_EQ(file.map.tensors.size(), 13U);
  for (const char* name : {"f64", "f32", "f16"}) {
    EXPECT_EQ(to_float(file.map.at(name)), kValues) << name;
    EXPECT_EQ(file.map.at(name).shape, (std::vector<std::int64_t>{2, 3}));
  }
  EXPECT_EQ(to_float(file.map.at("bf16")), (std::vector<float>{0, 1, -2.5, 65536, 0.125, -0.0}));
  EXPECT_EQ(to_float(file.map.at("i64")), (std::vector<float>{0x1p40F, -1}));
  EXPECT_EQ(to_float(file.map.at("i32")), (std::vector<float>{7, -7}));
  EXPECT_EQ(file.map.at("i32").shape, (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(to_float(file.map.at("i16")), (std::vector<float>{-300}));
  EXPECT_EQ(to_float(file.map.at("i8")), (std::vector<float>{-128, 127}));
  EXPECT_EQ(to_float(file.map.at("u8")), (std::vector<float>{0, 255}));
  EXPECT_EQ(to_float(file.map.at("bool")), (std::vector<float>{1, 0, 1}));
  EXPECT_EQ(to_float(file.map.at("scalar")), (std::vector<float>{3.5}));
  EXPECT_TRUE(file.map.at("scalar").shape.empty());
  EXPECT_EQ(file.map.at("empty").shape, (std::vector<std::int64_t>{0, 4}));
  EXPECT_EQ(to_float(file.map.at("näme \"quoted\"")), (std::vector<float>{1}));
  EXPECT_EQ(file.metadata,
            (std::map<std::string, std::string>{{"format", "pt"}, {"note", "ünï\n\"code\""}}));
}

TEST(SafeTensorsGolden, LaysDataOutAsTheReferenceDoes) {
  const auto golden = read_file("tests/goldens/safetensors/small.safetensors");
  const SafeTensors small = parse_safetensors(golden, "small");
  const fs::path path = fs::temp_directory_path() / ("tandem_small_" + std::to_string(::getpid()));
  write_safetensors(path, small.map, small.metadata);
  const auto ours = read_file(path);
  fs::remove(path);
  // Only the header's padding may differ: the reference aligns data to 8 bytes, Tandem to 64.
  const auto header = [](const std::vector<std::byte>& file) {
    std::string text(reinterpret_cast<const char*>(file.data()) + 8, file.size() - 8 - 24);
    return text.substr(0, text.find_last_not_of(' ') + 1);
  };
  EXPECT_EQ(header(ours), header(golden));
  EXPECT_EQ(std::memcmp(ours.data() + ours.size() - 24, golden.data() + golden.size() - 24, 24), 0);
}

// The digest comes from NumPy (README beside the golden files).
TEST(SafeTensorsGolden, FloatsBecomeTheHalvesThatNumpyMakes) {
  std::vector<std::uint16_t> halves;
  for (std::uint64_t i = 0; i < (1U << 20); ++i) {
    const auto bits = static_cast<std::uint32_t>(i * 2654435761U);
    if ((bits & 0x7FFFFFFFU) <= 0x7F800000U)
      halves.push_back(float_to_half(__builtin_bit_cast(float, bits)));
  }
  const std::string digest = hex(sha256(std::as_bytes(std::span(halves))));
  EXPECT_NE(read_text_file("tests/goldens/safetensors/README").find(digest), std::string::npos)
      << digest;
}

// One of the ways that files go bad, in the header for the most part.
void mutate(std::vector<std::byte>& bytes, Rng& rng) {
  const std::string_view kPieces[] = {
      "\"",         "{",   "}",  "[",        "]",    ",",       ":",
      "0",          "-",   "9",  "1e3",      "null", "\\u0000", "18446744073709551615",
      "4294967296", "F64", "I8", "\"a\":1,", " ",    "\xff"};
  for (std::uint64_t n = 1 + rng.below(3); n > 0; --n) {
    const std::uint64_t header_bytes =
        std::to_integer<std::uint64_t>(bytes[0]) + std::to_integer<std::uint64_t>(bytes[1]) * 256;
    const std::uint64_t end =
        std::min<std::uint64_t>(bytes.size(), 8 + std::max<std::uint64_t>(1, header_bytes));
    const auto at = static_cast<std::ptrdiff_t>(8 + rng.below(end - 8));
    const std::string_view piece = kPieces[rng.below(std::size(kPieces))];
    const auto* first = reinterpret_cast<const std::byte*>(piece.data());
    switch (rng.below(6)) {
      case 0:
        bytes[static_cast<std::size_t>(at)] = static_cast<std::byte>(rng.next());
        break;
      case 1:
        bytes[rng.below(8)] ^= static_cast<std::byte>(1U << rng.below(8));
        break;
      case 2:
        bytes.insert(bytes.begin() + at, first, first + piece.size());
        if (rng.below(2) == 0) bytes[0] ^= static_cast<std::byte>(piece.size());
        break;
      case 3:
        std::memcpy(
            bytes.data() + at, first,
            std::min<std::size_t>(piece.size(), bytes.size() - static_cast<std::size_t>(at)));
        break;
      case 4:
        bytes.erase(bytes.begin() + at);
        break;
      default:
        bytes.resize(std::max<std::size_t>(16, rng.below(bytes.size() + 20)));
        break;
    }
    if (bytes.size() < 16) bytes.resize(16);
  }
}

TEST(SafeTensorsGolden, MutantsAreRefusedOrReadWithinTheirBytes) {
  const auto golden = read_file("tests/goldens/safetensors/all.safetensors");
  Rng rng(1);
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto bytes = golden;
    mutate(bytes, rng);
    const auto* begin = bytes.data();
    try {
      const SafeTensors file = parse_safetensors(bytes, "mutant");
      std::size_t covered = 0;
      for (const auto& [name, view] : file.map.tensors) {
        covered += view.bytes.size();
        ASSERT_EQ(static_cast<std::size_t>(view.count()) * dtype_bytes(view.dtype),
                  view.bytes.size());
        if (view.bytes.empty()) continue;
        ASSERT_GE(view.bytes.data(), begin + 8);
        ASSERT_LE(view.bytes.data() + view.bytes.size(), begin + bytes.size());
      }
      ASSERT_LT(covered, bytes.size());
    } catch (const Error& e) {
      ASSERT_TRUE(e.kind() == Kind::kCorrupt || e.kind() == Kind::kUnsupported) << e.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, 15'000);
  EXPECT_LT(refused, 20'000) << "some changes (data bytes, names) are harmless";
}

// A file that another process cuts short in place, while it is being loaded: an error or a whole
// file, no SIGBUS.
TEST(SafeTensorsGolden, AFileCutShortWhileItIsLoadedIsAnError) {
  const auto golden = read_file("tests/goldens/safetensors/all.safetensors");
  const std::string_view text(reinterpret_cast<const char*>(golden.data()), golden.size());
  const fs::path path = fs::temp_directory_path() / ("tandem_cut_" + std::to_string(::getpid()));
  Rng rng(2);
  for (int round = 0; round < 200; ++round) {
    write_file_atomically(path, text);
    std::jthread cutter([&, size = rng.below(golden.size()), pause = rng.below(40)] {
      for (std::uint64_t i = 0; i < pause; ++i) std::this_thread::yield();
      fs::resize_file(path, size);
    });
    try {
      read_safetensors(path);
    } catch (const Error& e) {
      EXPECT_TRUE(e.kind() == Kind::kCorrupt || e.kind() == Kind::kIo) << e.what();
    }
  }
  fs::remove(path);
}

}  // namespace
}  // namespace tandem
