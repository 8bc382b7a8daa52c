#include "preprocess/json_added.h"

#include <algorithm>
#include <set>

#include "preprocess/code_points.h"
#include "preprocess/hf_unicode.h"

namespace tandem {

JsonAddedTokens::JsonAddedTokens(const JsonPart& root, const JsonModel& model,
                                 const JsonNormalizer* normalizer)
    : model_(model), next_id_(model.count()) {
  if (root.has("added_tokens")) {
    for (const JsonPart& part : root.parts("added_tokens")) add(part, model, normalizer);
  }
  plain_ = patterns(root, false);
  normalized_ = patterns(root, true);
}

void JsonAddedTokens::add(const JsonPart& part, const JsonModel& model,
                          const JsonNormalizer* normalizer) {
  part.id("id");            // has to be there, but does not count
  part.boolean("special");  // counts only when decoding
  Token token{part.boolean("single_word"), part.boolean("lstrip"), part.boolean("rstrip"),
              part.boolean("normalized"),  part.text("content"),   {}};
  if (token.content.empty()) return;
  token.pattern = token.content;
  if (token.normalized && normalizer != nullptr) {
    Stretch stretch{code_points(token.content), true, -1};
    normalizer->apply(stretch);
    token.pattern = utf8_of(stretch.text);
  }
  std::int32_t id = this->id(token.content);
  if (id < 0) id = model.id(token.content);
  if (id < 0) id = next_id_++;
  ids_[token.content] = id;
  tokens_[id] = std::move(token);
}

PieceTrie JsonAddedTokens::patterns(const JsonPart& root, bool normalized) const {
  std::vector<std::pair<std::string_view, std::int32_t>> entries;
  std::set<std::string_view> seen;
  for (const auto& [id, token] : tokens_) {
    if (token.normalized != normalized) continue;
    if (token.pattern.empty()) root.corrupt("added_tokens", "no token that normalises to nothing");
    if (!seen.insert(token.pattern).second) {
      root.corrupt("added_tokens", "no two tokens that look alike: " + token.pattern);
    }
    entries.emplace_back(token.pattern, id);
  }
  return PieceTrie(std::move(entries));
}

std::int32_t JsonAddedTokens::id(std::string_view content) const {
  const auto found = ids_.find(content);
  return found != ids_.end() ? found->second : model_.id(content);
}

// Leftmost, then longest matches; those that must be single words and are not are passed over.
void JsonAddedTokens::split(const Stretch& stretch, const PieceTrie& patterns,
                            std::vector<Stretch>& out) const {
  const std::u32string& text = stretch.text;
  const auto append = [&](std::size_t begin, std::size_t end, std::int32_t id) {
    if (begin >= end) return;
    out.push_back({text.substr(begin, end - begin), stretch.at_start && begin == 0, id});
  };
  if (patterns.empty()) {
    append(0, text.size(), -1);
    return;
  }
  const std::string bytes = utf8_of(text);
  std::size_t done = 0;  // characters before it are in `out`
  std::size_t at = 0;
  for (std::size_t byte = 0; byte < bytes.size();) {
    const auto [size, id] = patterns.longest(std::string_view(bytes).substr(byte));
    const std::size_t step = size > 0 ? size : 1;
    const std::size_t start = at;
    for (std::size_t i = byte; i < byte + step; ++i) {
      at += (static_cast<std::uint8_t>(bytes[i]) & 0xC0U) != 0x80 ? 1 : 0;
    }
    byte += step;
    if (size == 0) continue;
    const Token& token = tokens_.at(id);
    const bool inside_word =
        (start > 0 && hf::is_word(text[start - 1])) || (at < text.size() && hf::is_word(text[at]));
    if (token.single_word && inside_word) continue;
    std::size_t begin = start;
    std::size_t end = at;
    while (token.lstrip && begin > done && hf::is_white_space(text[begin - 1])) --begin;
    while (token.rstrip && end < text.size() && hf::is_white_space(text[end])) ++end;
    append(done, begin, -1);
    out.push_back({text.substr(begin, end - begin), false, id});
    done = end;
  }
  append(done, text.size(), -1);
}

std::vector<Stretch> JsonAddedTokens::extract(std::string_view text,
                                              const JsonNormalizer* normalizer) const {
  std::vector<Stretch> plain;
  split({code_points(text), true, -1}, plain_, plain);
  std::vector<Stretch> out;
  for (Stretch& stretch : plain) {
    if (stretch.id >= 0) {
      out.push_back(std::move(stretch));
      continue;
    }
    if (normalizer != nullptr) normalizer->apply(stretch);
    split(stretch, normalized_, out);
  }
  return out;
}

}  // namespace tandem
