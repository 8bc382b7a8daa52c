#include "preprocess/json_normalizer.h"

#include <algorithm>
#include <functional>

#include "core/error.h"
#include "preprocess/byte_symbols.h"
#include "preprocess/charsmap.h"
#include "preprocess/code_points.h"
#include "preprocess/hf_unicode.h"
#include "preprocess/json_pattern.h"

namespace tandem {
namespace {

// A normaliser that is a function of the stretch.
class Function final : public JsonNormalizer {
 public:
  explicit Function(std::function<void(Stretch&)> f) : f_(std::move(f)) {}
  void apply(Stretch& stretch) const override { f_(stretch); }

 private:
  std::function<void(Stretch&)> f_;
};

template <typename Removed>
void remove_if(Stretch& stretch, const Removed& removed) {
  if (!stretch.text.empty() && removed(stretch.text.front())) stretch.at_start = false;
  std::erase_if(stretch.text, removed);
}

// Source: Google BERT's tokenizer, the ranges of its "CJK" characters.
bool is_chinese(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
         (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

void clean_for_bert(Stretch& stretch) {
  const auto is_blank = [](char32_t c) { return c == '\t' || c == '\n' || c == '\r'; };
  remove_if(stretch,
            [&](char32_t c) { return c == 0 || c == 0xFFFD || (!is_blank(c) && hf::is_other(c)); });
  for (char32_t& c : stretch.text) {
    if (is_blank(c) || hf::is_white_space(c)) c = ' ';
  }
}

void space_chinese(Stretch& stretch) {
  if (std::none_of(stretch.text.begin(), stretch.text.end(), is_chinese)) return;
  std::u32string out;
  for (const char32_t c : stretch.text) {
    if (is_chinese(c)) {
      out += {U' ', c, U' '};
    } else {
      out.push_back(c);
    }
  }
  stretch.text = std::move(out);
}

std::unique_ptr<JsonNormalizer> make_bert(const JsonPart& part) {
  const bool lowercase = part.boolean("lowercase");
  const bool clean = part.boolean("clean_text");
  const bool chinese = part.boolean("handle_chinese_chars");
  const bool accents = part.has("strip_accents") ? part.boolean("strip_accents") : lowercase;
  return std::make_unique<Function>([=](Stretch& stretch) {
    if (clean) clean_for_bert(stretch);
    if (chinese) space_chinese(stretch);
    if (accents) {
      stretch.text = hf::normal_form(stretch.text, hf::Form::kNfd);
      remove_if(stretch, hf::is_nonspacing_mark);
    }
    if (lowercase) stretch.text = hf::lower(stretch.text);
  });
}

std::unique_ptr<JsonNormalizer> make_strip(const JsonPart& part) {
  const bool left = part.boolean("strip_left");
  const bool right = part.boolean("strip_right");
  return std::make_unique<Function>([=](Stretch& stretch) {
    std::u32string& text = stretch.text;
    while (right && !text.empty() && hf::is_white_space(text.back())) text.pop_back();
    const auto first = std::find_if_not(text.begin(), text.end(), hf::is_white_space);
    if (!left || first == text.begin()) return;
    text.erase(text.begin(), first);
    stretch.at_start = false;
  });
}

std::unique_ptr<JsonNormalizer> make_replace(const JsonPart& part) {
  const std::u32string content = code_points(part.text("content"));
  return std::make_unique<Function>(
      [pattern = JsonPattern(part.part("pattern")), content](Stretch& stretch) {
        std::u32string out;
        for (const auto& span : pattern.find(stretch.text)) {
          if (span.matches) {
            out += content;
          } else {
            out.append(stretch.text, span.begin, span.end - span.begin);
          }
        }
        stretch.text = std::move(out);
      });
}

// Six bits a character; padding as it should be.
std::string base64_decoded(const std::string& text, const JsonPart& part) {
  const auto bits = [](char c) -> int {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
  };
  std::size_t size = text.size();
  while (size > 0 && text.size() - size < 2 && text[size - 1] == '=') --size;
  std::string out;
  out.reserve(size / 4 * 3 + 3);
  std::uint32_t held = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const int six = bits(text[i]);
    if (six < 0) part.corrupt("precompiled_charsmap", "base64");
    held = held << 6 | static_cast<std::uint32_t>(six);
    if (i % 4 != 0) out.push_back(static_cast<char>(held >> (6 - i % 4 * 2) & 0xFFU));
  }
  const std::uint32_t left_over = size % 4 == 2 ? held & 0xFU : size % 4 == 3 ? held & 0x3U : 0U;
  if (text.size() % 4 != 0 || size % 4 == 1 || left_over != 0) {
    part.corrupt("precompiled_charsmap", "base64 that ends as it should");
  }
  return out;
}

// Grapheme clusters of less than 6 bytes are looked up as a whole, by the shortest rule that they
// begin with; longer ones a character at a time.
std::u32string precompiled(const Charsmap& charsmap, std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  std::string bytes;
  const auto replaced = [&](std::u32string_view characters) {
    bytes.clear();
    for (const char32_t c : characters) append_utf8(bytes, c);
    if (bytes.size() >= 6 || bytes[0] == '\0') return false;
    const auto match = charsmap.shortest(bytes);
    if (match.size == 0) return false;
    out += code_points(match.replacement);
    return true;
  };
  while (!text.empty()) {
    const std::u32string_view cluster = text.substr(0, hf::grapheme(text));
    text.remove_prefix(cluster.size());
    if (replaced(cluster)) continue;
    for (const char32_t& c : cluster) {
      if (cluster.size() == 1 || !replaced({&c, 1})) out.push_back(c);
    }
  }
  return out;
}

std::unique_ptr<JsonNormalizer> make_precompiled(const JsonPart& part) {
  const std::string bytes = base64_decoded(part.text("precompiled_charsmap"), part);
  auto charsmap = std::make_shared<const Charsmap>(bytes, part.where());
  if (!charsmap->is_utf8()) part.corrupt("precompiled_charsmap", "replacements in UTF-8");
  return std::make_unique<Function>(
      [charsmap](Stretch& stretch) { stretch.text = precompiled(*charsmap, stretch.text); });
}

// The neural-machine-translation clean-up of SentencePiece. Source: its builder.cc.
void nmt(Stretch& stretch) {
  remove_if(stretch, [](char32_t c) {
    return (c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F ||
           c == 0x8F || c == 0x9F;
  });
  for (char32_t& c : stretch.text) {
    const bool space = c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 ||
                       (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                       c == 0xFEFF || c == 0xFFFD;
    if (space) c = ' ';
  }
}

std::unique_ptr<JsonNormalizer> make_sequence(const JsonPart& part) {
  auto all = std::make_shared<std::vector<std::unique_ptr<JsonNormalizer>>>();
  for (const JsonPart& one : part.parts("normalizers")) all->push_back(make_json_normalizer(one));
  return std::make_unique<Function>([all](Stretch& stretch) {
    for (const auto& one : *all) one->apply(stretch);
  });
}

std::unique_ptr<JsonNormalizer> make_form(hf::Form form) {
  return std::make_unique<Function>(
      [form](Stretch& stretch) { stretch.text = hf::normal_form(stretch.text, form); });
}

}  // namespace

std::unique_ptr<JsonNormalizer> make_json_normalizer(const JsonPart& part) {
  const std::string type = part.type();
  if (type == "Sequence") return make_sequence(part);
  if (type == "NFC") return make_form(hf::Form::kNfc);
  if (type == "NFD") return make_form(hf::Form::kNfd);
  if (type == "NFKC") return make_form(hf::Form::kNfkc);
  if (type == "NFKD") return make_form(hf::Form::kNfkd);
  if (type == "BertNormalizer") return make_bert(part);
  if (type == "Strip") return make_strip(part);
  if (type == "Replace") return make_replace(part);
  if (type == "Precompiled") return make_precompiled(part);
  if (type == "Nmt") return std::make_unique<Function>(nmt);
  if (type == "Lowercase") {
    return std::make_unique<Function>([](Stretch& s) { s.text = hf::lower(s.text); });
  }
  if (type == "StripAccents") {
    return std::make_unique<Function>([](Stretch& s) { remove_if(s, hf::is_accent); });
  }
  if (type == "ByteLevel") {
    return std::make_unique<Function>([](Stretch& s) { s.text = byte_symbols(s.text); });
  }
  if (type == "Prepend") {
    return std::make_unique<Function>([prefix = code_points(part.text("prepend"))](Stretch& s) {
      if (!s.text.empty()) s.text.insert(0, prefix);
    });
  }
  part.unsupported("normaliser \"" + type + "\" is not one that Tandem has.");
}

std::unique_ptr<JsonNormalizer> lowercase_before(std::unique_ptr<JsonNormalizer> next) {
  const std::shared_ptr<const JsonNormalizer> then = std::move(next);
  return std::make_unique<Function>([then](Stretch& stretch) {
    stretch.text = hf::lower(stretch.text);
    if (then) then->apply(stretch);
  });
}

}  // namespace tandem
