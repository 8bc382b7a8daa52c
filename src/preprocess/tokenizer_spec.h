// Which tokenizer a model was trained with, as plain values, and the one place that makes it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "preprocess/tokenizer.h"

namespace tandem {

enum class TokenizerKind {
  kClipBpe,        // CLIP's own byte pairs; the file is bpe_simple_vocab_16e6.txt
  kSentencePiece,  // a SentencePiece .model (protobuf), Unigram or BPE
  kHfJson,         // Hugging Face tokenizer.json
};

// What is done to a text before the tokenizer's own normaliser sees it.
enum class TextClean {
  kNone,          // transformers' fast tokenizers (HF CLIP, XLM-R, Gemma: theirs is in the file)
  kWhitespace,    // open_clip "whitespace": ftfy, HTML unescape twice, runs of white space to one
  kLower,         // open_clip "lower": the same, then lower case
  kCanonicalize,  // open_clip "canonicalize": ftfy, HTML, no punctuation, lower case, white space
  kSiglip,        // transformers' SiglipTokenizer: lower case, no ASCII punctuation, white space
  kLowerOnly,     // kHfJson: lower case before the file's own normaliser (transformers' SigLIP 2)
};

// A plain value. Defaults are CLIP's.
struct TokenizerSpec {
  TokenizerKind kind = TokenizerKind::kClipBpe;
  TextClean clean = TextClean::kLower;  // kClipBpe knows kLower only
  int context_length = 77;
  // Rows of the token embedding; 0: whatever the file has. A file with a larger vocabulary is
  // refused at load; a text that holds an added token past it, by encode(), with kInput. kClipBpe
  // cuts its vocabulary to it.
  int vocab_size = 49'408;
  // The text tower reads its padding (SigLIP, CLIPA): encode() returns context_length ids, filled
  // with pad_id at the end. Otherwise (CLIP, masked towers: XLM-R, BERT, mT5) only the real ids.
  bool pad_to_context = false;
  std::int32_t pad_id = 0;
  // kSentencePiece only, where the file does not say; kHfJson has its post-processor.
  std::optional<std::int32_t> bos_id;
  std::optional<std::int32_t> eos_id;  // T5, SigLIP: 1 (`</s>`)
  // open_clip strip_sep_token (CLIPA): this id ([SEP], `</s>`) becomes 0.
  std::optional<std::int32_t> strip_sep_id;
  // Ids after the first of these are cut: a causal tower that pools at the first end of text.
  std::optional<std::int32_t> stop_after_id;
  // Names of tokens that take the place of pad_id, strip_sep_id and stop_after_id where they are
  // not empty. Throws kInput at load if the file lacks one. Not for kClipBpe.
  std::string pad_token;
  std::string strip_sep_token;
  std::string stop_after_token;
  // kHfJson: these around every text in place of what the file's post-processor adds (add_bos_token
  // and add_eos_token of tokenizer_config.json). Empty: none.
  struct Around {
    std::string bos_token;
    std::string eos_token;
  };
  std::optional<Around> around;
  // open_clip tokenizer_mode "clips": bos + ids + eos, padded to context_length - 1, then this id.
  // Needs bos_id and eos_id; pad_to_context is implied.
  std::optional<std::int32_t> clips_class_id;
};

// Reads `file` and makes its tokenizer. Throws kNotFound (no such file), kCorrupt (not what the
// reference accepts), kUnsupported naming the part of tokenizer.json that is not implemented (no
// regular expression of a file is ever executed), kInput for impossible specs.
std::unique_ptr<Tokenizer> make_tokenizer(const TokenizerSpec& spec,
                                          const std::filesystem::path& file);

// The same from bytes in memory, for tests and fuzzing. `name` names them in messages.
std::unique_ptr<Tokenizer> make_tokenizer(const TokenizerSpec& spec, std::string_view bytes,
                                          const std::string& name);

}  // namespace tandem
