#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "core/error.h"
#include "preprocess/image.h"
#include "preprocess/test_picture.h"

namespace tandem {
namespace {

using testing::HasSubstr;

const std::string kFolder = "tests/goldens/images/";

std::vector<std::byte> bytes_of(const std::string& name) {
  std::ifstream file(kFolder + "files/" + name, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return {data, data + text.size()};
}

std::vector<std::byte> bytes(std::string_view text) {
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return {data, data + text.size()};
}

struct Expected {
  int width, height;
  std::uint32_t crc;
};

struct Golden {
  std::string name;
  Expected reference, shown, kept;
};

std::vector<Golden> goldens() {
  std::ifstream file(kFolder + "decode.txt");
  std::vector<Golden> list;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream in(line);
    Golden golden;
    in >> golden.name;
    for (Expected* e : {&golden.reference, &golden.shown, &golden.kept}) {
      in >> e->width >> e->height >> e->crc;
    }
    if (in) list.push_back(golden);
  }
  return list;
}

void expect_equal(const Image& got, const Expected& want, const std::string& what) {
  EXPECT_EQ(got.width, want.width) << what;
  EXPECT_EQ(got.height, want.height) << what;
  EXPECT_EQ(crc32(got.pixels), want.crc) << what;
}

// The error that decoding must throw.
Error failure(std::span<const std::byte> data, const DecodeOptions& options = {}) {
  try {
    decode_image(data, "x.pic", options);
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "decoded, but an error was expected";
  return {Kind::kInternal, ""};
}

TEST(Decode, EqualsPillowForEveryKindOfFile) {
  const auto list = goldens();
  ASSERT_GE(list.size(), 90U);
  for (const Golden& golden : list) {
    const auto data = bytes_of(golden.name);
    ASSERT_FALSE(data.empty()) << golden.name;
    try {
      const DecodeOptions reference{.alpha = Alpha::kDrop, .exif_orientation = false};
      expect_equal(decode_image(data, golden.name, reference), golden.reference,
                   golden.name + " as reference");
      expect_equal(decode_image(data, golden.name), golden.shown, golden.name + " as shown");
      const Image kept = decode_image(data, golden.name, {.alpha = Alpha::kKeep});
      EXPECT_EQ(kept.channels, 4);
      expect_equal(kept, golden.kept, golden.name + " with alpha");
    } catch (const Error& e) {
      ADD_FAILURE() << e.what();
    }
  }
}

// Image.draft() of Pillow 13.0.0, then exif_transpose and convert("RGB").
TEST(Decode, ShrinksAJpegInTheDctAsPillowsDraftDoes) {
  struct Case {
    const char* name;
    int short_side_px;
    Expected want;
  };
  const Case cases[] = {
      {"jpeg-420.jpg", 17, {23, 18, 0x66CC63DC}}, {"jpeg-420.jpg", 8, {12, 9, 0xB616FED6}},
      {"jpeg-444.jpg", 17, {23, 18, 0x158F05F3}}, {"jpeg-444.jpg", 8, {12, 9, 0x746E6B11}},
      {"jpeg-exif6.jpg", 6, {6, 10, 0x3DDCAB72}}, {"jpeg-exif6.jpg", 3, {3, 5, 0x3C94C320}},
      {"jpeg-cmyk.jpg", 17, {23, 18, 0x10D76EAA}}};
  for (const Case& c : cases) {
    const Image whole = decode_image(bytes_of(c.name), c.name);
    const Image small = decode_image(bytes_of(c.name), c.name, {.short_side_px = c.short_side_px});
    expect_equal(small, c.want, c.name);
    EXPECT_EQ(small.full_width, whole.width);
    EXPECT_EQ(small.full_height, whole.height);
  }
  EXPECT_EQ(decode_image(bytes_of("jpeg-420.jpg"), "x", {.short_side_px = 18}).width, 45);
}

TEST(Decode, GivesAnErrorOrTheRightPictureWhenCutAnywhere) {
  for (const Golden& golden : goldens()) {
    const auto data = bytes_of(golden.name);
    for (std::size_t size = 0; size < data.size(); ++size) {
      // Its own allocation, so that a sanitizer sees a read past the end.
      const std::vector<std::byte> cut(data.begin(), data.begin() + size);
      try {
        const Image image = decode_image(cut, golden.name, {.exif_orientation = false});
        const Image whole = decode_image(data, golden.name, {.exif_orientation = false});
        ASSERT_EQ(image.pixels, whole.pixels) << golden.name << " cut at " << size;
      } catch (const Error& e) {
        ASSERT_TRUE(e.kind() == Kind::kCorrupt || (e.kind() == Kind::kUnsupported && size < 16))
            << e.what() << " cut at " << size;
      }
    }
  }
}

TEST(Decode, SurvivesEveryFlippedByte) {
  const DecodeOptions options{.max_pixels = 1 << 16};
  int decoded = 0, refused = 0;
  for (const Golden& golden : goldens()) {
    auto data = bytes_of(golden.name);
    for (std::byte& byte : data) {
      const std::byte was = byte;
      byte ^= std::byte{0x55};
      try {
        const Image image = decode_image(data, golden.name, options);
        ASSERT_EQ(image.pixels.size(), static_cast<std::size_t>(image.width) * image.height * 3);
        ++decoded;
      } catch (const Error&) {
        ++refused;
      }
      byte = was;
    }
  }
  EXPECT_GT(decoded, 0);
  EXPECT_GT(refused, 0);
}

std::string big_endian(std::uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  return out;
}

std::string png_chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const auto* start = reinterpret_cast<const std::uint8_t*>(body.data());
  return big_endian(static_cast<std::uint32_t>(data.size())) + body +
         big_endian(crc32({start, body.size()}));
}

std::vector<std::byte> huge_png() {
  const std::string header =
      big_endian(60'000) + big_endian(60'000) + std::string("\x08\x06\0\0\0", 5);
  return bytes("\x89PNG\r\n\x1A\n" + png_chunk("IHDR", header) + png_chunk("IDAT", "") +
               png_chunk("IEND", ""));
}

TEST(Decode, RefusesHugePicturesFromTheirHeader) {
  auto jpeg = bytes_of("jpeg-444.jpg");
  const auto frame = bytes("\xFF\xC0");
  const auto sof = std::search(jpeg.begin(), jpeg.end(), frame.begin(), frame.end());
  for (int i = 5; i < 9; ++i) sof[i] = std::byte{0xEA};  // height, width
  auto gif = bytes_of("gif-plain.gif");
  for (int i = 6; i < 10; ++i) gif[i] = std::byte{0xEA};
  auto webp = bytes_of("webp-lossless.webp");
  for (int i = 21; i < 24; ++i) webp[i] = std::byte{0xFF};  // 14 + 14 bits of size, alpha, version
  webp[24] = std::byte{0x0F};
  for (const auto& data : {huge_png(), jpeg, gif, webp}) {
    const Error e = failure(data);
    EXPECT_EQ(e.kind(), Kind::kInput) << e.what();
    EXPECT_THAT(e.what(), HasSubstr("Expected at most 89478485 pixels"));
  }
}

TEST(Decode, RefusesPngChunksThatClaimMoreThanTheFileHolds) {
  auto data = bytes_of("png-exif2.png");
  const auto type = bytes("eXIf");
  const auto exif = std::search(data.begin(), data.end(), type.begin(), type.end());
  exif[-4] = std::byte{0x55};  // 1.4 GB, which libpng would allocate
  EXPECT_THAT(failure(data).what(), HasSubstr("a chunk ends past the file"));
}

TEST(Decode, SpendsNoMemoryOnPicturesThatCannotHoldTheirPixels) {
  const std::string side = big_endian(9'000);
  const auto png = bytes("\x89PNG\r\n\x1A\n" +
                         png_chunk("IHDR", side + side + std::string("\x08\x02\0\0\0", 5)) +
                         png_chunk("IDAT", std::string(1'000, '\0')) + png_chunk("IEND", ""));
  auto jpeg = bytes_of("jpeg-444.jpg");
  const auto frame = bytes("\xFF\xC0");
  const auto sof = std::search(jpeg.begin(), jpeg.end(), frame.begin(), frame.end());
  for (int i = 5; i < 9; ++i) sof[i] = std::byte{0x23};  // 8995 x 8995
  for (const auto& data : {png, jpeg}) {
    const Error e = failure(data);
    EXPECT_EQ(e.kind(), Kind::kCorrupt);
    EXPECT_THAT(e.what(), HasSubstr("too few pixels"));
  }
}

TEST(Decode, KeepsToThePixelLimitExactly) {
  const auto data = bytes_of("png-filters.png");  // 40x30
  EXPECT_EQ(decode_image(data, "x", {.max_pixels = 1200}).width, 40);
  EXPECT_EQ(failure(data, {.max_pixels = 1199}).kind(), Kind::kInput);
}

// A progressive grey JPEG of 8x8 pixels in which every scan refines one coefficient by one bit of
// zero.
std::vector<std::byte> jpeg_of_scans(int scans) {
  using namespace std::string_literals;
  std::string out = "\xFF\xD8\xFF\xDB\0\x43\0"s + std::string(64, '\1');
  out += "\xFF\xC2\0\x0B\x08\0\x08\0\x08\1\1\x11\0"s;
  // One Huffman code of one bit for the symbol 0, as DC and as AC table.
  for (const char table : {'\0', '\x10'}) {
    out += "\xFF\xC4\0\x14"s + table + "\1"s + std::string(15, '\0') + "\0"s;
  }
  const auto scan = [&](int coefficient, int high, int low) {
    out += "\xFF\xDA\0\x08\1\1\0"s;
    out += static_cast<char>(coefficient);
    out += static_cast<char>(coefficient);
    out += static_cast<char>(high << 4 | low);
    out += '\x7F';  // the code, then padding
  };
  scan(0, 0, 0);
  for (int i = 0; i < scans - 1; ++i) {
    const int bit = 13 - i % 14;
    scan(1 + i / 14, bit == 13 ? 0 : bit + 1, bit);
  }
  return bytes(out + "\xFF\xD9"s);
}

TEST(Decode, RefusesProgressiveJpegsWithTooManyScans) {
  EXPECT_EQ(decode_image(jpeg_of_scans(500), "x").pixels[0], 128);
  const Error e = failure(jpeg_of_scans(501));
  EXPECT_EQ(e.kind(), Kind::kInput);
  EXPECT_THAT(e.what(), HasSubstr("more than 500 scans"));
}

TEST(Decode, NamesTheFormatsThatItDoesNotRead) {
  const std::pair<std::string_view, const char*> cases[] = {
      {{"\0\0\0\x18"
        "ftypheic....",
        16},
       "HEIC"},
      {{"\0\0\0\x18"
        "ftypavif....",
        16},
       "AVIF"},
      {{"II*\0....", 8}, "TIFF"},
      {"BM......", "BMP"},
      {"<?xml version=\"1.0\"?><svg xmlns=\"x\">", "SVG"},
      {"\xFF\x0A......", "JPEG XL"},
      {"%PDF-1.7", "PDF"},
      {"<!DOCTYPE html><p>404", "HTML"},
  };
  for (const auto& [text, format] : cases) {
    const Error e = failure(bytes(text));
    EXPECT_EQ(e.kind(), Kind::kUnsupported);
    EXPECT_THAT(e.what(), HasSubstr(format));
    EXPECT_THAT(e.what(), HasSubstr("Expected"));
  }
  EXPECT_EQ(failure({}).kind(), Kind::kCorrupt);
  EXPECT_THAT(failure(bytes("hello")).what(), HasSubstr("not a picture"));
}

TEST(Decode, KeepsControlCharactersOutOfMessages) {
  // libpng quotes a bad chunk name.
  auto data = bytes_of("png-c2-d8.png");
  data[37] = std::byte{0x1B};
  data[38] = std::byte{0x07};
  const Error e = failure(data);
  EXPECT_EQ(e.kind(), Kind::kCorrupt);
  for (const char c : std::string(e.what())) EXPECT_TRUE(c >= ' ' && c <= '~');
}

}  // namespace
}  // namespace tandem
