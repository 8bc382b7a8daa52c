// The names that Apple (ml-mobileclip) gives the tensors of MobileCLIP, in a .safetensors file made
// of its .pt. Source: open_clip 3.3 convert.py, timm 1.0.31 checkpoint_filter_fn of fastvit.py and
// vision_transformer_hybrid.py. Such files carry no configuration: the shapes of their tensors say
// which model it is.
#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <optional>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/safetensors.h"
#include "model/dialect.h"
#include "model/fastvit.h"
#include "model/timm.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;
using Replacement = std::pair<std::string_view, std::string_view>;

constexpr std::string_view kImage = "image_encoder.model.";
constexpr std::string_view kText = "text_encoder.";
constexpr const char* kVitMark = "image_encoder.model.patch_emb.0.block.conv.weight";
constexpr const char* kFastVitMark = "image_encoder.model.patch_embed.0.rbr_conv.0.conv.weight";
constexpr const char* kPositions = "text_encoder.positional_embedding.pos_embed.pos_embed";

constexpr std::array kVitNames{
    Replacement{"patch_emb.", "patch_embed.backbone."},
    Replacement{"block.conv", "conv"},
    Replacement{"block.norm", "bn"},
    Replacement{"post_transformer_norm.", "norm."},
    Replacement{"pre_norm_mha.0", "norm1"},
    Replacement{"pre_norm_mha.1", "attn"},
    Replacement{"pre_norm_ffn.0", "norm2"},
    Replacement{"pre_norm_ffn.1", "mlp.fc1"},
    Replacement{"pre_norm_ffn.4", "mlp.fc2"},
    Replacement{"qkv_proj.", "qkv."},
    Replacement{"out_proj.", "proj."},
    Replacement{"transformer.", "blocks."},
};
constexpr std::array kFastVitNames{
    Replacement{"patch_embed", "stem"},     Replacement{"rbr_conv", "conv_kxk"},
    Replacement{"rbr_scale", "conv_scale"}, Replacement{"rbr_skip", "identity"},
    Replacement{"conv_exp", "final_conv"},  Replacement{"lkb_origin", "large_conv"},
    Replacement{"convffn", "mlp"},          Replacement{"se.reduce", "se.fc1"},
    Replacement{"se.expand", "se.fc2"},
};
constexpr std::array kTextNames{
    Replacement{"projection_layer", "text_projection"},
    Replacement{"embedding_layer", "token_embedding"},
    Replacement{"final_layer_norm", "ln_final"},
    Replacement{"pre_norm_mha.0", "ln_1"},
    Replacement{"pre_norm_mha.1", "attn"},
    Replacement{"pre_norm_ffn.0", "ln_2"},
    Replacement{"pre_norm_ffn.1", "mlp.c_fc"},
    Replacement{"pre_norm_ffn.4", "mlp.c_proj"},
    Replacement{"qkv_proj.weight", "in_proj_weight"},
    Replacement{"qkv_proj.bias", "in_proj_bias"},
    Replacement{"transformer.", "transformer.resblocks."},
};

std::string replaced(std::string name, std::span<const Replacement> all) {
  for (const auto& [from, to] : all) {
    const auto at = name.find(from);
    if (at != std::string::npos) name.replace(at, from.size(), to);
  }
  return name;
}

// The number behind "network." and where it ends; nothing for other names.
std::optional<std::pair<int, std::size_t>> place_in_network(std::string_view name) {
  constexpr std::string_view kNetwork = "network.";
  if (!name.starts_with(kNetwork)) return std::nullopt;
  std::size_t end = kNetwork.size();
  int n = 0;
  while (end < name.size() && name[end] >= '0' && name[end] <= '9' && n < 1000)
    n = 10 * n + (name[end++] - '0');
  if (end == kNetwork.size()) return std::nullopt;
  return std::pair{n, end};
}

