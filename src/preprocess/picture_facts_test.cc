#include "preprocess/picture_facts.h"

#include <gtest/gtest.h>
#include <vector>

#include "core/utf8.h"

namespace tandem {
namespace {

// One EXIF block, put together as a camera would.
class Block {
 public:
  explicit Block(bool little = true) : little_(little) {}

  struct Value {
    std::uint16_t tag;
    std::uint16_t type;
    std::uint32_t count;
    std::string bytes;
  };
  Value text(std::uint16_t tag, const std::string& words) const {
    return {tag, 2, static_cast<std::uint32_t>(words.size() + 1), words + '\0'};
  }
  Value bytes(std::uint16_t tag, const std::string& some) const {
    return {tag, 7, static_cast<std::uint32_t>(some.size()), some};
  }
  Value degrees(std::uint16_t tag, std::uint32_t d, std::uint32_t m,
                std::uint32_t hundredths) const {
    return {tag, 5, 3,
            number(d, 4) + number(1, 4) + number(m, 4) + number(1, 4) + number(hundredths, 4) +
                number(100, 4)};
  }
  std::string number(std::uint32_t value, int size) const {
    std::string out;
    for (int i = 0; i < size; ++i)
      out += static_cast<char>(value >> (8 * (little_ ? i : size - 1 - i)));
    return out;
  }

  // tiff with three directories, one after the other.
  std::string tiff(std::vector<Value> first, const std::vector<Value>& camera,
                   const std::vector<Value>& place) const {
    const auto size_of = [](const std::vector<Value>& values) {
      std::size_t size = 6 + 12 * values.size();
      for (const auto& value : values) size += value.bytes.size() > 4 ? value.bytes.size() : 0;
      return size;
    };
    const std::size_t first_at = 8;
    first.push_back({0x8769, 4, 1, ""});
    first.push_back({0x8825, 4, 1, ""});
    const std::size_t camera_at = first_at + size_of(first);
    const std::size_t place_at = camera_at + size_of(camera);
    first[first.size() - 2].bytes = number(static_cast<std::uint32_t>(camera_at), 4);
    first[first.size() - 1].bytes = number(static_cast<std::uint32_t>(place_at), 4);
    std::string out = little_ ? std::string("II*\0", 4) : std::string("MM\0*", 4);
    out += number(first_at, 4);
    for (const auto& values : {first, camera, place}) append(out, values);
    return out;
  }

