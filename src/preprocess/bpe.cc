#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <limits>
#include <utility>

#include "core/error.h"
#include "preprocess/code_points.h"
#include "preprocess/text_clean.h"
#include "preprocess/tokenizer.h"
#include "preprocess/words.h"

namespace tandem {
namespace {

constexpr std::int32_t kByteSymbols = 512;  // 256 bytes, and the same at a word's end
constexpr int kClipVocabulary = 49'408;
constexpr std::uint32_t kNoRank = std::numeric_limits<std::uint32_t>::max();
// Symbols of a word above which the quadratic scan loses to the heap.
constexpr std::size_t kShort = 48;

// The printable stand-in that the vocabulary file has for each byte, and the byte's symbol id:
// printable Latin-1 bytes stand for themselves and come first, the other 68 are U+0100 and up.
// Source: GPT-2's bytes_to_unicode.
struct ByteSymbols {
  std::array<char32_t, 256> stand_in{};  // by symbol id
  std::array<std::int32_t, 256> id{};    // by byte
  std::array<std::uint8_t, 256> byte{};  // by symbol id
  ByteSymbols() {
    const auto printable = [](int b) {
      return (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    };
    std::int32_t next = 0;
    for (int b = 0; b < 256; ++b) {
      if (!printable(b)) continue;
      stand_in[next] = static_cast<char32_t>(b);
      id[b] = next++;
    }
    const std::int32_t printables = next;
    for (int b = 0; b < 256; ++b) {
      if (printable(b)) continue;
      stand_in[next] = static_cast<char32_t>(0x100 + next - printables);
      id[b] = next++;
    }
    for (int b = 0; b < 256; ++b) byte[id[b]] = static_cast<std::uint8_t>(b);
  }
};

// Open-addressing map from a pair of symbol ids to its merge's rank. A slot is left << 34 | right
// << 17 | rank.
class PairTable {
 public:
  explicit PairTable(std::size_t merges)
      : shift_(64 - std::bit_width(merges * 2 + 1)),
        slots_(std::size_t{1} << (64 - shift_), kFree) {}

  void insert(std::int32_t left, std::int32_t right, std::uint32_t rank) {
    slots_[find(key(left, right))] = key(left, right) << kBits | rank;
  }

  std::uint32_t rank(std::int32_t left, std::int32_t right) const {
    const std::uint64_t slot = slots_[find(key(left, right))];
    return slot == kFree ? kNoRank : static_cast<std::uint32_t>(slot & ((1U << kBits) - 1));
  }

 private:
  static constexpr int kBits = 17;
  static constexpr std::uint64_t kFree = std::numeric_limits<std::uint64_t>::max();
  static_assert(kClipVocabulary <= 1 << kBits);

  static std::uint64_t key(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(left) << kBits | static_cast<std::uint32_t>(right);
  }

  // Where `key` is, or the free slot where it would go. The table is at most half full.
  std::size_t find(std::uint64_t key) const {
    // Fibonacci hashing: 2^64 / golden ratio.
    std::size_t i = key * 0x9E3779B97F4A7C15ULL >> shift_;
    while (slots_[i] != kFree && slots_[i] >> kBits != key) i = (i + 1) & (slots_.size() - 1);
    return i;
  }

  int shift_;
  std::vector<std::uint64_t> slots_;
};

// Open-addressing map from a symbol's spelling to its id; lives only while the merges are read.
class SpellingTable {
 public:
  explicit SpellingTable(std::size_t symbols) : slots_(std::bit_ceil(symbols * 2)) {}

  // False if the spelling is there already.
  bool insert(std::string_view spelling, std::int32_t id) {
    Slot& slot = slots_[find(spelling)];
    if (slot.id >= 0) return false;
    slot = {static_cast<std::uint32_t>(spellings_.size()),
            static_cast<std::uint32_t>(spelling.size()), id};
    spellings_ += spelling;
    return true;
  }

  // -1 if there is none.
  std::int32_t id(std::string_view spelling) const { return slots_[find(spelling)].id; }

 private:
  struct Slot {
    std::uint32_t offset = 0;
    std::uint32_t size = 0;
    std::int32_t id = -1;
  };

