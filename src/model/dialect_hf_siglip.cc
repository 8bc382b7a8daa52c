// transformers' SiglipModel, which holds SigLIP 1 and SigLIP 2 at fixed resolutions, and its
// Siglip2Model (NaFlex): config.json, model.safetensors (or its shards), preprocessor_config.json.
// Source: transformers 5.23 models/siglip and models/siglip2.
#include <cmath>
#include <fmt/format.h>

#include "core/error.h"
#include "model/config_reader.h"
#include "model/dialect.h"
#include "model/hf_folder.h"
#include "model/hf_preprocess.h"
#include "model/timm.h"
#include "model/timm_vit.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;
using namespace config;

constexpr double kEps = 1e-6;
// Rows of the token embedding of SigLIP 2, whose tokenizer is Gemma's.
constexpr int kGemmaVocabulary = 256'000;

// One tensor here and there.
struct Name {
  enum class Kind { kSame, kScalar, kPositions, kJoined, kPooler } kind;
  std::string theirs;  // kJoined: with {} for q, k and v
  std::string ours;    // kPooler: with {} for q and kv
};

std::string part(const std::string& pattern, const char* letter) {
  return fmt::format(fmt::runtime(pattern), letter);
}

bool is_naflex(const VisionConfig& v) { return v.family == VisionFamily::kNaflex; }

class Names {
 public:
  explicit Names(const ModelConfig& config) {
    const std::string text = config.text_scope();
    add(Name::Kind::kScalar, "logit_scale", "logit_scale");
    add(Name::Kind::kScalar, "logit_bias", "logit_bias");
    const bool varied = is_naflex(config.vision);
    both("vision_model.embeddings.patch_embedding",
         varied ? "visual.trunk.embeds.proj" : "visual.trunk.patch_embed.proj");
    add(Name::Kind::kPositions, "vision_model.embeddings.position_embedding.weight",
        varied ? "visual.trunk.embeds.pos_embed" : "visual.trunk.pos_embed");
    for (int i = 0; i < config.vision.layers; ++i)
      block(fmt::format("vision_model.encoder.layers.{}.", i),
            fmt::format("visual.trunk.blocks.{}.", i),
            {"norm1", "norm2", "attn.qkv.", "attn.proj", "mlp.fc1", "mlp.fc2"});
    both("vision_model.post_layernorm", "visual.trunk.norm");
    pooler("vision_model.head.", "visual.trunk.attn_pool.");
    add(Name::Kind::kSame, "text_model.embeddings.token_embedding.weight",
        text + "token_embedding.weight");
    add(Name::Kind::kSame, "text_model.embeddings.position_embedding.weight",
        text + "positional_embedding");
    for (int i = 0; i < config.text.layers; ++i)
      block(fmt::format("text_model.encoder.layers.{}.", i),
            fmt::format("{}transformer.resblocks.{}.", text, i),
            {"ln_1", "ln_2", "attn.in_proj_", "attn.out_proj", "mlp.c_fc", "mlp.c_proj"});
    both("text_model.final_layer_norm", text + "ln_final");
    both("text_model.head", text + "text_projection");
  }
  const std::vector<Name>& list() const { return names_; }

 private:
  // What a block's parts are called in Tandem.
  struct Parts {
    const char *norm1, *norm2, *qkv, *proj, *fc1, *fc2;
  };
  void add(Name::Kind kind, const std::string& theirs, const std::string& ours) {
    names_.push_back({kind, theirs, ours});
  }
  void both(const std::string& theirs, const std::string& ours) {
    for (const char* end : {".weight", ".bias"}) add(Name::Kind::kSame, theirs + end, ours + end);
  }
  void block(const std::string& theirs, const std::string& ours, const Parts& parts) {
    both(theirs + "layer_norm1", ours + parts.norm1);
    both(theirs + "layer_norm2", ours + parts.norm2);
    for (const char* end : {"weight", "bias"})
      add(Name::Kind::kJoined, theirs + "self_attn.{}_proj." + end, ours + parts.qkv + end);
    both(theirs + "self_attn.out_proj", ours + parts.proj);
    both(theirs + "mlp.fc1", ours + parts.fc1);
    both(theirs + "mlp.fc2", ours + parts.fc2);
  }
  void pooler(const std::string& theirs, const std::string& ours) {
    add(Name::Kind::kSame, theirs + "probe", ours + "latent");
    for (const char* end : {"weight", "bias"})
      add(Name::Kind::kPooler, theirs + "attention.in_proj_" + end, ours + "{}." + end);
    both(theirs + "attention.out_proj", ours + "proj");
    both(theirs + "layernorm", ours + "norm");
    both(theirs + "mlp.fc1", ours + "mlp.fc1");
    both(theirs + "mlp.fc2", ours + "mlp.fc2");
  }
  std::vector<Name> names_;
};