 private:
  void append(std::string& out, const std::vector<Value>& values) const {
    std::string behind;
    std::size_t at = out.size() + 6 + 12 * values.size();
    out += number(static_cast<std::uint32_t>(values.size()), 2);
    for (const auto& value : values) {
      out += number(value.tag, 2) + number(value.type, 2) + number(value.count, 4);
      if (value.bytes.size() > 4) {
        out += number(static_cast<std::uint32_t>(at + behind.size()), 4);
        behind += value.bytes;
      } else {
        out += value.bytes + std::string(4 - value.bytes.size(), '\0');
      }
    }
    out += number(0, 4) + behind;
  }
  bool little_;
};

std::string jpeg_with(const std::string& tiff) {
  const std::size_t size = tiff.size() + 8;
  std::string out("\xFF\xD8\xFF\xE0\0\4ab\xFF\xE1", 10);
  out += static_cast<char>(size >> 8);
  out += static_cast<char>(size);
  out.append("Exif\0\0", 6);
  return out + tiff + "\xFF\xDA";
}

PictureFacts facts_of(const std::string& file) {
  return picture_facts(std::as_bytes(std::span(file)));
}

std::string full_block(bool little) {
  const Block b(little);
  return b.tiff(
      {b.text(0x010E, "Two dogs on a beach "), b.text(0x010F, "NIKON"), b.text(0x0110, "NIKON D90"),
       b.text(0x0132, "2025:01:01 00:00:00")},
      {b.text(0x9003, "2024:05:01 12:30:07"), b.text(0x9011, "+02:00"), b.text(0xA434, "18-105mm")},
      {b.text(1, "S"), b.degrees(2, 33, 51, 3000), b.text(3, "E"), b.degrees(4, 151, 12, 0)});
}

TEST(PictureFacts, ReadsWhatACameraWrites) {
  for (const bool little : {true, false}) {
    const auto facts = facts_of(jpeg_with(full_block(little)));
    EXPECT_EQ(facts.description, "Two dogs on a beach");
    EXPECT_EQ(facts.camera, "NIKON D90");
    EXPECT_EQ(facts.lens, "18-105mm");
    EXPECT_EQ(facts.taken, "2024-05-01T12:30:07+02:00");
    ASSERT_TRUE(facts.latitude && facts.longitude);
    EXPECT_DOUBLE_EQ(*facts.latitude, -33.8583333);
    EXPECT_DOUBLE_EQ(*facts.longitude, 151.2);
  }
}

TEST(PictureFacts, FindsTheBlockInPngAndWebp) {
  const Block big(false);
  const auto tiff = full_block(true);
  const auto size = static_cast<std::uint32_t>(tiff.size());
  const std::string png = std::string("\x89PNG\r\n\x1A\n", 8) + big.number(0, 4) + "tEXt" + "crc." +
                          big.number(size, 4) + "eXIf" + tiff + "crc.";
  EXPECT_EQ(facts_of(png).camera, "NIKON D90");
  const Block little(true);
  const std::string webp = "RIFF" + little.number(0, 4) + "WEBP" + "VP8X" + little.number(3, 4) +
                           "abc" + std::string(1, '\0') + "EXIF" + little.number(size, 4) + tiff;
  EXPECT_EQ(facts_of(webp).camera, "NIKON D90");
}

TEST(PictureFacts, CommentsInEveryEncoding) {
  const Block b(true);
  const auto described = [&](const std::string& comment) {
    return facts_of(jpeg_with(b.tiff({b.text(0x010E, "OLYMPUS DIGITAL CAMERA")},
                                     {b.bytes(0x9286, comment)}, {})))
        .description;
  };
  EXPECT_EQ(described(std::string("ASCII\0\0\0a cat  ", 15)), "a cat");
  EXPECT_EQ(described(std::string("UNICODE\0\xE9\0\x3D\xD8\x00\xDE\0\0", 16)), "é😀");
  EXPECT_EQ(described(std::string("UNICODE\0\x3D\xD8", 10)), "\uFFFD");      // half a pair
  EXPECT_EQ(described(std::string("\0\0\0\0\0\0\0\0caf\xE9", 12)), "café");  // Latin-1
  EXPECT_EQ(described("short"), "");
}

TEST(PictureFacts, LeavesOutWhatIsNoDateAndNoPlace) {
  const Block b(true);
  for (const char* date :
       {"0000:00:00 00:00:00", "2024:13:01 00:00:00", "2024-05-01 12:30:07", "yesterday", ""}) {
    EXPECT_EQ(facts_of(jpeg_with(b.tiff({b.text(0x0132, date)}, {}, {}))).taken, "") << date;
  }
  const auto far = b.tiff({}, {}, {b.degrees(2, 91, 0, 0), b.degrees(4, 10, 0, 0)});
  EXPECT_FALSE(facts_of(jpeg_with(far)).latitude);
  const auto nowhere = b.tiff({}, {}, {b.degrees(2, 0, 0, 0), b.degrees(4, 0, 0, 0)});
  EXPECT_FALSE(facts_of(jpeg_with(nowhere)).latitude);
}

TEST(PictureFacts, EveryCutAndEveryChangedByteIsHarmless) {
  const std::string whole = jpeg_with(full_block(false));
  for (std::size_t n = 0; n < whole.size(); ++n) facts_of(whole.substr(0, n));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const char c : {'\0', '\x7F', '\xFF'}) {
      std::string changed = whole;
      changed[i] = c;
      const auto facts = facts_of(changed);
      EXPECT_TRUE(is_utf8(facts.description) && is_utf8(facts.camera)) << i;
    }
  }
}

}  // namespace
}  // namespace tandem
