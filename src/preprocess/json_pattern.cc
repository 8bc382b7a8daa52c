#include "preprocess/json_pattern.h"

#include <array>

#include "core/error.h"
#include "preprocess/code_points.h"
#include "preprocess/hf_unicode.h"

namespace tandem {
namespace {

using hf::kind;

constexpr std::array<std::u32string_view, 7> kContractions = {U"'s", U"'t",  U"'re", U"'ve",
                                                              U"'m", U"'ll", U"'d"};

std::size_t contraction(std::u32string_view rest) {
  if (rest[0] != '\'') return 0;
  for (const std::u32string_view word : kContractions) {
    if (rest.starts_with(word)) return word.size();
  }
  return 0;
}

// Characters from `at` on that are of one kind.
std::size_t run(std::u32string_view text, std::size_t at, WordKind wanted) {
  std::size_t end = at;
  while (end < text.size() && kind(text[end]) == wanted) ++end;
  return end - at;
}

// 's|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
std::size_t scan_clip_words(std::u32string_view text, std::size_t at) {
  if (const std::size_t size = contraction(text.substr(at)); size > 0) return size;
  const WordKind first = kind(text[at]);
  if (first == WordKind::kSpace) return 0;
  return first == WordKind::kNumber ? 1 : run(text, at, first);
}

std::size_t scan_clip(std::u32string_view text, std::size_t at) {
  for (const std::u32string_view special : {U"<|startoftext|>", U"<|endoftext|>"}) {
    if (text.substr(at).starts_with(special)) return special.size();
  }
  return scan_clip_words(text, at);
}

std::size_t scan_white_space(std::u32string_view text, std::size_t at) {
  return run(text, at, WordKind::kSpace);
}

std::size_t scan_one_white_space(std::u32string_view text, std::size_t at) {
  return kind(text[at]) == WordKind::kSpace ? 1 : 0;
}

// " {2,}"
std::size_t scan_spaces(std::u32string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && text[end] == ' ') ++end;
  return end - at >= 2 ? end - at : 0;
}

struct Known {
  std::string_view expression;
  JsonPattern::Scanner scanner;
};
constexpr Known kKnown[] = {
    {R"('s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)", scan_clip_words},
    {R"(<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)",
     scan_clip},
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", scan_gpt2},
    {R"(\s+)", scan_white_space},
    {R"(\s)", scan_one_white_space},
    {" {2,}", scan_spaces},
};

}  // namespace

std::size_t scan_gpt2(std::u32string_view text, std::size_t at) {
  if (const std::size_t size = contraction(text.substr(at)); size > 0) return size;
  const std::size_t word = at + (text[at] == ' ' ? 1 : 0);
  if (word < text.size() && kind(text[word]) != WordKind::kSpace) {
    return word - at + run(text, word, kind(text[word]));
  }
  const std::size_t spaces = run(text, at, WordKind::kSpace);
  // The last space goes with the word after it.
  return at + spaces < text.size() && spaces > 1 ? spaces - 1 : spaces;
}

std::vector<Span> scan(std::u32string_view text, JsonPattern::Scanner scanner) {
  std::vector<Span> spans;
  std::size_t open = 0;  // where the stretch without a match began
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = scanner(text, at);
    if (size == 0) {
      ++at;
      continue;
    }
    if (open < at) spans.push_back({open, at, false});
    spans.push_back({at, at + size, true});
    at += size;
    open = at;
  }
  if (open < text.size()) spans.push_back({open, text.size(), false});
  return spans;
}

JsonPattern::JsonPattern(const JsonPart& part) {
  const std::string kind = part.only_key();
  if (kind == "String") {
    literal_ = code_points(part.text(kind));
    if (literal_.empty()) part.unsupported("an empty pattern.");
    return;
  }
  if (kind != "Regex") part.corrupt(kind, "String or Regex");
  const std::string expression = part.text("Regex");
  for (const Known& known : kKnown) {
    if (known.expression == expression) scanner_ = known.scanner;
  }
  if (scanner_ == nullptr) {
    part.unsupported("the regular expression " + expression.substr(0, 200) +
                     " is not one of the few that Tandem knows; it runs no others.");
  }
}

std::vector<Span> JsonPattern::find(std::u32string_view text) const {
  if (scanner_ != nullptr) return scan(text, scanner_);
  std::vector<Span> spans;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t begin = text.find(literal_, at);
    if (begin == text.npos) break;
    if (at < begin) spans.push_back({at, begin, false});
    at = begin + literal_.size();
    spans.push_back({begin, at, true});
  }
  if (at < text.size()) spans.push_back({at, text.size(), false});
  return spans;
}

}  // namespace tandem
