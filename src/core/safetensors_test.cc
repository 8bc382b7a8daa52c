#include "core/safetensors.h"

#include <cstring>
#include <filesystem>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/error.h"
#include "core/files.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

std::vector<std::byte> file_of(std::string_view header, std::size_t data_bytes) {
  std::vector<std::byte> bytes(8 + header.size() + data_bytes);
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::byte>(header.size() >> (8 * i));
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  return bytes;
}

std::string outcome(std::string_view header, std::size_t data_bytes) {
  const auto bytes = file_of(header, data_bytes);
  try {
    parse_safetensors(bytes, "m");
  } catch (const Error& e) {
    return e.what();
  }
  return "accepted";
}

TEST(SafeTensors, AcceptsWhatTheFormatAllows) {
  EXPECT_EQ(outcome("{}", 0), "accepted");
  EXPECT_EQ(outcome("{}   ", 0), "accepted");
  EXPECT_EQ(outcome(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8), "accepted");
  EXPECT_EQ(
      outcome(
          R"({"b":{"dtype":"I8","shape":[],"data_offsets":[4,5]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
          5),
      "accepted");
  EXPECT_EQ(
      outcome(
          R"({"z":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
          1),
      "accepted");
  EXPECT_EQ(outcome(R"({"__metadata__":{"format":"pt"}})", 0), "accepted");
}

TEST(SafeTensors, RefusesEachBrokenRuleAndNamesIt) {
  const auto refused = [](std::string_view header, std::size_t data, std::string_view why) {
    const std::string got = outcome(header, data);
    EXPECT_NE(got.find(why), std::string::npos) << header << " gave: " << got;
  };
  refused(" {}", 0, "does not start with '{'");
  refused("[]", 0, "does not start with '{'");
  refused("{}x", 0, "extra data");
  refused("{}", 1, "trailing bytes");
  refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7, "cut short");
  refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 9, "trailing bytes");
  refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}})", 9, "hole");
  refused(
      R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
      3, "overlap");
  refused(
      R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}})",
      5, "hole");
  refused(
      R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
      4, "appears twice");
  refused(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8, "need 12 bytes");
  refused(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8, "shape is not a list");
  refused(R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", 8, "shape is not a list");
  refused(R"({"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}})", 8, "shape is not a list");
  refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8, "not [begin, end]");
  refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}})", 8, "not [begin, end]");
  refused(R"({"a":{"dtype":"F32","shape":[2]}})", 8, "data_offsets");
  refused(R"({"a":{"shape":[2],"data_offsets":[0,8]}})", 8, "dtype is missing");
  refused(R"({"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}})", 8, "unknown dtype");
  refused(R"({"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}})", 8, "not supported");
  refused(R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", 1,
          "at most 8");
  refused(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4,1],"data_offsets":[0,0]}})", 0,
          "overflows");
  refused(R"({"a":{"dtype":"F32","shape":[0,18446744073709551615],"data_offsets":[0,0]}})", 0,
          "too large");
  refused(R"({"a":3})", 0, "expected an object");
  refused(R"({"__metadata__":{"a":1}})", 0, "expected an object of texts");
}

TEST(SafeTensors, RefusesHeaderSizesThatCannotBe) {
  std::vector<std::byte> bytes = file_of("{}", 0);
  EXPECT_THROW(parse_safetensors(std::span(bytes).first(7), "m"), Error);
  EXPECT_THROW(parse_safetensors(std::span(bytes).first(9), "m"), Error);
  bytes[7] = std::byte{0xFF};
  EXPECT_THROW(parse_safetensors(bytes, "m"), Error);
}

class SafeTensorsFile : public ::testing::Test {
 protected:
  SafeTensorsFile() {
    std::string pattern = (fs::temp_directory_path() / "tandem_safetensors_XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
  }
  ~SafeTensorsFile() override { fs::remove_all(dir_); }
  fs::path dir_;
};

TEST_F(SafeTensorsFile, ReadsBackWhatItWroteWithAlignedData) {
  TensorMap map;
  map.add_float("w", {2, 3}, {1, 2, 3, 4, 5, 6});
  map.add_float("empty", {0}, {});
  const auto halves =
      std::make_shared<std::vector<std::uint16_t>>(std::vector<std::uint16_t>{0x3C00, 0xC000});
  map.tensors["h"] = {DType::kF16, {2}, std::as_bytes(std::span(*halves))};
  map.tensors["byte"] = {DType::kI8, {}, std::as_bytes(std::span(*halves)).first(1)};
  map.owners.push_back(halves);
  write_safetensors(dir_ / "m.safetensors", map,
                    {{"format", "pt"}, {"odd \"key\"", "line\nbreak"}});

  const SafeTensors got = read_safetensors(dir_ / "m.safetensors");
  EXPECT_EQ(got.metadata,
            (std::map<std::string, std::string>{{"format", "pt"}, {"odd \"key\"", "line\nbreak"}}));
  EXPECT_EQ(got.map.tensors.size(), 4U);
  EXPECT_EQ(to_float(got.map.at("w")), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(got.map.at("w").shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(to_float(got.map.at("h")), (std::vector<float>{1, -2}));
  EXPECT_EQ(got.map.at("byte").dtype, DType::kI8);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(got.map.at("w").bytes.data()) % 64, 0U);
  EXPECT_LT(got.map.at("w").bytes.data(), got.map.at("h").bytes.data())
      << "wide dtypes first: all stay aligned";
}

TEST_F(SafeTensorsFile, SaysWhichFileIsMissingOrTooShort) {
  EXPECT_THROW(read_safetensors(dir_ / "none"), Error);
  write_file_atomically(dir_ / "short", "1234567");
  try {
    read_safetensors(dir_ / "short");
    FAIL() << "should have thrown";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), Kind::kCorrupt);
    EXPECT_NE(std::string(e.what()).find("short: too short"), std::string::npos);
  }
}

}  // namespace
}  // namespace tandem
