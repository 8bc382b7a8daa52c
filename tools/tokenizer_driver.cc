// Tokenizes what another program sends, for comparisons with references
// (tools/compare_tokenizer.py). stdin := (size:u32 bytes[size])*   stdout := (count:u32
// id:i32[count])*, little-endian; with --clean the cleaned UTF-8 text in the same form as the
// input. --seconds N: no output; repeats all input for N seconds of processor time and prints texts
// per second.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "driver_records.h"
#include "preprocess/code_points.h"
#include "preprocess/text_clean.h"
#include "preprocess/tokenizer.h"

namespace {

void measure(const tandem::Tokenizer& tokenizer, const std::vector<std::string>& texts,
             double seconds) {
  // Processor time, as the machine may be busy with other work.
  const std::clock_t start = std::clock();
  std::size_t done = 0;
  std::size_t ids = 0;
  double elapsed = 0;
  while (elapsed < seconds && !texts.empty()) {
    for (const std::string& text : texts) ids += tokenizer.encode(text).size();
    done += texts.size();
    elapsed = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  }
  std::printf("%.6g texts/s, %.1f ids a text\n", static_cast<double>(done) / elapsed,
              static_cast<double>(ids) / static_cast<double>(done));
}

int run(const std::string& vocabulary_path, const std::string& mode, const char* argument) {
  std::ifstream file(vocabulary_path, std::ios::binary);
  const std::string merges((std::istreambuf_iterator<char>(file)), {});
  const auto tokenizer = tandem::make_clip_tokenizer(merges, {});
  const std::vector<std::string> texts = split_records(read_all(stdin));
  if (mode == "--seconds") {
    measure(*tokenizer, texts, std::atof(argument));
    return 0;
  }
  for (const std::string& text : texts) {
    if (mode == "--clean") {
      const std::string clean = tandem::utf8_of(tandem::clean_lower(text));
      write_record(clean.data(), clean.size(), 1);
    } else {
      const std::vector<std::int32_t> ids = tokenizer->encode(text);
      write_record(ids.data(), ids.size(), sizeof ids[0]);
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: tokenizer_driver VOCABULARY [--clean | --seconds N] < records\n");
    return 2;
  }
  try {
    return run(argv[1], argc > 2 ? argv[2] : "", argc > 3 ? argv[3] : "1");
  } catch (const std::exception& e) {
    std::fprintf(stderr, "tokenizer_driver: %s\n", e.what());
    return 1;
  }
}