  std::size_t find(std::string_view spelling) const {
    std::uint64_t hash = 0xCBF29CE484222325ULL;  // FNV-1a, 64 bit
    for (const char c : spelling) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001B3ULL;
    std::size_t i = (hash ^ hash >> 32) & (slots_.size() - 1);
    const auto is_other = [&](const Slot& slot) {
      return slot.id >= 0 &&
             std::string_view(spellings_).substr(slot.offset, slot.size) != spelling;
    };
    while (is_other(slots_[i])) i = (i + 1) & (slots_.size() - 1);
    return i;
  }

  std::string spellings_;
  std::vector<Slot> slots_;
};

[[noreturn]] void throw_corrupt(std::size_t line, const std::string& why) {
  throw Error(Kind::kCorrupt,
              "byte-pair merges, line " + std::to_string(line) + ": " + why +
                  ". Expected bpe_simple_vocab_16e6.txt: two known symbols a line.");
}

class ClipTokenizer final : public Tokenizer {
 public:
  ClipTokenizer(std::string_view merges, const BpeOptions& options)
      : options_(options), pairs_(static_cast<std::size_t>(options.vocab_size)) {
    read_merges(merges, static_cast<std::size_t>(options.vocab_size - kByteSymbols - 2));
  }

  std::vector<std::int32_t> encode(std::string_view text) const override {
    const std::int32_t start = options_.vocab_size - 2;
    const std::int32_t end = options_.vocab_size - 1;
    const auto limit = static_cast<std::size_t>(options_.context_length);
    const std::u32string clean = clean_lower(text);
    std::vector<std::int32_t> ids{start};
    std::string bytes;
    std::size_t position = 0;
    while (ids.size() < limit) {  // what comes after would be cut off
      const Word word = next_word(clean, position);
      if (word.text.empty()) break;
      if (word.special) {
        if (*word.special == SpecialWord::kEnd && options_.stop_at_end_of_text) break;
        ids.push_back(*word.special == SpecialWord::kStart ? start : end);
        continue;
      }
      bytes.clear();
      for (const char32_t c : word.text) append_utf8(bytes, c);
      append_word(bytes, limit, ids);
    }
    ids.push_back(end);
    if (ids.size() > limit) {
      ids.resize(limit);
      ids.back() = end;
    }
    return ids;
  }

  std::string decode(std::span<const std::int32_t> ids) const override;
  int context_length() const override { return options_.context_length; }
  int vocab_size() const override { return options_.vocab_size; }

 private:
  void read_merges(std::string_view text, std::size_t wanted);
  void append_word(std::string_view bytes, std::size_t limit, std::vector<std::int32_t>& ids) const;
  bool append_beginning(std::span<const std::int32_t> symbols, std::size_t limit,
                        std::vector<std::int32_t>& ids) const;
  void merge_short(std::span<const std::int32_t> symbols, std::vector<std::int32_t>& ids) const;
  void merge_long(std::vector<std::int32_t> symbols, std::vector<std::int32_t>& ids) const;

  BpeOptions options_;
  ByteSymbols bytes_;
  PairTable pairs_;
  std::vector<std::pair<std::int32_t, std::int32_t>> parts_;  // of merged symbols, by rank
  std::size_t longest_symbol_ = 1;                            // in bytes
};

void ClipTokenizer::read_merges(std::string_view text, std::size_t wanted) {
  SpellingTable symbols(kByteSymbols + wanted);
  for (std::int32_t id = 0; id < 256; ++id) {
    std::string spelling;
    append_utf8(spelling, bytes_.stand_in[id]);
    symbols.insert(spelling, id);
    symbols.insert(spelling + "</w>", id + 256);
  }
  std::vector<std::size_t> sizes(kByteSymbols, 1);  // of symbols, in bytes
  std::string merged;
  std::size_t rank = 0;
  for (std::size_t line = 0; rank < wanted; ++line) {
    if (text.empty()) {
      throw_corrupt(line, "the list ends after " + std::to_string(rank) + " of " +
                              std::to_string(wanted) + " merges");
    }
    std::string_view row = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), row.size() + 1));
    if (line == 0) continue;  // the file's version
    if (row.ends_with('\r')) row.remove_suffix(1);
    const std::size_t space = row.find(' ');
    if (space == std::string_view::npos) throw_corrupt(line + 1, "not a pair");
    const std::int32_t left = symbols.id(row.substr(0, space));
    const std::int32_t right = symbols.id(row.substr(space + 1));
    if (left < 0 || right < 0) throw_corrupt(line + 1, "a symbol that no earlier line makes");
    merged.assign(row.substr(0, space)).append(row.substr(space + 1));
    if (!symbols.insert(merged, kByteSymbols + static_cast<std::int32_t>(rank))) {
      throw_corrupt(line + 1, "a symbol made before");
    }
    sizes.push_back(sizes[left] + sizes[right]);
    pairs_.insert(left, right, static_cast<std::uint32_t>(rank++));
    parts_.emplace_back(left, right);
  }
  longest_symbol_ = *std::max_element(sizes.begin(), sizes.end());
}

