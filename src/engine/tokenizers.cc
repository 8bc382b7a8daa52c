#include "engine/tokenizers.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "core/error.h"
#include "core/json.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

// tokenizer_config.json and special_tokens_map.json: what transformers adds to a tokenizer's file.
class TokenizerConfig {
 public:
  explicit TokenizerConfig(const fs::path& folder) : where_(folder / "tokenizer_config.json") {
    for (const char* name : {"special_tokens_map.json", "tokenizer_config.json"}) {
      if (!fs::is_regular_file(folder / name)) continue;
      const json::value file = json::read(folder / name);
      const json::Reader reader(file, (folder / name).string());
      // The second file wins.
      for (const auto& [key, value] : reader.raw()) values_.get_object()[key] = value;
    }
  }

  std::string where() const { return where_.string(); }
  json::Reader reader() const { return json::Reader(values_, where()); }

  bool has(std::string_view key) const { return reader().has(key); }
  bool flag(std::string_view key) const { return reader().boolean(key, false); }
  std::string text(std::string_view key) const { return reader().text(key, ""); }

  // "pad_token": "<pad>" or {"content": "<pad>", …}.
  std::string token(std::string_view key, std::string_view fallback) const {
    const json::value* value = reader().find(key);
    if (value == nullptr) return std::string(fallback);
    if (value->is_object()) return reader().required_child(key).text("content");
    return reader().text(key);
  }

  bool is_class_of(std::initializer_list<std::string_view> families) const {
    const std::string name = text("tokenizer_class");
    return std::any_of(families.begin(), families.end(),
                       [&](std::string_view family) { return name.find(family) != name.npos; });
  }

 private:
  fs::path where_;
  json::value values_ = json::object();
};

// The first of `names` that is in `folder`.
std::optional<fs::path> first_of(const fs::path& folder, std::span<const std::string_view> names) {
  for (const std::string_view name : names) {
    if (fs::is_regular_file(folder / name)) return folder / name;
  }
  return std::nullopt;
}

constexpr std::array<std::string_view, 1> kJsonName = {"tokenizer.json"};
constexpr std::array<std::string_view, 3> kSentencePieceNames = {
    "spiece.model", "sentencepiece.model", "tokenizer.model"};

// The file, or an error that says which it should be.
fs::path expected_file(const std::optional<fs::path>& found, const fs::path& folder,
                       std::string_view file, const std::string& whose) {
  if (found) return *found;
  throw Error(Kind::kNotFound,
              (folder / file).string() + ": not found. Expected the tokenizer" +
                  (whose.empty() ? "" : " of " + whose) +
                  " beside the weights. \"tandem pull\" fetches it with them; in a folder of your "
                  "own, put it there.");
}

// What a tower needs of its ids, whoever tokenises.
void follow_tower(const TextConfig& text, TokenizerSpec& spec) {
  spec.context_length = text.context_length;
  spec.vocab_size = text.vocab_size;
  // A tower that pools the last row of all reads its padding as well.
  spec.pad_to_context =
      text.reads_padding() || (text.pool == TextConfig::Pool::kLast && text.hf.model.empty());
  if (!text.causal || !text.hf.model.empty() || text.embed_class) return;
  // Pooled at the first end of text; nothing after it counts under a causal mask.
  if (text.pool == TextConfig::Pool::kArgmax) spec.stop_after_id = text.vocab_size - 1;
  if (text.pool == TextConfig::Pool::kEos) spec.stop_after_id = text.eos_id;
}

TokenizerChoice clip_choice(const TextConfig& text, const fs::path& assets) {
  TokenizerChoice choice{{}, assets / "vocab" / "bpe_simple_vocab_16e6.txt"};
  follow_tower(text, choice.spec);
  if (!text.tokenizer_clean.empty() && text.tokenizer_clean != "lower") {
    throw Error(Kind::kUnsupported, "CLIP's byte pairs with the cleaning \"" +
                                        text.tokenizer_clean + "\". Expected \"lower\".");
  }
  return choice;
}

TextClean open_clip_cleaning(const std::string& name) {
  if (name.empty() || name == "whitespace") return TextClean::kWhitespace;
  if (name == "lower") return TextClean::kLower;
  if (name == "canonicalize") return TextClean::kCanonicalize;
  throw Error(Kind::kCorrupt, "tokenizer_kwargs.clean is \"" + name +
                                  "\". Expected whitespace, lower or canonicalize.");
}

void refuse_left(const TokenizerConfig& config, const TokenizerSpec& spec) {
  for (const char* key : {"padding_side", "truncation_side"}) {
    const bool counts = key == std::string_view("truncation_side") || spec.pad_to_context;
    if (counts && config.text(key) == "left") {
      throw Error(Kind::kUnsupported, config.where() + ": " + key +
                                          " is \"left\". Expected \"right\", as CLIP models have "
                                          "it.");
    }
  }
}

