#include "preprocess/json_model.h"

#include <algorithm>
#include <array>

namespace tandem {

JsonVocabulary::JsonVocabulary(const JsonPart& model) {
  std::vector<std::pair<std::string_view, std::int32_t>> entries;
  const json::object& vocabulary = model.object("vocab");
  entries.reserve(vocabulary.size());
  for (const auto& [token, value] : vocabulary) {
    const auto id = json_id(value);
    if (!id) model.corrupt("vocab." + std::string(token), "an id");
    entries.emplace_back(token, *id);
    highest_ = std::max(highest_, *id);
  }
  count_ = static_cast<std::int32_t>(entries.size());
  trie_ = PieceTrie(std::move(entries));
}

std::int32_t JsonVocabulary::required(const JsonPart& model, std::string_view key,
                                      std::string_view token) const {
  const std::int32_t found = id(token);
  if (found < 0) model.corrupt(key, "a token of the vocabulary, not " + std::string(token));
  return found;
}

std::unique_ptr<JsonModel> make_json_model(const JsonPart& part) {
  const std::string type = part.type();
  if (type == "BPE") return make_json_bpe(part);
  if (type == "Unigram") return make_json_unigram(part);
  if (type == "WordPiece") return make_json_wordpiece(part);
  part.unsupported("model \"" + type + "\" is not one of BPE, Unigram and WordPiece.");
}

std::vector<std::int32_t> byte_ids(const PieceTrie& tokens) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::vector<std::int32_t> ids;
  std::string name = "<0x00>";
  for (std::size_t byte = 0; byte < 256; ++byte) {
    name[3] = kDigits[byte / 16];
    name[4] = kDigits[byte % 16];
    ids.push_back(tokens.find(name));
  }
  return ids;
}

}  // namespace tandem