bool tanh_gelu(const Reader& r) {
  const std::string name = r.text("hidden_act", "gelu_pytorch_tanh");
  if (name == "gelu_pytorch_tanh" || name == "gelu_new" || name == "gelu_fast") return true;
  if (name == "gelu" || name == "gelu_python") return false;
  throw Error(Kind::kUnsupported, fmt::format("{}: \"{}\" is not supported. Expected "
                                              "\"gelu_pytorch_tanh\" or \"gelu\".",
                                              path_of(r, "hidden_act"), name));
}

void check_eps(const Reader& r) {
  if (std::abs(r.number("layer_norm_eps", kEps) - kEps) > 1e-12)
    throw Error(Kind::kUnsupported, path_of(r, "layer_norm_eps") + ": expected 1e-06.");
}

// timm's name for a tower of this shape; else one whose shape differs (timm_shape says how).
std::string_view timm_name(const VisionConfig& v) {
  const TimmVitModel* best = nullptr;
  int best_score = -1;
  for (const std::string& name : timm_vit_names()) {
    const TimmVitModel& m = *find_timm_vit(name);
    if (m.pool() != "map" || m.naflex != is_naflex(v)) continue;
    const bool shape =
        m.width == v.width && m.layers == v.layers && m.heads == v.heads() &&
        static_cast<int>(m.width * m.mlp_ratio) == static_cast<int>(v.width * v.mlp_ratio);
    const int score = 8 * shape + 4 * (m.patch_px == v.patch_px) +
                      2 * (m.gelu_tanh == v.gelu_tanh) + (m.image_px == v.image_size_px);
    if (score > best_score) best = &m, best_score = score;
  }
  return best->name;
}

