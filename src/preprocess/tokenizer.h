// From text to token ids. Immutable after load; safe to share.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  // Ids with start and end of text, cut to context_length() keeping the end-of-text id last, as
  // open_clip cuts. Not padded: a caption of 9 tokens gives 9 ids. Invalid UTF-8 is replaced by
  // U+FFFD.
  virtual std::vector<std::int32_t> encode(std::string_view text) const = 0;
  // The text of ids, as open_clip decodes them: cleaned text stays clean, words end with a space,
  // start and end of text are left out, what is not UTF-8 is replaced by U+FFFD. Throws kInput for
  // ids that are not in the vocabulary, kUnsupported for tokenizers other than CLIP's.
  virtual std::string decode(std::span<const std::int32_t> ids) const;
  virtual int context_length() const = 0;
  virtual int vocab_size() const = 0;
};

// Ragged token batch: segment i is ids[offsets[i] .. offsets[i+1]).
struct TokenBatch {
  std::vector<std::int32_t> ids;         // (T)
  std::vector<std::int32_t> offsets{0};  // (B+1)
  int count() const { return static_cast<int>(offsets.size()) - 1; }
  void add(std::span<const std::int32_t> segment) {
    ids.insert(ids.end(), segment.begin(), segment.end());
    offsets.push_back(static_cast<std::int32_t>(ids.size()));
  }
};

struct BpeOptions {
  int context_length = 77;
  // Vocabulary size to cut to: 512 byte symbols + (vocab_size - 514) first merges +
  // <start_of_text>, <end_of_text>. A prefix of the merge list is itself a valid byte-pair
  // encoding. 49,408 is CLIP's own.
  int vocab_size = 49'408;
  // A caption that spells <end_of_text> has several such ids. open_clip pools a causal tower at the
  // first, Tandem a ragged text at its last row: with this, ids end with the first.
  bool stop_at_end_of_text = false;
};

// CLIP's byte-pair tokenizer, equal to open_clip's SimpleTokenizer(clean="lower"): ftfy.fix_text,
// HTML unescape twice, whitespace clean, lower case, the CLIP word pattern, byte-level BPE.
// `merges` is assets/vocab/bpe_simple_vocab_16e6.txt (plain or gzip is the caller's matter: plain
// text here), its version line and at least vocab_size - 514 merges. Throws kCorrupt; kInput for
// sizes out of range.
std::unique_ptr<Tokenizer> make_clip_tokenizer(std::string_view merges, const BpeOptions& options);

}  // namespace tandem