// Where transformers would rebuild a part of tokenizer.json from tokenizer_config.json, both must
// say the same.
void check_agreement(const TokenizerConfig& config, const fs::path& file) {
  const bool lower = config.has("do_lower_case") && config.is_class_of({"BertTokenizer"});
  const bool space = config.has("add_prefix_space") &&
                     config.is_class_of({"RobertaTokenizer", "GPT2Tokenizer"}) &&
                     !config.is_class_of({"XLMRoberta"});
  if (!lower && !space) return;
  const json::value whole = json::read(file);
  const json::Reader root(whole, file.string());
  const auto check = [&](std::string_view part, std::string_view key, std::string_view option) {
    const auto child = root.child(part);
    if (!child || !child->has(key) || child->boolean(key, false) == config.flag(option)) return;
    throw Error(Kind::kUnsupported, config.where() + ": " + std::string(option) + " differs from " +
                                        child->where() + "." + std::string(key) + " in " +
                                        file.filename().string() + ". Expected one tokenizer.");
  };
  if (lower) check("normalizer", "lowercase", "do_lower_case");
  if (space) check("pre_tokenizer", "add_prefix_space", "add_prefix_space");
}

// What tokenizer_config.json says about ids.
void follow_config(const TokenizerConfig& config, const fs::path& file, TokenizerSpec& spec) {
  refuse_left(config, spec);
  if (spec.pad_to_context) spec.pad_token = config.token("pad_token", "<pad>");
  if (spec.kind != TokenizerKind::kHfJson) return;
  check_agreement(config, file);
  const bool says = config.has("add_bos_token") || config.has("add_eos_token");
  // These classes make a post-processor of their own.
  if (!says || config.is_class_of({"Bert", "Roberta", "CLIP", "T5"})) return;
  spec.around.emplace();
  if (config.flag("add_bos_token")) spec.around->bos_token = config.token("bos_token", "<bos>");
  if (config.flag("add_eos_token")) spec.around->eos_token = config.token("eos_token", "<eos>");
}

// open_clip's HFTokenizer.
TokenizerChoice open_clip_choice(const TextConfig& text, const fs::path& folder) {
  TokenizerChoice choice;
  auto& [spec, file] = choice;
  follow_tower(text, spec);
  spec.clean = open_clip_cleaning(text.tokenizer_clean);
  spec.kind = TokenizerKind::kHfJson;
  auto found = first_of(folder, kJsonName);
  if (!found) {
    found = first_of(folder, kSentencePieceNames);
    if (found) {
      spec.kind = TokenizerKind::kSentencePiece;
      spec.eos_id = 1;  // `</s>` of T5, mT5 and Gemma
    }
  }
  file = expected_file(found, folder, "tokenizer.json", text.tokenizer_name);
  const TokenizerConfig config(folder);
  follow_config(config, file, spec);
  if (spec.kind == TokenizerKind::kSentencePiece && !config.has("pad_token")) {
    spec.pad_token.clear();
    spec.pad_id = text.pad_id;
  }
  if (text.strip_separator) spec.strip_sep_token = config.token("sep_token", "[SEP]");
  return choice;
}

TokenizerChoice transformers_choice(const TextConfig& text, const fs::path& folder,
                                    const fs::path& assets) {
  const json::value file_json = json::read(folder / "config.json");
  const json::Reader model(file_json, (folder / "config.json").string());
  const std::string type = model.text("model_type", "");
  TokenizerChoice choice;
  auto& [spec, file] = choice;
  follow_tower(text, spec);
  const auto found = first_of(folder, kJsonName);
  if (type == "siglip") {
    spec.kind = TokenizerKind::kSentencePiece;
    spec.clean = TextClean::kSiglip;
    spec.eos_id = 1;
    file = expected_file(first_of(folder, kSentencePieceNames), folder, "spiece.model", "SigLIP");
  } else if (found || type != "clip") {
    spec.kind = TokenizerKind::kHfJson;
    spec.clean = type == "siglip2" ? TextClean::kLowerOnly : TextClean::kNone;
    file = expected_file(found, folder, "tokenizer.json", type);
  } else {
    return clip_choice(text, assets);
  }
  const TokenizerConfig config(folder);
  follow_config(config, file, spec);
  if (type == "siglip" && spec.pad_to_context) spec.pad_token = config.token("pad_token", "</s>");
  if (config.has("model_max_length")) {
    // Files without a limit say 1e30.
    const double longest = config.reader().number("model_max_length");
    if (longest >= 1 && longest < spec.context_length) {
      spec.context_length = static_cast<int>(longest);
    }
  }
  return choice;
}

}  // namespace

TokenizerChoice choose_tokenizer(const ModelConfig& config, const fs::path& model,
                                 const fs::path& assets) {
  const fs::path folder = fs::is_directory(model) ? model : model.parent_path();
  const bool is_transformers = fs::is_directory(model) &&
                               fs::is_regular_file(folder / "config.json") &&
                               !fs::is_regular_file(folder / "open_clip_config.json");
  if (is_transformers) return transformers_choice(config.text, folder, assets);
  if (config.text.tokenizer_name.empty()) return clip_choice(config.text, assets);
  return open_clip_choice(config.text, folder);
}

std::unique_ptr<Tokenizer> load_tokenizer(const ModelConfig& config, const fs::path& model,
                                          const fs::path& assets) {
  const TokenizerChoice choice = choose_tokenizer(config, model, assets);
  return make_tokenizer(choice.spec, choice.file);
}

}  // namespace tandem