// Where stages begin in Apple's flat list of parts: at its downsamplings.
std::set<int> stage_places(const TensorMap& theirs) {
  std::set<int> places;
  for (const auto& [name, view] : theirs.tensors) {
    if (!name.starts_with(kImage)) continue;
    const std::string_view rest = std::string_view(name).substr(kImage.size());
    const auto place = place_in_network(rest);
    if (place && rest.substr(place->second).starts_with(".proj")) places.insert(place->first);
  }
  return places;
}

std::string fastvit_name(std::string name, const std::set<int>& stages) {
  name = replaced(std::move(name), kFastVitNames);
  const auto scale = name.find("layer_scale");
  if (scale != std::string::npos && name.find('.', scale) == std::string::npos) name += ".gamma";
  const auto place = place_in_network(name);
  if (!place) return name;
  const auto stage = std::distance(stages.begin(), stages.upper_bound(place->first));
  std::string rest = name.substr(place->second);
  if (rest.starts_with(".proj")) {
    rest = ".downsample" + rest;
  } else if (rest.starts_with(".pe.")) {
    rest = ".pos_emb.pos_enc." + rest.substr(4);
  } else {
    rest = ".blocks" + rest;
  }
  return fmt::format("stages.{}{}", stage, rest);
}

[[noreturn]] void fail(const std::string& where, const std::string& problem) {
  throw Error(Kind::kCorrupt, where + ": " + problem);
}

// The side `axis` of a tensor of that rank, between 1 and 2^20.
int side(const TensorMap& map, const std::string& name, std::size_t rank, std::size_t axis,
         const std::string& where) {
  const auto it = map.tensors.find(name);
  if (it == map.tensors.end())
    fail(where, "tensor \"" + name + "\" is missing. Expected a whole MobileCLIP.");
  const auto& shape = it->second.shape;
  if (shape.size() != rank || shape[axis] < 1 || shape[axis] > 1 << 20) {
    fail(where, fmt::format("tensor \"{}\" has not the shape of a MobileCLIP's. Expected {} "
                            "dimensions.",
                            name, rank));
  }
  return static_cast<int>(shape[axis]);
}

int count_blocks(const TensorMap& map, const std::string& scope, const std::string& probe) {
  int n = 0;
  while (map.contains(fmt::format("{}{}.{}", scope, n, probe))) ++n;
  return n;
}

void infer_fastvit(const TensorMap& theirs, const std::string& where, VisionConfig& vision) {
  const int width = side(theirs, kFastVitMark, 4, 0, where);
  const int first = count_blocks(theirs, "image_encoder.model.network.0.", "layer_scale");
  for (const std::string& name : fastvit_names()) {
    const FastVitModel& model = *find_fastvit(name);
    if (model.width != width || model.layers[0] != first) continue;
    vision.timm.model = name;
    // Both begin alike, and one has a stage more.
    const bool more = model.stages == static_cast<int>(stage_places(theirs).size()) + 1;
    if (more) return;
  }
  if (!vision.timm.model.empty()) return;
  throw Error(Kind::kUnsupported,
              fmt::format("{}: no known MobileCLIP begins with {} blocks of width {}.", where,
                          first, width));
}

void infer_text(const TensorMap& theirs, const std::string& where, TextConfig& text) {
  text.vocab_size = side(theirs, "text_encoder.embedding_layer.weight", 2, 0, where);
  text.width = side(theirs, "text_encoder.embedding_layer.weight", 2, 1, where);
  text.context_length = side(theirs, kPositions, 4, 2, where);
  if (text.width % 64 != 0)
    fail(where, fmt::format("texts are {} wide. Expected a multiple of 64.", text.width));
  text.heads = text.width / 64;
  text.layers = count_blocks(theirs, "text_encoder.transformer.", "pre_norm_mha.0.weight");
  if (text.layers > 0) return;
  throw Error(Kind::kUnsupported,
              where +
                  ": its text tower has convolutions (MobileCLIP-S0), which open_clip does not "
                  "compute either. Expected MobileCLIP-S1, -S2, -B or a MobileCLIP 2.");
}

