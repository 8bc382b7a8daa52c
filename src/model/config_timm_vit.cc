// vision_cfg.timm_shape: what differs from the shape that timm_model_name names. Tandem's own key,
// for models of sizes that timm has no name for and for transformers' SigLIP, whose GELU is the one
// by tanh under every name. open_clip refuses it rather than computing something else.
#include "model/config_reader.h"
#include "model/timm.h"
#include "model/timm_vit.h"

namespace tandem::config {
namespace {

bool is_timm_vit(const VisionConfig& v) {
  return v.family == VisionFamily::kTimmVit || v.family == VisionFamily::kNaflex;
}

constexpr int kFastVitHead = 32;  // FastViT's heads are this wide, whatever the width

void read_heads(const Reader& shape, VisionConfig& v) {
  const int heads = bounded(shape, "heads", v.heads(), 1, 1024);
  v.width = bounded(shape, "width", v.width, 1, 16'384);
  check_divisible(shape, "heads", v.width, heads);
  v.head_width = v.width / heads;
  if (v.family != VisionFamily::kEva) return;
  check_divisible(shape, "width", v.width, 8);       // pooling's heads
  check_divisible(shape, "heads", v.head_width, 4);  // rotary frequencies of two axes
}

void read_patches(const Reader& shape, VisionConfig& v) {
  if (!shape.has("patch_size")) return;
  if (timm_vit_model(v).stem)
    corrupt(shape, "patch_size", "is not for a name whose patches come from a stem.");
  v.patch_px = bounded(shape, "patch_size", v.patch_px, 1, 256);
}

// The shape that the name alone gives.
VisionConfig named_shape(const VisionConfig& v) {
  VisionConfig named;
  named.timm = v.timm;
  named.image_size_px = v.image_size_px;
  describe_timm(named);
  return named;
}

}  // namespace

void read_timm_shape(const Reader& r, VisionConfig& v) {
  const auto shape = r.child("timm_shape");
  if (!shape) return;
  v.layers = bounded(*shape, "layers", v.layers, 1, 256);
  if (v.family == VisionFamily::kFastVit) {
    refuse_others(*shape, {"width", "layers"}, {});
    v.width = bounded(*shape, "width", v.width, kFastVitHead, 1024);
    return check_divisible(*shape, "width", v.width, kFastVitHead);
  }
  read_heads(*shape, v);
  if (v.family == VisionFamily::kEva)
    return refuse_others(*shape, {"width", "layers", "heads"}, {});
  refuse_others(*shape, {"width", "layers", "heads", "mlp_ratio", "patch_size", "gelu_tanh"}, {});
  if (shape->has("mlp_ratio")) v.mlp_ratio = mlp_ratio(*shape);
  read_patches(*shape, v);
  v.gelu_tanh = shape->boolean("gelu_tanh", v.gelu_tanh);
}

void timm_shape_json(const VisionConfig& v, json::object& o) {
  const VisionConfig named = named_shape(v);
  json::object shape;
  if (v.width != named.width) shape["width"] = v.width;
  if (v.layers != named.layers) shape["layers"] = v.layers;
  if (v.family != VisionFamily::kFastVit && v.heads() != named.heads()) shape["heads"] = v.heads();
  if (is_timm_vit(v)) {
    if (v.mlp_ratio != named.mlp_ratio) shape["mlp_ratio"] = v.mlp_ratio;
    if (v.patch_px != named.patch_px) shape["patch_size"] = v.patch_px;
    if (v.gelu_tanh != named.gelu_tanh) shape["gelu_tanh"] = v.gelu_tanh;
  }
  if (!shape.empty()) o["timm_shape"] = std::move(shape);
}

void check_timm(const Reader& r, const VisionConfig& v, int embed_dim) {
  if (!is_timm_vit(v)) return;
  if (v.grid() < 1)
    corrupt(r, "vision_cfg", "has an image_size smaller than a patch of its timm_model_name.");
  const TimmVitHead head = timm_vit_head(v);
  if (v.family == VisionFamily::kNaflex && head.pool != "map")
    corrupt(r, "vision_cfg", "pools a NaFlex tower otherwise than by timm_pool \"map\".");
  if (v.timm.projection == "none" && v.width != embed_dim)
    corrupt(r, "embed_dim", "is not the image tower's width, which timm_proj \"none\" leaves.");
}

}  // namespace tandem::config
