// A tokenizer.json of any bytes: refused with an error, or ids that are not negative for every
// text.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/error.h"
#include "preprocess/tokenizer_spec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const tandem::TokenizerSpec spec{.kind = tandem::TokenizerKind::kHfJson,
                                   .clean = tandem::TextClean::kNone,
                                   .context_length = 4096,
                                   .vocab_size = 0};
  try {
    const auto tokenizer =
        tandem::make_tokenizer(spec, {reinterpret_cast<const char*>(data), size}, "fuzz");
    for (const std::string& text :
         {std::string("A photo of two dogs,  na\xC3\xAFve \xEF\xAC\x81 \xF0\x9F\x90\xB1 \xFF 12"),
          std::string(500, 'a'), std::string("\xE2\x96\x81 <s> </s>\n\t<|endoftext|>[MASK]")}) {
      for (const std::int32_t id : tokenizer->encode(text)) {
        if (id < 0) std::abort();
      }
    }
  } catch (const tandem::Error&) {
  }
  return 0;
}
