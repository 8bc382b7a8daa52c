#include "preprocess/siglip_source.h"

#include <algorithm>

#include "core/error.h"
#include "preprocess/code_points.h"
#include "preprocess/tokenizer_clean.h"
#include "preprocess/unicode.h"

namespace tandem {
namespace {

constexpr char32_t kSpace = 0x2581;

class SiglipSource final : public IdSource {
 public:
  SiglipSource(SentencePiece model, std::int32_t end_id)
      : model_(std::move(model)), end_id_(end_id) {
    const auto& pieces = model_.model().pieces;
    if (end_id < 0 || static_cast<std::size_t>(end_id) >= pieces.size()) {
      throw Error(Kind::kInput, "SigLIP's end of text " + std::to_string(end_id) +
                                    " is not a piece of its SentencePiece model.");
    }
    unknown_ = pieces[static_cast<std::size_t>(model_.model().unknown_id)].text;
    specials_ = {{code_points(pieces[static_cast<std::size_t>(end_id)].text), end_id},
                 {code_points(unknown_), model_.model().unknown_id}};
    unknown_size_ = model_.encode(unknown_).size();
  }

  std::vector<std::int32_t> encode(std::string_view text) const override {
    std::u32string rest = code_points(text);
    std::replace(rest.begin(), rest.end(), kSpace, U' ');
    rest.insert(0, 1, kSpace);
    std::vector<std::int32_t> ids;
    bool begins_with_space = false;  // the space of our own is a token by itself
    bool after_special = false;
    while (!rest.empty()) {
      const auto [at, special] = find_special(rest);
      std::u32string part = rest.substr(0, at);
      if (special != nullptr) strip_end(part);
      if (after_special) strip_start(part);
      if (!part.empty()) append(part, ids);
      if (special == nullptr) break;
      if (!after_special) begins_with_space = is_lone_space(ids);
      if (begins_with_space && !after_special) ids.clear();
      ids.push_back(special->id);
      rest.erase(0, at + special->text.size());
      after_special = true;
    }
    return ids;
  }

  int vocab_size() const override { return model_.vocab_size(); }
  std::int32_t id(std::string_view token) const override { return model_.id(token); }
  std::vector<std::int32_t> suffix() const override { return {end_id_}; }
  bool ends_once() const override { return true; }

 private:
  struct Special {
    std::u32string text;
    std::int32_t id;
  };

  std::pair<std::size_t, const Special*> find_special(std::u32string_view text) const {
    std::pair<std::size_t, const Special*> found{text.size(), nullptr};
    for (const Special& special : specials_) {
      const std::size_t at = text.find(special.text);
      if (at < found.first) found = {at, &special};
    }
    return found;
  }

  static void strip_end(std::u32string& text) {
    while (!text.empty() && is_space(text.back())) text.pop_back();
  }
  static void strip_start(std::u32string& text) {
    text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), is_space));
  }

  bool is_lone_space(const std::vector<std::int32_t>& ids) const {
    return ids.size() == 1 &&
           model_.model().pieces[static_cast<std::size_t>(ids[0])].text == "\xE2\x96\x81";
  }

  // The unknown piece before the text keeps the model from adding a space or taking one away.
  void append(std::u32string_view text, std::vector<std::int32_t>& ids) const {
    const auto some = model_.encode(unknown_ + cleaned(utf8_of(text), TextClean::kSiglip));
    const std::size_t skipped = some.size() >= unknown_size_ ? unknown_size_ : 0;
    ids.insert(ids.end(), some.begin() + static_cast<std::ptrdiff_t>(skipped), some.end());
  }

  SentencePiece model_;
  std::int32_t end_id_;
  std::string unknown_;
  std::size_t unknown_size_ = 0;  // ids of `unknown_` spelt out
  std::vector<Special> specials_;
};

}  // namespace

std::unique_ptr<IdSource> make_siglip_source(SentencePiece model, std::int32_t end_id) {
  return std::make_unique<SiglipSource>(std::move(model), end_id);
}

}  // namespace tandem
