// vision_cfg.timm_shape: what differs from the shape that timm_model_name names. Tandem's own key,
// for SigLIP models of sizes that timm has no name for and for transformers' SigLIP, whose GELU is
// the one by tanh under every name. open_clip refuses it rather than computing something else.
#include "model/config_reader.h"
#include "model/timm_vit.h"

namespace tandem::config {

void read_timm_shape(const Reader& r, VisionConfig& v) {
  const auto shape = r.child("timm_shape");
  if (!shape) return;
  if (v.family != VisionFamily::kTimmVit)
    corrupt(r, "timm_shape", "is only for the names of timm's SigLIP models.");
  refuse_others(*shape, {"width", "layers", "heads", "mlp_ratio", "patch_size", "gelu_tanh"}, {});
  const int heads = bounded(*shape, "heads", v.heads(), 1, 1024);
  v.width = bounded(*shape, "width", v.width, 1, 16'384);
  check_divisible(*shape, "heads", v.width, heads);
  v.head_width = v.width / heads;
  v.layers = bounded(*shape, "layers", v.layers, 1, 256);
  if (shape->has("mlp_ratio")) v.mlp_ratio = mlp_ratio(*shape);
  v.patch_px = bounded(*shape, "patch_size", v.patch_px, 1, 256);
  if (timm_vit_model(v).stem)
    corrupt(r, "timm_shape", "is not for a name whose patches come from a stem.");
  v.gelu_tanh = shape->boolean("gelu_tanh", v.gelu_tanh);
}

void timm_shape_json(const VisionConfig& v, json::object& o) {
  if (v.family != VisionFamily::kTimmVit) return;
  const TimmVitModel& named = timm_vit_model(v);
  json::object shape;
  if (v.width != named.width) shape["width"] = v.width;
  if (v.layers != named.layers) shape["layers"] = v.layers;
  if (v.heads() != named.heads) shape["heads"] = v.heads();
  if (v.mlp_ratio != named.mlp_ratio) shape["mlp_ratio"] = v.mlp_ratio;
  if (v.patch_px != named.patch_px) shape["patch_size"] = v.patch_px;
  if (v.gelu_tanh != named.gelu_tanh) shape["gelu_tanh"] = v.gelu_tanh;
  if (!shape.empty()) o["timm_shape"] = std::move(shape);
}

void check_timm(const Reader& r, const VisionConfig& v, int embed_dim) {
  if (v.family != VisionFamily::kTimmVit) return;
  if (v.grid() < 1)
    corrupt(r, "vision_cfg", "has an image_size smaller than a patch of its timm_model_name.");
  timm_vit_head(v);
  if (v.timm.projection == "none" && v.width != embed_dim)
    corrupt(r, "embed_dim", "is not the image tower's width, which timm_proj \"none\" leaves.");
}

}  // namespace tandem::config
