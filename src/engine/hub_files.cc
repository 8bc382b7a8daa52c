#include "engine/hub_files.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "core/error.h"
#include "core/json.h"
#include "engine/hub_cache.h"

namespace tandem {
namespace {

// 1,000,000: more values than any repository's listing has.
constexpr std::size_t kMostValues = 1'000'000;

constexpr std::string_view kOpenClipConfig = "open_clip_config.json";
constexpr std::string_view kOpenClipWeights = "open_clip_model.safetensors";
constexpr std::string_view kWeights = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";
constexpr std::array<std::string_view, 2> kConfigs = {"config.json", "preprocessor_config.json"};
constexpr std::array<std::string_view, 3> kTokenizer = {"tokenizer.json", "tokenizer_config.json",
                                                        "special_tokens_map.json"};
// Read where there is no tokenizer.json.
constexpr std::array<std::string_view, 6> kOlderTokenizers = {
    "spiece.model", "sentencepiece.bpe.model", "tokenizer.model", "vocab.txt", "vocab.json",
    "merges.txt"};

bool is_pickle(std::string_view name) {
  constexpr std::array<std::string_view, 4> kEndings = {".bin", ".pt", ".pth", ".ckpt"};
  return std::any_of(kEndings.begin(), kEndings.end(),
                     [&](std::string_view ending) { return name.ends_with(ending); });
}

[[noreturn]] void throw_no_weights(const HubListing& listing, const std::string& repository) {
  const auto pickle = std::find_if(listing.files.begin(), listing.files.end(),
                                   [](const std::string& name) { return is_pickle(name); });
  if (pickle == listing.files.end()) {
    throw Error(Kind::kNotFound,
                fmt::format("{} has no weights that Tandem reads. Expected {}, {} or {} there.",
                            repository, kOpenClipWeights, kWeights, kIndex));
  }
  throw Error(
      Kind::kUnsupported,
      fmt::format(
          "{0} has its weights only as a pickle ({1}), which can run code when it is read. "
          "Expected .safetensors. Convert it where you trust it: python -c \"import torch, "
          "safetensors.torch as s, huggingface_hub as h; w = torch.load(h.hf_hub_download('{0}', "
          "'{1}'), weights_only=True); s.save_file({{k: v.contiguous() for k, v in "
          "w.get('state_dict', w).items()}}, '{2}')\". Then put its {3} beside that, and give the "
          "folder as "
          "--model.",
          repository, *pickle, kOpenClipWeights, kOpenClipConfig));
}

}  // namespace

HubListing parse_listing(std::string_view text, const std::string& where) {
  const auto value = json::parse(text, where, kMostValues);
  const json::Reader reader(value, where);
  HubListing listing{.commit = reader.text("sha")};
  if (!is_commit(listing.commit))
    throw Error(Kind::kCorrupt, where + ": sha is not a commit. Expected 40 hexadecimal digits.");
  const auto* siblings = reader.find("siblings");
  if (siblings == nullptr || !siblings->is_array())
    throw Error(Kind::kCorrupt, where + ": siblings is not a list. Expected the files' names.");
  for (const auto& sibling : siblings->get_array()) {
    auto name = json::Reader(sibling, where + ": siblings").text("rfilename");
    if (is_hub_file(name)) listing.files.push_back(std::move(name));
  }
  return listing;
}

FileChoice choose_files(const HubListing& listing, const std::string& repository) {
  const auto has = [&](std::string_view name) {
    return std::find(listing.files.begin(), listing.files.end(), name) != listing.files.end();
  };
  FileChoice choice;
  const auto take = [&](std::string_view name) {
    if (has(name)) choice.before.emplace_back(name);
  };
  const auto take_all = [&](const auto& names) { std::for_each(names.begin(), names.end(), take); };
  take(kOpenClipConfig);
  if (has(kOpenClipConfig) && has(kOpenClipWeights)) {
    choice.weights = kOpenClipWeights;
  } else if (has(kWeights) || has(kIndex)) {
    take_all(kConfigs);
    choice.weights = has(kWeights) ? kWeights : kIndex;
  } else if (has(kOpenClipWeights)) {
    choice.weights = kOpenClipWeights;
  } else {
    throw_no_weights(listing, repository);
  }
  take_all(kTokenizer);
  if (!has("tokenizer.json")) take_all(kOlderTokenizers);
  return choice;
}

}  // namespace tandem