// Appends the word's ids; no more than needed to make `limit`, where the caller cuts.
void ClipTokenizer::append_word(std::string_view bytes, std::size_t limit,
                                std::vector<std::int32_t>& ids) const {
  const auto symbol = [&](std::size_t i) {
    const std::int32_t id = bytes_.id[static_cast<std::uint8_t>(bytes[i])];
    return i + 1 == bytes.size() ? id + 256 : id;
  };
  if (bytes.size() <= kShort) {
    std::array<std::int32_t, kShort> symbols;
    for (std::size_t i = 0; i < bytes.size(); ++i) symbols[i] = symbol(i);
    merge_short({symbols.data(), bytes.size()}, ids);
    return;
  }
  std::vector<std::int32_t> symbols(bytes.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) symbols[i] = symbol(i);
  if (!append_beginning(symbols, limit, ids)) merge_long(std::move(symbols), ids);
}

// For a word far longer than what `limit` leaves room for: its first ids, from its beginning alone.
// False if that does not settle them. Where a symbol of the result ends, no merge ever crossed, so
// the ids before are those of the word's beginning up to there. Some symbol ends in any stretch as
// long as the longest symbol: if the beginnings up to each place of one stretch have the same first
// ids, then so has the word.
bool ClipTokenizer::append_beginning(std::span<const std::int32_t> symbols, std::size_t limit,
                                     std::vector<std::int32_t>& ids) const {
  const std::size_t wanted = limit - ids.size();
  const std::size_t stretch = wanted * longest_symbol_ + kShort;
  if (symbols.size() <= stretch + longest_symbol_) return false;
  std::vector<std::int32_t> agreed;
  std::vector<std::int32_t> other;
  for (std::size_t end = stretch; end < stretch + longest_symbol_; ++end) {
    other.clear();
    merge_long({symbols.begin(), symbols.begin() + static_cast<std::ptrdiff_t>(end)}, other);
    other.resize(wanted);
    if (end == stretch) agreed = other;
    if (other != agreed) return false;
  }
  ids.insert(ids.end(), agreed.begin(), agreed.end());
  return true;
}

// Merges the pair of lowest rank, the leftmost first, until none is left. The reference merges all
// places of a pair at once: the same, since a merge never makes a pair of a lower or equal rank (a
// symbol's spelling is made by one line only).
void ClipTokenizer::merge_short(std::span<const std::int32_t> word,
                                std::vector<std::int32_t>& ids) const {
  const std::size_t first = ids.size();
  ids.insert(ids.end(), word.begin(), word.end());
  std::array<std::uint32_t, kShort> ranks;  // of the pair that starts at i
  std::size_t size = word.size();
  for (std::size_t i = 0; i + 1 < size; ++i) ranks[i] = pairs_.rank(word[i], word[i + 1]);
  while (size > 1) {
    const auto last = ranks.begin() + static_cast<std::ptrdiff_t>(size) - 1;
    const auto best = std::min_element(ranks.begin(), last);
    if (*best == kNoRank) break;
    const auto i = static_cast<std::size_t>(best - ranks.begin());
    std::int32_t* symbols = ids.data() + first;
    symbols[i] = kByteSymbols + static_cast<std::int32_t>(*best);
    std::copy(symbols + i + 2, symbols + size, symbols + i + 1);
    std::copy(best + 1, last, best);
    --size;
    if (i > 0) ranks[i - 1] = pairs_.rank(symbols[i - 1], symbols[i]);
    if (i + 1 < size) ranks[i] = pairs_.rank(symbols[i], symbols[i + 1]);
  }
  ids.resize(first + size);
}

