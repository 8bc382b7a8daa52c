// Caption cleaning on any bytes: the result has no upper-case ASCII, no doubled space, no
// surrogate. And the reader of merges refuses what breaks its format, with the right kind of error.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/error.h"
#include "preprocess/text_clean.h"
#include "preprocess/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::u32string clean = tandem::clean_lower(text);
  char32_t previous = U' ';
  for (const char32_t c : clean) {
    const bool surrogate = c >= 0xD800 && c < 0xE000;
    if ((c >= 'A' && c <= 'Z') || (c == ' ' && previous == ' ') || surrogate || c > 0x10FFFF)
      std::abort();
    previous = c;
  }
  if (!clean.empty() && previous == ' ') std::abort();
  try {
    tandem::make_clip_tokenizer(text, {.vocab_size = 520});
  } catch (const tandem::Error& e) {
    if (e.kind() != tandem::Kind::kCorrupt) std::abort();
  }
  return 0;
}