bool recognises(const fs::path& path) {
  std::error_code ignored;
  if (path.extension() != ".safetensors" || !fs::is_regular_file(path, ignored)) return false;
  try {
    const SafeTensors tensors = read_safetensors(path);
    return tensors.map.contains(kVitMark) || tensors.map.contains(kFastVitMark);
  } catch (const Error&) {
    return false;
  }
}

Checkpoint read(const fs::path& path) {
  const SafeTensors theirs = read_safetensors(path);
  Checkpoint c;
  c.config = infer_mobileclip_config(theirs.map, path.string());
  c.weights = rename_mobileclip(theirs.map, c.config, path.string());
  reparameterise(c.config, c.weights);
  return c;
}

}  // namespace

ModelConfig infer_mobileclip_config(const TensorMap& theirs, const std::string& where) {
  ModelConfig config;
  VisionConfig& v = config.vision;
  const bool vit = theirs.contains(kVitMark);
  v.timm.projection = "";
  v.image_size_px = 0;
  if (vit) {
    v.timm.model = "vit_base_mci_224";
    v.timm.pool = "token";
    config.embed_dim = side(theirs, "image_encoder.model.classifier.proj", 2, 1, where);
  } else {
    infer_fastvit(theirs, where, v);
    v.timm.pool = "avg";
    config.embed_dim = side(theirs, "image_encoder.model.head.proj", 2, 1, where);
  }
  describe_timm(v);
  infer_text(theirs, where, config.text);
  config.text.causal = vit;
  config.custom_text = true;
  config.preprocess.size_px = v.image_size_px;
  config.preprocess.mean = {0, 0, 0};
  config.preprocess.std = {1, 1, 1};
  config.preprocess.interpolation = Filter::kBilinear;
  return config;
}

TensorMap rename_mobileclip(const TensorMap& theirs, const ModelConfig& config,
                            const std::string& where) {
  const bool vit = theirs.contains(kVitMark);
  const std::set<int> stages = stage_places(theirs);
  TensorRenamer renamer(theirs, where);
  const auto head = [&](const std::string& from, const std::string& to) {
    renamer.transpose(from, to + ".weight");
    renamer.put(to + ".bias", {config.embed_dim},
                std::vector<float>(static_cast<std::size_t>(config.embed_dim)));
  };
  for (const auto& [name, view] : theirs.tensors) {
    if (name.starts_with(kText)) {
      const std::string ours = replaced(name.substr(kText.size()), kTextNames);
      if (name == kPositions) {
        renamer.reshape(name, "text.positional_embedding",
                        {config.text.context_length, config.text.width});
      } else {
        renamer.rename(name, "text." + ours);
      }
    } else if (!name.starts_with(kImage)) {
      renamer.rename(name, name);
    } else if (name == "image_encoder.model.classifier.proj") {
      head(name, "visual.trunk.head");
    } else if (name == "image_encoder.model.head.proj") {
      head(name, "visual.trunk.head.fc");
    } else if (name == "image_encoder.model.pos_embed.pos_embed.pos_embed") {
      const std::int64_t cells = view.count() / config.vision.width;
      renamer.reshape(name, "visual.trunk.pos_embed", {1, cells, config.vision.width});
    } else {
      const std::string rest = name.substr(kImage.size());
      renamer.rename(
          name, "visual.trunk." + (vit ? replaced(rest, kVitNames) : fastvit_name(rest, stages)));
    }
  }
  return renamer.take();
}

const Dialect& mobileclip_dialect() {
  static const Dialect kDialect = {
      "mobileclip", "Apple's own names of MobileCLIP (ml-mobileclip), in a .safetensors file",
      recognises, read, nullptr};
  return kDialect;
}

}  // namespace tandem
