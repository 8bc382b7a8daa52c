// Runs tokenizers of any kind on what another program sends, for comparisons with references
// (tools/compare_tokenizer_files.py). Records as in tokenizer_driver.cc.
//   tokenizer_spec_driver ids FILE KEY=VALUE…   stdin: texts   stdout: (count:u32 id:i32[count])*
//   tokenizer_spec_driver load KIND             stdin: whole files   stdout: a record each: empty
//                                               where it is accepted, otherwise why not
//   tokenizer_spec_driver time FILE KEY=VALUE…  stdin: texts   stdout: seconds to load and a text
// Keys: kind (sentencepiece, json, clip), clean, context, vocabulary, pad, bos, eos, strip, stop,
// clips, bos_token, eos_token.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "core/error.h"
#include "driver_records.h"
#include "preprocess/tokenizer_spec.h"

namespace {

using namespace tandem;

TokenizerKind kind_of(const std::string& name) {
  if (name == "sentencepiece") return TokenizerKind::kSentencePiece;
  return name == "json" ? TokenizerKind::kHfJson : TokenizerKind::kClipBpe;
}

TextClean clean_of(const std::string& name) {
  if (name == "whitespace") return TextClean::kWhitespace;
  if (name == "lower") return TextClean::kLower;
  if (name == "canonicalize") return TextClean::kCanonicalize;
  if (name == "siglip") return TextClean::kSiglip;
  return name == "lower_only" ? TextClean::kLowerOnly : TextClean::kNone;
}

void set(TokenizerSpec& spec, const std::string& key, const std::string& value) {
  if (key == "kind") spec.kind = kind_of(value);
  if (key == "clean") spec.clean = clean_of(value);
  if (key == "context") spec.context_length = std::stoi(value);
  if (key == "vocabulary") spec.vocab_size = std::stoi(value);
  if (key == "bos") spec.bos_id = std::stoi(value);
  if (key == "eos") spec.eos_id = std::stoi(value);
  if (key == "strip") spec.strip_sep_id = std::stoi(value);
  if (key == "stop") spec.stop_after_id = std::stoi(value);
  if (key == "clips") spec.clips_class_id = std::stoi(value);
  if (key == "bos_token" || key == "eos_token") {
    if (!spec.around) spec.around.emplace();
    (key == "bos_token" ? spec.around->bos_token : spec.around->eos_token) = value;
  }
  if (key == "pad") {
    spec.pad_to_context = true;
    spec.pad_id = std::stoi(value);
  }
}

void write_ids(const Tokenizer& tokenizer) {
  for (const std::string& text : split_records(read_all(stdin))) {
    const std::vector<std::int32_t> ids = tokenizer.encode(text);
    write_record(ids.data(), ids.size(), sizeof ids[0]);
  }
}

void write_times(const TokenizerSpec& spec, const std::string& file) {
  using Clock = std::chrono::steady_clock;
  const auto texts = split_records(read_all(stdin));
  const auto start = Clock::now();
  const auto tokenizer = make_tokenizer(spec, std::filesystem::path(file));
  const std::chrono::duration<double> load = Clock::now() - start;
  std::printf("load %.3f s\n", load.count());
  for (const std::string& text : texts) {
    const auto begin = Clock::now();
    const std::size_t ids = tokenizer->encode(text).size();
    const std::chrono::duration<double> spent = Clock::now() - begin;
    std::printf("%zu bytes, %zu ids, %.3f s\n", text.size(), ids, spent.count());
  }
}

void write_verdicts(TokenizerKind kind) {
  const TokenizerSpec spec{.kind = kind, .clean = TextClean::kNone, .vocab_size = 0};
  for (const std::string& bytes : split_records(read_all(stdin))) {
    std::string why;
    try {
      // A tokenizer that is made has to work.
      make_tokenizer(spec, bytes, "file")
          ->encode("A photo of two cats, na\xC3\xAFve \xF0\x9F\x90\xB1<s> 12");
    } catch (const Error& e) {
      why = e.what();
    }
    write_record(why.data(), why.size(), 1);
  }
}

int run(int argc, char** argv) {
  const std::string mode = argv[1];
  if (mode == "load") {
    write_verdicts(kind_of(argv[2]));
    return 0;
  }
  TokenizerSpec spec{.clean = TextClean::kNone, .vocab_size = 0};
  for (int i = 3; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::size_t equals = argument.find('=');
    set(spec, argument.substr(0, equals), argument.substr(equals + 1));
  }
  if (mode == "time") {
    write_times(spec, argv[2]);
  } else {
    write_ids(*make_tokenizer(spec, std::filesystem::path(argv[2])));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: tokenizer_spec_driver ids|load|time FILE|KIND KEY=VALUE…\n");
    return 2;
  }
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "tokenizer_spec_driver: %s\n", e.what());
    return 1;
  }
}
