#include "preprocess/tokenizer_spec.h"

#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "preprocess/id_source.h"
#include "preprocess/sentencepiece.h"
#include "preprocess/siglip_source.h"
#include "preprocess/tokenizer_clean.h"
#include "preprocess/tokenizer_json.h"

namespace tandem {
namespace {

// The largest in use, XLM-V's tokenizer.json, has about 60 MB.
constexpr std::size_t kLargestFile = std::size_t{1} << 28;

class SentencePieceSource final : public IdSource {
 public:
  SentencePieceSource(SentencePiece model, const TokenizerSpec& spec) : model_(std::move(model)) {
    if (spec.bos_id) prefix_ = {*spec.bos_id};
    if (spec.eos_id) suffix_ = {*spec.eos_id};
  }
  std::vector<std::int32_t> encode(std::string_view text) const override {
    return model_.encode(text);
  }
  int vocab_size() const override { return model_.vocab_size(); }
  std::int32_t id(std::string_view token) const override { return model_.id(token); }
  std::vector<std::int32_t> prefix() const override { return prefix_; }
  std::vector<std::int32_t> suffix() const override { return suffix_; }

 private:
  SentencePiece model_;
  std::vector<std::int32_t> prefix_;
  std::vector<std::int32_t> suffix_;
};

void cut_after(std::vector<std::int32_t>& ids, std::int32_t stop) {
  const auto found = std::find(ids.begin(), ids.end(), stop);
  if (found != ids.end()) ids.erase(found + 1, ids.end());
}

// An IdSource as a model reads it: cleaned, cut, with start and end, padded.
class SpecTokenizer final : public Tokenizer {
 public:
  SpecTokenizer(const TokenizerSpec& spec, std::unique_ptr<IdSource> source, std::string name)
      : spec_(spec), source_(std::move(source)), name_(std::move(name)) {
    if (!spec_.pad_token.empty()) spec_.pad_id = named(spec_.pad_token);
    if (!spec_.strip_sep_token.empty()) spec_.strip_sep_id = named(spec_.strip_sep_token);
    if (!spec_.stop_after_token.empty()) spec_.stop_after_id = named(spec_.stop_after_token);
    if (spec_.around) {
      const auto& [bos, eos] = *spec_.around;
      if (!bos.empty()) prefix_ = {named(bos)};
      if (!eos.empty()) suffix_ = {named(eos)};
    } else if (spec_.clips_class_id) {
      prefix_ = {spec_.bos_id.value()};
      suffix_ = {spec_.eos_id.value()};
    } else {
      prefix_ = source_->prefix();
      suffix_ = source_->suffix();
    }
  }

  std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<std::int32_t> ids = prefix_;
    // SiglipTokenizer cleans between the special tokens it finds, so its source does.
    const bool cleans_itself =
        spec_.clean == TextClean::kSiglip && spec_.kind == TokenizerKind::kSentencePiece;
    const auto inner =
        source_->encode(cleaned(text, cleans_itself ? TextClean::kNone : spec_.clean));
    const std::size_t around = prefix_.size() + suffix_.size() + (spec_.clips_class_id ? 1 : 0);
    const auto limit = static_cast<std::size_t>(spec_.context_length);
    const std::size_t room = limit - std::min(limit, around);
    ids.insert(ids.end(), inner.begin(),
               inner.begin() + static_cast<std::ptrdiff_t>(std::min(room, inner.size())));
    if (!source_->ends_once() || ids.empty() || ids.back() != suffix_.at(0)) {
      ids.insert(ids.end(), suffix_.begin(), suffix_.end());
    }
    finish(ids);
    return ids;
  }

  int context_length() const override { return spec_.context_length; }
  int vocab_size() const override {
    return spec_.vocab_size > 0 ? spec_.vocab_size : source_->vocab_size();
  }

 private:
  std::int32_t named(const std::string& token) const {
    const std::int32_t id = source_->id(token);
    if (id < 0) throw Error(Kind::kInput, name_ + ": has no token " + token + ".");
    return id;
  }

  void finish(std::vector<std::int32_t>& ids) const {
    if (spec_.stop_after_id) cut_after(ids, *spec_.stop_after_id);
    if (spec_.strip_sep_id) std::replace(ids.begin(), ids.end(), *spec_.strip_sep_id, 0);
    const auto limit = static_cast<std::size_t>(spec_.context_length);
    if (spec_.clips_class_id) {
      ids.resize(limit - 1, spec_.pad_id);
      ids.push_back(*spec_.clips_class_id);
    } else if (spec_.pad_to_context && ids.size() < limit) {
      ids.resize(limit, spec_.pad_id);
    }
    for (const std::int32_t id : ids) {
      if (spec_.vocab_size > 0 && id >= spec_.vocab_size) {
        throw Error(Kind::kInput, name_ + ": a text holds the added token " + std::to_string(id) +
                                      ", for which the model has no row. Expected ids below " +
                                      std::to_string(spec_.vocab_size) + ".");
      }
    }
  }

