// WordPiece: the longest piece that the word begins with, then the longest that goes on, and so on.
#include "core/error.h"
#include "preprocess/json_model.h"

namespace tandem {
namespace {

class WordPiece final : public JsonModel {
 public:
  explicit WordPiece(const JsonPart& part)
      : vocabulary_(part),
        unknown_(vocabulary_.required(part, "unk_token", part.text("unk_token"))),
        longest_(static_cast<std::size_t>(part.id("max_input_chars_per_word"))) {
    PieceTrie::Node node = vocabulary_.trie().empty() ? PieceTrie::kNowhere : PieceTrie::kRoot;
    for (const char c : part.text("continuing_subword_prefix")) {
      if (node != PieceTrie::kNowhere) {
        node = vocabulary_.trie().step(node, static_cast<std::uint8_t>(c));
      }
    }
    continuing_ = node;
  }

  void append(std::string_view word, std::vector<std::int32_t>& ids) const override {
    std::size_t characters = 0;
    for (const char c : word) characters += (static_cast<std::uint8_t>(c) & 0xC0U) != 0x80;
    const std::size_t first = ids.size();
    for (std::size_t begin = 0; begin < word.size();) {
      const auto [size, id] =
          characters > longest_
              ? std::pair<std::size_t, std::int32_t>{}
              : longest(word.substr(begin), begin == 0 ? PieceTrie::kRoot : continuing_);
      if (size == 0) {  // the whole word is unknown
        ids.resize(first);
        ids.push_back(unknown_);
        return;
      }
      ids.push_back(id);
      begin += size;
    }
  }

  std::int32_t id(std::string_view token) const override { return vocabulary_.id(token); }
  std::int32_t count() const override { return vocabulary_.count(); }
  std::int32_t highest_id() const override { return vocabulary_.highest_id(); }

 private:
  std::pair<std::size_t, std::int32_t> longest(std::string_view text, PieceTrie::Node node) const {
    std::pair<std::size_t, std::int32_t> found{0, -1};
    const PieceTrie& trie = vocabulary_.trie();
    for (std::size_t i = 0; i < text.size() && node != PieceTrie::kNowhere; ++i) {
      node = trie.step(node, static_cast<std::uint8_t>(text[i]));
      if (node != PieceTrie::kNowhere && trie.value(node) >= 0) found = {i + 1, trie.value(node)};
    }
    return found;
  }

  JsonVocabulary vocabulary_;
  std::int32_t unknown_;
  std::size_t longest_;  // characters of a word; longer ones are unknown
  PieceTrie::Node continuing_ = PieceTrie::kNowhere;
};

}  // namespace

std::unique_ptr<JsonModel> make_json_wordpiece(const JsonPart& part) {
  return std::make_unique<WordPiece>(part);
}

}  // namespace tandem
