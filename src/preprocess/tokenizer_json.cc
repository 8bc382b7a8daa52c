#include "preprocess/tokenizer_json.h"

#include <algorithm>
#include <array>

#include "preprocess/code_points.h"
#include "preprocess/json_added.h"
#include "preprocess/json_frame.h"
#include "preprocess/json_model.h"
#include "preprocess/json_normalizer.h"
#include "preprocess/json_splitter.h"

namespace tandem {
namespace {

std::unique_ptr<JsonNormalizer> read_normalizer(const JsonPart& root,
                                                const TokenizerJsonOptions& options) {
  auto own = root.has("normalizer") ? make_json_normalizer(root.part("normalizer")) : nullptr;
  return options.lowercase ? lowercase_before(std::move(own)) : std::move(own);
}

std::unique_ptr<JsonSplitter> read_splitter(const JsonPart& root) {
  return root.has("pre_tokenizer") ? make_json_splitter(root.part("pre_tokenizer")) : nullptr;
}

// The reference stops at a key it does not know.
void check_keys(const JsonPart& root) {
  constexpr std::array<std::string_view, 9> kKnown = {
      "version",       "truncation",     "padding", "added_tokens", "normalizer",
      "pre_tokenizer", "post_processor", "decoder", "model"};
  for (const auto& [key, value] : root.raw()) {
    if (std::find(kKnown.begin(), kKnown.end(), std::string_view(key)) == kKnown.end()) {
      root.corrupt(key, "no such key");
    }
  }
}

class TokenizerJson final : public IdSource {
 public:
  TokenizerJson(const JsonPart& root, const TokenizerJsonOptions& options)
      : normalizer_(read_normalizer(root, options)),
        splitter_(read_splitter(root)),
        model_(make_json_model(root.part("model"))),
        added_(root, *model_, normalizer_.get()) {
    check_keys(root);
    if (root.raw().contains("version") && root.text("version") != "1.0") {
      root.corrupt("version", "1.0");
    }
    if (root.has("post_processor")) affixes_ = read_json_affixes(root.part("post_processor"));
    if (root.has("decoder")) check_json_decoder(root.part("decoder"));
    if (root.has("truncation")) check_json_truncation(root.part("truncation"));
    if (root.has("padding")) check_json_padding(root.part("padding"));
  }

  std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<Stretch> stretches = added_.extract(text, normalizer_.get());
    if (splitter_) splitter_->split(stretches);
    std::vector<std::int32_t> ids;
    for (const Stretch& stretch : stretches) {
      if (stretch.id >= 0) {
        ids.push_back(stretch.id);
      } else if (!stretch.text.empty()) {
        model_->append(utf8_of(stretch.text), ids);
      }
    }
    return ids;
  }

  int vocab_size() const override { return model_->highest_id() + 1; }
  std::int32_t id(std::string_view token) const override { return added_.id(token); }
  std::vector<std::int32_t> prefix() const override { return affixes_.prefix; }
  std::vector<std::int32_t> suffix() const override { return affixes_.suffix; }

 private:
  std::unique_ptr<JsonNormalizer> normalizer_;
  std::unique_ptr<JsonSplitter> splitter_;
  std::unique_ptr<JsonModel> model_;
  JsonAddedTokens added_;
  JsonAffixes affixes_;
};

}  // namespace

std::unique_ptr<IdSource> read_tokenizer_json(std::string_view text, const std::string& name,
                                              const TokenizerJsonOptions& options) {
  const json::value root = json::parse(text, name);
  return std::make_unique<TokenizerJson>(JsonPart(root, name), options);
}

}  // namespace tandem