  TokenizerSpec spec_;
  std::unique_ptr<IdSource> source_;
  std::string name_;
  std::vector<std::int32_t> prefix_;
  std::vector<std::int32_t> suffix_;
};

// CLIP's tokenizer, cut after the first end of text or padded where the spec asks for it.
class FinishedClip final : public Tokenizer {
 public:
  FinishedClip(std::unique_ptr<Tokenizer> inner, const TokenizerSpec& spec)
      : inner_(std::move(inner)), spec_(spec) {}
  std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<std::int32_t> ids = inner_->encode(text);
    if (spec_.stop_after_id) cut_after(ids, *spec_.stop_after_id);
    if (spec_.pad_to_context) ids.resize(static_cast<std::size_t>(context_length()), spec_.pad_id);
    return ids;
  }
  int context_length() const override { return inner_->context_length(); }
  int vocab_size() const override { return inner_->vocab_size(); }

 private:
  std::unique_ptr<Tokenizer> inner_;
  TokenizerSpec spec_;
};

void check(const TokenizerSpec& spec, const std::string& name) {
  const auto fail = [&](const std::string& what) { throw Error(Kind::kInput, name + ": " + what); };
  // 1 << 20: no tower reads more; a bound for what padding allocates.
  if (spec.context_length < 1 || spec.context_length > 1 << 20) {
    fail("context length " + std::to_string(spec.context_length) + ". Expected 1 to 1048576.");
  }
  if (spec.vocab_size < 0) fail("a negative vocabulary size.");
  const bool clips = spec.clips_class_id.has_value();
  if (clips && (!spec.bos_id || !spec.eos_id || spec.context_length < 3)) {
    fail("the mode \"clips\" needs bos_id, eos_id and a context length of at least 3.");
  }
  for (const auto& id :
       {spec.bos_id, spec.eos_id, spec.clips_class_id, std::optional<std::int32_t>(spec.pad_id)}) {
    if (id && (*id < 0 || (spec.vocab_size > 0 && *id >= spec.vocab_size))) {
      fail("special id " + std::to_string(*id) + " is outside a vocabulary of " +
           std::to_string(spec.vocab_size) + ".");
    }
  }
}

std::unique_ptr<Tokenizer> make_clip(const TokenizerSpec& spec, std::string_view merges,
                                     const std::string& name) {
  if (spec.clean != TextClean::kLower) {
    throw Error(Kind::kUnsupported,
                name + ": CLIP's byte pairs with another cleaning than \"lower\".");
  }
  auto clip = make_clip_tokenizer(
      merges, {.context_length = spec.context_length, .vocab_size = spec.vocab_size});
  if (!spec.stop_after_id && !spec.pad_to_context) return clip;
  return std::make_unique<FinishedClip>(std::move(clip), spec);
}

std::unique_ptr<IdSource> make_sentencepiece(const TokenizerSpec& spec, std::string_view bytes,
                                             const std::string& name) {
  SentencePiece model(parse_sentencepiece_model(bytes, name), name);
  if (spec.clean == TextClean::kSiglip) {
    return make_siglip_source(std::move(model), spec.eos_id.value_or(1));
  }
  return std::make_unique<SentencePieceSource>(std::move(model), spec);
}

}  // namespace

std::unique_ptr<Tokenizer> make_tokenizer(const TokenizerSpec& spec, std::string_view bytes,
                                          const std::string& name) {
  check(spec, name);
  std::unique_ptr<IdSource> source;
  switch (spec.kind) {
    case TokenizerKind::kClipBpe:
      return make_clip(spec, bytes, name);
    case TokenizerKind::kSentencePiece:
      source = make_sentencepiece(spec, bytes, name);
      break;
    case TokenizerKind::kHfJson:
      source = read_tokenizer_json(bytes, name, {.lowercase = spec.clean == TextClean::kLowerOnly});
      break;
  }
  if (spec.vocab_size > 0 && source->vocab_size() > spec.vocab_size) {
    throw Error(Kind::kInput, name + ": " + std::to_string(source->vocab_size()) +
                                  " pieces for a model of " + std::to_string(spec.vocab_size) +
                                  ". Expected the tokenizer that the model was trained with.");
  }
  return std::make_unique<SpecTokenizer>(spec, std::move(source), name);
}

std::unique_ptr<Tokenizer> make_tokenizer(const TokenizerSpec& spec,
                                          const std::filesystem::path& file) {
  return make_tokenizer(spec, read_text_file(file, kLargestFile), file.string());
}

}  // namespace tandem