// Of the grid of positions.
int naflex_size_px(const Reader& r, int patch_px) {
  const int cells = bounded(r, "num_patches", 256, 1, 65'536);
  const int side = static_cast<int>(std::lround(std::sqrt(cells)));
  if (side * side != cells) corrupt(r, "num_patches", "is not that of a square grid.");
  if (side * patch_px > 4096)
    corrupt(r, "num_patches", fmt::format("is {}, too many of {} pixels.", cells, patch_px));
  return side * patch_px;
}

VisionConfig read_vision_config(const Reader& r, bool naflex) {
  VisionConfig v;
  v.family = naflex ? VisionFamily::kNaflex : VisionFamily::kTimmVit;
  v.patch_px = bounded(r, "patch_size", 16, 1, 256);
  v.image_size_px = naflex ? naflex_size_px(r, v.patch_px) : square_size(r, "image_size", 224);
  v.width = bounded(r, "hidden_size", 768, 1, 16'384);
  v.layers = bounded(r, "num_hidden_layers", 12, 1, 256);
  const int heads = bounded(r, "num_attention_heads", 12, 1, 1024);
  check_divisible(r, "num_attention_heads", v.width, heads);
  v.head_width = v.width / heads;
  const int hidden = bounded(r, "intermediate_size", 3072, 1, 64 * v.width);
  v.mlp_ratio = ratio_for(hidden, v.width);
  v.gelu_tanh = tanh_gelu(r);
  if (bounded(r, "num_channels", 3, 1, 64) != 3) corrupt(r, "num_channels", "is not 3.");
  if (v.grid() < 1)
    corrupt(r, "patch_size", fmt::format("is larger than image_size {}.", v.image_size_px));
  if (!r.boolean("vision_use_head", true))
    throw Error(Kind::kUnsupported, path_of(r, "vision_use_head") +
                                        ": a tower without its pooling head has no embedding.");
  check_eps(r);
  v.timm.model = timm_name(v);
  v.timm.pool = "map";
  v.timm.projection = "none";
  // timm's own spelling of the ratio, so that its name alone says the shape.
  const TimmVitModel& named = timm_vit_model(v);
  if (static_cast<int>(v.width * named.mlp_ratio) == hidden) v.mlp_ratio = named.mlp_ratio;
  return v;
}

TextConfig read_text_config(const Reader& r) {
  TextConfig t;
  t.vocab_size = bounded(r, "vocab_size", 32'000, 514, 1'000'000);
  t.context_length = bounded(r, "max_position_embeddings", 64, 2, 65'536);
  t.width = bounded(r, "hidden_size", 768, 1, 16'384);
  t.layers = bounded(r, "num_hidden_layers", 12, 1, 256);
  t.heads = bounded(r, "num_attention_heads", 12, 1, 1024);
  check_divisible(r, "num_attention_heads", t.width, t.heads);
  t.mlp_ratio = ratio_for(bounded(r, "intermediate_size", 3072, 1, 64 * t.width), t.width);
  t.gelu_tanh = tanh_gelu(r);
  check_eps(r);
  t.eps = kEps;
  t.causal = false;
  t.pool = TextConfig::Pool::kLast;
  t.projection_bias = true;
  // As open_clip's configurations of the same models name them.
  t.tokenizer_name =
      t.vocab_size == kGemmaVocabulary ? "timm/ViT-B-16-SigLIP2" : "timm/ViT-B-16-SigLIP";
  t.tokenizer_clean = "canonicalize";
  return t;
}

bool recognises(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored) || !fs::exists(path / "config.json", ignored)) return false;
  try {
    const json::value v = json::read(path / "config.json");
    const std::string type = json::Reader(v, "config.json").text("model_type", "");
    return type.starts_with("siglip");
  } catch (const Error&) {
    return false;
  }
}

Checkpoint read(const fs::path& folder) {
  return read_hf_folder(folder, parse_hf_siglip_config, rename_hf_siglip);
}

// Throws unless SiglipModel computes the same.
void check_expressible(const ModelConfig& c) {
  const auto refuse = [](const char* what) {
    throw Error(Kind::kUnsupported,
                fmt::format("dialect hf-siglip: {} cannot be expressed: transformers' SiglipModel "
                            "has nothing like it. Use --to open-clip.",
                            what));
  };
  const VisionConfig& v = c.vision;
  const TextConfig& t = c.text;
  if (!is_naflex(v) && (v.family != VisionFamily::kTimmVit || timm_vit_model(v).clip))
    refuse("an image tower that is not SigLIP's");
  if (timm_vit_head(v).pool != "map" || v.timm.projection != "none")
    refuse("a tower that does not end in attention pooling");
  if (c.multimodal) refuse("multimodal_cfg");
  if (!c.init_logit_bias) refuse("a model without logit bias");
  if (!t.hf.model.empty()) refuse("a Hugging Face text tower");
  if (t.causal || t.pool != TextConfig::Pool::kLast || t.embed_class)
    refuse("a text tower that is not bidirectional and pooled at its last row");
  if (!t.projection || !t.projection_bias) refuse("text_cfg without proj_bias");
  if (t.layer_scale) refuse("ls_init_value");
  if (t.tokenizer_clean != "canonicalize") refuse("texts that SigLIP's tokenizer does not read");
  if (std::abs(t.eps - kEps) > 1e-12) refuse("a text tower whose norms' eps is not 1e-6");
}

json::object config_json(const ModelConfig& c) {
  const VisionConfig& v = c.vision;
  const TextConfig& t = c.text;
  const auto act = [](bool tanh) { return tanh ? "gelu_pytorch_tanh" : "gelu"; };
  const bool varied = is_naflex(v);
  const std::string type = varied ? "siglip2" : "siglip";
  json::object vision{{"model_type", type + "_vision_model"},
                      {"hidden_size", v.width},
                      {"intermediate_size", static_cast<int>(v.width * v.mlp_ratio)},
                      {"num_hidden_layers", v.layers},
                      {"num_attention_heads", v.heads()},
                      {"num_channels", 3},
                      {"patch_size", v.patch_px},
                      {"hidden_act", act(v.gelu_tanh)},
                      {"layer_norm_eps", kEps}};
  if (varied) {
    vision["num_patches"] = v.grid() * v.grid();
  } else {
    vision["image_size"] = v.image_size_px;
  }
  const json::object text{{"model_type", type + "_text_model"},
                          {"vocab_size", t.vocab_size},
                          {"hidden_size", t.width},
                          {"intermediate_size", static_cast<int>(t.width * t.mlp_ratio)},
                          {"num_hidden_layers", t.layers},
                          {"num_attention_heads", t.heads},
                          {"max_position_embeddings", t.context_length},
                          {"projection_size", c.embed_dim},
                          {"hidden_act", act(t.gelu_tanh)},
                          {"layer_norm_eps", kEps}};
  return {{"architectures", json::array{varied ? "Siglip2Model" : "SiglipModel"}},
          {"model_type", type},
          {"vision_config", vision},
          {"text_config", text}};
}

void write_one(TensorRenamer& renamer, const Name& name) {
  const auto& shape = renamer
                          .at(name.kind == Name::Kind::kJoined   ? name.ours
                              : name.kind == Name::Kind::kPooler ? part(name.ours, "q")
                                                                 : name.ours)
                          .shape;
  switch (name.kind) {
    case Name::Kind::kSame:
      return renamer.rename(name.ours, name.theirs);
    case Name::Kind::kScalar:
      return renamer.reshape(name.ours, name.theirs, {1});
    case Name::Kind::kPositions:
      return renamer.reshape(name.ours, name.theirs,
                             {renamer.at(name.ours).count() / shape.back(), shape.back()});
    case Name::Kind::kPooler:
      return renamer.join({part(name.ours, "q"), part(name.ours, "kv")}, name.theirs);
    case Name::Kind::kJoined:
      break;
  }
  const std::int64_t rows = shape.at(0) / 3;
  int i = 0;
  for (const char* letter : {"q", "k", "v"}) {
    renamer.slice(name.ours, part(name.theirs, letter), i * rows, (i + 1) * rows);
    ++i;
  }
}

void write(const Checkpoint& checkpoint, const fs::path& folder, DType dtype) {
  const ModelConfig& c = checkpoint.config;
  check_expressible(c);
  const json::object preprocess = hf_preprocess_json(
      c.preprocess, is_naflex(c.vision) ? "Siglip2ImageProcessor" : "SiglipImageProcessor");
  const TensorMap from = with_dtype(checkpoint.weights, dtype);
  TensorRenamer renamer(from, checkpoint.name);
  const Names names(c);
  for (const Name& name : names.list()) write_one(renamer, name);
  write_hf_folder(folder, renamer.take(), preprocess, config_json(c));
}

}  // namespace

ModelConfig parse_hf_siglip_config(const json::value& v, const std::string& where) {
  const Reader root(v, where);
  const std::string type = root.text("model_type", "siglip");
  if (type != "siglip" && type != "siglip2") {
    throw Error(Kind::kUnsupported,
                fmt::format("{}: model_type \"{}\" is not supported. Expected \"siglip\" or "
                            "\"siglip2\": whole models.",
                            where, type));
  }
  const json::value empty = json::object{};
  const auto section = [&](const std::string& name) {
    if (auto own = root.child(name)) return *own;
    return Reader(empty, where + ": " + name);
  };
  const Reader text = section("text_config");
  ModelConfig config;
  config.custom_text = true;
  config.vision = read_vision_config(section("vision_config"), type == "siglip2");
  config.text = read_text_config(text);
  config.embed_dim = bounded(text, "projection_size", config.text.width, 1, 16'384);
  if (config.embed_dim != config.vision.width)
    corrupt(text, "projection_size", "is not vision_config.hidden_size: no shared space.");
  config.preprocess = default_preprocess(config.vision);
  config.init_logit_bias = -10.0;  // as SigLIP was trained (Zhai et al. 2023, section 3.2)
  return config;
}

TensorMap rename_hf_siglip(const TensorMap& theirs, const ModelConfig& config,
                           const std::string& where) {
  TensorRenamer renamer(theirs, where);
  const std::int64_t d = config.vision.width;
  const Names names(config);
  for (const auto& [kind, from, to] : names.list()) {
    switch (kind) {
      case Name::Kind::kSame:
        renamer.rename(from, to);
        break;
      case Name::Kind::kScalar:
        renamer.reshape(from, to, {});
        break;
      case Name::Kind::kPositions: {
        const auto& shape = renamer.at(from).shape;
        const std::int64_t rows = shape.empty() ? 0 : shape[0];
        if (is_naflex(config.vision)) {
          const std::int64_t side = config.vision.grid();
          renamer.reshape(from, to, {1, side, side, d});
        } else {
          renamer.reshape(from, to, {1, rows, d});
        }
        break;
      }
      case Name::Kind::kJoined:
        renamer.join({part(from, "q"), part(from, "k"), part(from, "v")}, to);
        break;
      case Name::Kind::kPooler:
        renamer.slice(from, part(to, "q"), 0, d);
        renamer.slice(from, part(to, "kv"), d, 3 * d);
        break;
    }
  }
  renamer.ignore("text_model.embeddings.position_ids");
  renamer.ignore("vision_model.embeddings.position_ids");
  return renamer.take();
}

const Dialect& hf_siglip_dialect() {
  static const Dialect kDialect = {"hf-siglip",
                                   "transformers' SiglipModel and Siglip2Model: config.json, "
                                   "preprocessor_config.json, model.safetensors",
                                   recognises, read, write};
  return kDialect;
}

}  // namespace tandem
