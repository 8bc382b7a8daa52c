// The CLIP tokenizer on any bytes: ids in range, start first, end last, no longer than the context.
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "preprocess/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::unique_ptr<tandem::Tokenizer> tokenizer = [] {
    std::ifstream file("assets/vocab/bpe_simple_vocab_16e6.txt", std::ios::binary);
    const std::string merges((std::istreambuf_iterator<char>(file)), {});
    return tandem::make_clip_tokenizer(merges, {});
  }();
  const auto ids = tokenizer->encode({reinterpret_cast<const char*>(data), size});
  if (ids.size() < 2 || ids.size() > 77) std::abort();
  if (ids.front() != 49'406 || ids.back() != 49'407) std::abort();
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= tokenizer->vocab_size()) std::abort();
  }
  return 0;
}