// The same result in n log n: a heap of (rank, place) and a linked list of what is left.
void ClipTokenizer::merge_long(std::vector<std::int32_t> symbols,
                               std::vector<std::int32_t>& ids) const {
  const auto size = static_cast<std::uint32_t>(symbols.size());
  std::vector<std::uint32_t> ranks(
      size, kNoRank);  // of the pair that starts here; stale heap entries differ from it
  std::vector<std::uint32_t> next(size);
  std::vector<std::uint32_t> previous(size);
  std::vector<std::uint64_t> heap;
  for (std::uint32_t i = 0; i < size; ++i) {
    next[i] = i + 1;
    previous[i] = i - 1;
    if (i + 1 < size) ranks[i] = pairs_.rank(symbols[i], symbols[i + 1]);
    if (ranks[i] != kNoRank) heap.push_back(std::uint64_t{ranks[i]} << 32 | i);
  }
  const std::greater<> later;
  std::make_heap(heap.begin(), heap.end(), later);
  const auto set_rank = [&](std::uint32_t i) {
    ranks[i] = next[i] < size ? pairs_.rank(symbols[i], symbols[next[i]]) : kNoRank;
    if (ranks[i] == kNoRank) return;
    heap.push_back(std::uint64_t{ranks[i]} << 32 | i);
    std::push_heap(heap.begin(), heap.end(), later);
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const auto rank = static_cast<std::uint32_t>(heap.back() >> 32);
    const auto i = static_cast<std::uint32_t>(heap.back());
    heap.pop_back();
    if (ranks[i] != rank) continue;
    const std::uint32_t gone = next[i];
    symbols[i] = kByteSymbols + static_cast<std::int32_t>(rank);
    ranks[gone] = kNoRank;
    next[i] = next[gone];
    if (next[i] < size) previous[next[i]] = i;
    set_rank(i);
    if (i > 0) set_rank(previous[i]);
  }
  for (std::uint32_t i = 0; i < size; i = next[i]) ids.push_back(symbols[i]);
}

std::string ClipTokenizer::decode(std::span<const std::int32_t> ids) const {
  std::string bytes;
  std::vector<std::int32_t> open;  // symbols still to be taken apart, the next one last
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= options_.vocab_size) {
      throw Error(Kind::kInput, "token id " + std::to_string(id) + " is not in a vocabulary of " +
                                    std::to_string(options_.vocab_size) + ".");
    }
    if (id >= options_.vocab_size - 2) continue;  // start and end of text
    open.push_back(id);
    while (!open.empty()) {
      const std::int32_t symbol = open.back();
      open.pop_back();
      if (symbol >= kByteSymbols) {
        const auto& [left, right] = parts_[symbol - kByteSymbols];
        open.push_back(right);
        open.push_back(left);
        continue;
      }
      bytes.push_back(static_cast<char>(bytes_.byte[symbol % 256]));
      if (symbol >= 256) bytes.push_back(' ');
    }
  }
  std::string text;
  for (const char32_t c : code_points(bytes)) append_utf8(text, c);
  return text;
}

}  // namespace

std::string Tokenizer::decode(std::span<const std::int32_t> /*ids*/) const {
  throw Error(Kind::kUnsupported,
              "ids become text only with CLIP's own byte-pair tokenizer; this model has another.");
}

std::unique_ptr<Tokenizer> make_clip_tokenizer(std::string_view merges, const BpeOptions& options) {
  if (options.context_length < 1) {
    throw Error(Kind::kInput, "context_length " + std::to_string(options.context_length) +
                                  ": too short. Expected at least 1.");
  }
  if (options.vocab_size < kByteSymbols + 2 || options.vocab_size > kClipVocabulary) {
    throw Error(Kind::kInput, "vocab_size " + std::to_string(options.vocab_size) +
                                  ": out of range. Expected 514 (bytes alone) to 49408 (CLIP's).");
  }
  return std::make_unique<ClipTokenizer>(merges, options);
}

}  // namespace tandem
