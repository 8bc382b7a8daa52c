// Any bytes as a picture's EXIF block: valid UTF-8, places on the globe, dates of one form. The
// bytes are tried as a file and as the block of a JPEG. Seeds: tests/goldens/images/files.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "core/utf8.h"
#include "preprocess/picture_facts.h"

namespace {

void check(const std::string& file) {
  const auto facts = tandem::picture_facts(std::as_bytes(std::span(file)));
  for (const auto* text : {&facts.description, &facts.taken, &facts.camera, &facts.lens}) {
    if (!tandem::is_utf8(*text) || text->size() > 100'000) std::abort();
  }
  if (facts.latitude.has_value() != facts.longitude.has_value()) std::abort();
  if (facts.latitude && !(std::abs(*facts.latitude) <= 90)) std::abort();
  if (facts.longitude && !(std::abs(*facts.longitude) <= 180)) std::abort();
  if (!facts.taken.empty() && facts.taken[10] != 'T') std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  check(bytes);
  if (size > 65'000) return 0;
  std::string jpeg("\xFF\xD8\xFF\xE1", 4);
  jpeg += static_cast<char>((size + 8) >> 8);
  jpeg += static_cast<char>(size + 8);
  jpeg.append("Exif\0\0", 6);
  check(jpeg + bytes);
  return 0;
}
