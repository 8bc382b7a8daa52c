// jpeg := FFD8 { FF marker:u8 length:u16 data }*          EXIF: marker E1, data "Exif\0\0" tiff
// png  := signature { length:u32 type:u32 data crc:u32 }*  EXIF: type eXIf
// webp := "RIFF" size:u32 "WEBP" { type:u32 length:u32 data pad? }*  EXIF: type "EXIF"
#include "preprocess/picture_facts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "core/utf8.h"
#include "preprocess/tiff_reader.h"

namespace tandem {
namespace {

using Bytes = std::span<const std::byte>;
using namespace std::string_view_literals;

constexpr std::size_t kLongestText = 8192;

std::uint32_t big_endian(Bytes bytes, std::size_t at, int size) {
  std::uint32_t value = 0;
  for (int i = 0; i < size; ++i) value = value << 8 | std::to_integer<std::uint32_t>(bytes[at + i]);
  return value;
}

bool has_at(Bytes bytes, std::size_t at, std::string_view text) {
  return bytes.size() >= at + text.size() &&
         std::memcmp(bytes.data() + at, text.data(), text.size()) == 0;
}

Bytes exif_of_jpeg(Bytes file) {
  std::size_t at = 2;
  while (file.size() - at >= 4 && file[at] == std::byte{0xFF}) {
    const auto marker = std::to_integer<unsigned>(file[at + 1]);
    if (marker == 0xFF) {  // padding
      ++at;
      continue;
    }
    if (marker == 0xDA || marker == 0xD9) break;  // pixels begin, or the end
    const std::size_t length = big_endian(file, at + 2, 2);
    if (length < 2 || length > file.size() - at - 2) break;
    if (marker == 0xE1 && has_at(file, at + 4, "Exif\0\0"sv))
      return file.subspan(at + 4, length - 2);
    at += 2 + length;
  }
  return {};
}

Bytes exif_of_png(Bytes file) {
  std::size_t at = 8;
  while (file.size() - at >= 12) {
    const std::size_t length = big_endian(file, at, 4);
    if (length > file.size() - at - 12) break;
    if (has_at(file, at + 4, "eXIf")) return file.subspan(at + 8, length);
    at += 12 + length;
  }
  return {};
}

Bytes exif_of_webp(Bytes file) {
  std::size_t at = 12;
  while (file.size() - at >= 8) {
    std::size_t length = 0;
    for (int i = 3; i >= 0; --i)
      length = length << 8 | std::to_integer<std::size_t>(file[at + 4 + i]);
    if (length > file.size() - at - 8) break;
    if (has_at(file, at, "EXIF")) return file.subspan(at + 8, length);
    at += 8 + length + length % 2;
    if (at > file.size()) break;
  }
  return {};
}

Bytes exif_of(Bytes file) {
  if (has_at(file, 0, "\xFF\xD8\xFF"sv)) return exif_of_jpeg(file);
  if (has_at(file, 0, "\x89PNG\r\n\x1A\n"sv)) return exif_of_png(file);
  if (has_at(file, 0, "RIFF"sv) && has_at(file, 8, "WEBP"sv)) return exif_of_webp(file);
  return {};
}

void append_code_point(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

std::string trimmed(std::string text) {
  text.resize(std::min(text.find('\0'), text.size()));
  const auto end = text.find_last_not_of(" \t\r\n");
  text.resize(end == std::string::npos ? 0 : end + 1);
  text.erase(0, std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  return text;
}

// Cameras and old programs write Latin-1 where UTF-8 is not what they mean.
std::string text_of(Bytes bytes) {
  bytes = bytes.first(std::min(bytes.size(), kLongestText));
  std::string text = trimmed({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (is_utf8(text)) return text;
  std::string out;
  for (const char c : text) append_code_point(out, static_cast<unsigned char>(c));
  return out;
}

std::string utf16_text(const TiffReader& tiff, Bytes bytes) {
  std::string out;
  for (std::size_t at = 0; at + 2 <= bytes.size() && out.size() < kLongestText; at += 2) {
    const std::uint32_t unit = tiff.get(bytes, at, 2).value_or(0);
    if (unit == 0) break;
    const std::uint32_t low = tiff.get(bytes, at + 2, 2).value_or(0);
    if (unit >= 0xD800 && unit < 0xDC00 && low >= 0xDC00 && low < 0xE000) {
      append_code_point(out, 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
      at += 2;
    } else {
      append_code_point(out, unit >= 0xD800 && unit < 0xE000 ? 0xFFFD : unit);
    }
  }
  return trimmed(out);
}

// UserComment: eight bytes that name the encoding, then the text.
std::string comment_of(const TiffReader& tiff, Bytes bytes) {
  if (bytes.size() < 8) return {};
  const auto text = bytes.subspan(8);
  if (has_at(bytes, 0, "UNICODE\0"sv)) return utf16_text(tiff, text);
  if (has_at(bytes, 0, "ASCII\0\0\0"sv) || has_at(bytes, 0, "\0\0\0\0\0\0\0\0"sv))
    return text_of(text);
  return {};
}

// What cameras put there themselves says nothing about the picture.
bool says_something(const std::string& description) {
  constexpr std::array kOfCameras = {"OLYMPUS DIGITAL CAMERA"sv,
                                     "SONY DSC"sv,
                                     "SAMSUNG"sv,
                                     "DIGITAL CAMERA"sv,
                                     "KONICA MINOLTA DIGITAL CAMERA"sv,
                                     "MINOLTA DIGITAL CAMERA"sv,
                                     "Exif_JPEG_PICTURE"sv,
                                     "default"sv,
                                     "untitled"sv,
                                     "Screenshot"sv};
  return !description.empty() && std::ranges::find(kOfCameras, description) == kOfCameras.end();
}

// "2024:05:01 12:30:00" -> "2024-05-01T12:30:00"; empty for what is no date ("0000:00:00 …").
std::string date_of(const std::string& text) {
  constexpr std::string_view kForm = "dddd:dd:dd dd:dd:dd";
  if (text.size() < kForm.size()) return {};
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kForm[i] == 'd' ? !digit : text[i] != kForm[i]) return {};
  }
  const auto two = [&](std::size_t at) { return (text[at] - '0') * 10 + text[at + 1] - '0'; };
  if (two(0) == 0 || two(5) < 1 || two(5) > 12 || two(8) < 1 || two(8) > 31 || two(11) > 23 ||
      two(14) > 59 || two(17) > 60)
    return {};
  std::string out = text.substr(0, kForm.size());
  out[4] = out[7] = '-';
  out[10] = 'T';
  return out;
}

// "+02:00", or nothing.
std::string offset_of(const std::string& text) {
  const bool sign = text.size() == 6 && (text[0] == '+' || text[0] == '-') && text[3] == ':';
  for (const std::size_t at : {1, 2, 4, 5}) {
    if (!sign || text[at] < '0' || text[at] > '9') return {};
  }
  return text;
}

// Degrees, minutes and seconds as three fractions.
std::optional<double> degrees_of(const TiffReader& tiff, const TiffEntry& entry) {
  if (entry.type != 5 || entry.count != 3 || entry.value.empty()) return {};
  double degrees = 0;
  double unit = 1;
  for (std::size_t i = 0; i < 3; ++i, unit *= 60) {
    const double over = *tiff.get(entry.value, 8 * i, 4);
    const double under = *tiff.get(entry.value, 8 * i + 4, 4);
    if (under == 0 && over != 0) return {};
    if (under != 0) degrees += over / under / unit;
  }
  return degrees;
}

struct Place {
  std::optional<double> latitude, longitude;
  bool south = false, west = false;
};

void read_place(const TiffReader& tiff, std::size_t directory, PictureFacts& facts) {
  Place place;
  tiff.each_entry(directory, [&](const TiffEntry& entry) {
    if (entry.tag == 1) place.south = text_of(entry.value) == "S";
    if (entry.tag == 2) place.latitude = degrees_of(tiff, entry);
    if (entry.tag == 3) place.west = text_of(entry.value) == "W";
    if (entry.tag == 4) place.longitude = degrees_of(tiff, entry);
  });
  if (!place.latitude || !place.longitude) return;
  if (*place.latitude > 90 || *place.longitude > 180) return;
  // Zero and zero is what cameras without a fix write.
  if (*place.latitude == 0 && *place.longitude == 0) return;
  // A metre is the fifth decimal; the seventh keeps what phones state.
  const auto rounded = [](double degrees) { return std::round(degrees * 1e7) / 1e7; };
  facts.latitude = rounded(place.south ? -*place.latitude : *place.latitude);
  facts.longitude = rounded(place.west ? -*place.longitude : *place.longitude);
}

struct Texts {
  std::string make, model, changed, original, offset, description, comment;
};

void read_camera(const TiffReader& tiff, std::size_t directory, Texts& texts, PictureFacts& facts) {
  tiff.each_entry(directory, [&](const TiffEntry& entry) {
    if (entry.tag == 0x9003) texts.original = text_of(entry.value);          // DateTimeOriginal
    if (entry.tag == 0x9011) texts.offset = text_of(entry.value);            // OffsetTimeOriginal
    if (entry.tag == 0x9286) texts.comment = comment_of(tiff, entry.value);  // UserComment
    if (entry.tag == 0xA434) facts.lens = text_of(entry.value);              // LensModel
  });
}

std::string camera_name(const std::string& make, const std::string& model) {
  if (make.empty() || model.starts_with(make)) return model;
  return model.empty() ? make : make + " " + model;
}

}  // namespace

PictureFacts picture_facts(std::span<const std::byte> file) {
  PictureFacts facts;
  const auto tiff = TiffReader::open(exif_of(file));
  if (!tiff) return facts;
  Texts texts;
  std::optional<std::size_t> camera, place;  // the last of each counts: read once
  tiff->each_entry(tiff->first_directory(), [&](const TiffEntry& entry) {
    const auto pointer = [&] { return tiff->get(entry.value, 0, 4); };
    if (entry.tag == 0x010E) texts.description = text_of(entry.value);
    if (entry.tag == 0x010F) texts.make = text_of(entry.value);
    if (entry.tag == 0x0110) texts.model = text_of(entry.value);
    if (entry.tag == 0x0132) texts.changed = text_of(entry.value);
    if (entry.tag == 0x8769) camera = pointer();
    if (entry.tag == 0x8825) place = pointer();
  });
  if (camera) read_camera(*tiff, *camera, texts, facts);
  if (place) read_place(*tiff, *place, facts);
  facts.camera = camera_name(texts.make, texts.model);
  facts.taken = date_of(texts.original);
  if (!facts.taken.empty()) facts.taken += offset_of(texts.offset);
  if (facts.taken.empty()) facts.taken = date_of(texts.changed);
  facts.description = says_something(texts.description) ? texts.description : texts.comment;
  return facts;
}

}  // namespace tandem
