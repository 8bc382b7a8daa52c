#include "model/timm_vit.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"
#include "model/naflex.h"
#include "model/timm.h"

namespace tandem {
namespace {

// timm 1.0.31, models/vision_transformer.py.
// name, image, patch, width, layers, heads, mlp_ratio, clip, gelu_tanh, averaged, stem, naflex
constexpr TimmVitModel kModels[] = {
    {"vit_base_patch16_siglip_224", 224, 16, 768, 12, 12, 4, false, false, false},
    {"vit_base_patch16_siglip_256", 256, 16, 768, 12, 12, 4, false, false, false},
    {"vit_base_patch16_siglip_384", 384, 16, 768, 12, 12, 4, false, false, false},
    {"vit_base_patch16_siglip_512", 512, 16, 768, 12, 12, 4, false, false, false},
    {"vit_base_patch16_siglip_gap_224", 224, 16, 768, 12, 12, 4, false, false, true},
    {"vit_base_patch16_siglip_gap_256", 256, 16, 768, 12, 12, 4, false, false, true},
    {"vit_base_patch16_siglip_gap_384", 384, 16, 768, 12, 12, 4, false, false, true},
    {"vit_base_patch16_siglip_gap_512", 512, 16, 768, 12, 12, 4, false, false, true},
    {"vit_base_patch32_siglip_256", 256, 32, 768, 12, 12, 4, false, true, false},
    {"vit_base_patch32_siglip_gap_256", 256, 32, 768, 12, 12, 4, false, true, true},
    {"vit_giantopt_patch16_siglip_256", 256, 16, 1536, 40, 16, 4, false, true, false},
    {"vit_giantopt_patch16_siglip_384", 384, 16, 1536, 40, 16, 4, false, true, false},
    {"vit_giantopt_patch16_siglip_gap_256", 256, 16, 1536, 40, 16, 4, false, true, true},
    {"vit_giantopt_patch16_siglip_gap_384", 384, 16, 1536, 40, 16, 4, false, true, true},
    {"vit_large_patch16_siglip_256", 256, 16, 1024, 24, 16, 4, false, false, false},
    {"vit_large_patch16_siglip_384", 384, 16, 1024, 24, 16, 4, false, false, false},
    {"vit_large_patch16_siglip_512", 512, 16, 1024, 24, 16, 4, false, true, false},
    {"vit_large_patch16_siglip_gap_256", 256, 16, 1024, 24, 16, 4, false, false, true},
    {"vit_large_patch16_siglip_gap_384", 384, 16, 1024, 24, 16, 4, false, false, true},
    {"vit_large_patch16_siglip_gap_512", 512, 16, 1024, 24, 16, 4, false, true, true},
    {"vit_so400m_patch14_siglip_224", 224, 14, 1152, 27, 16, 3.7362, false, false, false},
    {"vit_so400m_patch14_siglip_378", 378, 14, 1152, 27, 16, 3.7362, false, false, false},
    {"vit_so400m_patch14_siglip_384", 384, 14, 1152, 27, 16, 3.7362, false, false, false},
    {"vit_so400m_patch14_siglip_gap_224", 224, 14, 1152, 27, 16, 3.7362, false, false, true},
    {"vit_so400m_patch14_siglip_gap_378", 378, 14, 1152, 27, 16, 3.7362, false, false, true},
    {"vit_so400m_patch14_siglip_gap_384", 384, 14, 1152, 27, 16, 3.7362, false, false, true},
    {"vit_so400m_patch14_siglip_gap_448", 448, 14, 1152, 27, 16, 3.7362, false, false, true},
    {"vit_so400m_patch14_siglip_gap_896", 896, 14, 1152, 27, 16, 3.7362, false, false, true},
    {"vit_so400m_patch16_siglip_256", 256, 16, 1152, 27, 16, 3.7362, false, true, false},
    {"vit_so400m_patch16_siglip_384", 384, 16, 1152, 27, 16, 3.7362, false, true, false},
    {"vit_so400m_patch16_siglip_512", 512, 16, 1152, 27, 16, 3.7362, false, true, false},
    {"vit_so400m_patch16_siglip_gap_256", 256, 16, 1152, 27, 16, 3.7362, false, true, true},
    {"vit_so400m_patch16_siglip_gap_384", 384, 16, 1152, 27, 16, 3.7362, false, true, true},
    {"vit_so400m_patch16_siglip_gap_512", 512, 16, 1152, 27, 16, 3.7362, false, true, true},
    {"vit_large_patch14_clip_224", 224, 14, 1024, 24, 16, 4, true, false, false},
    {"vit_large_patch14_clip_336", 336, 14, 1024, 24, 16, 4, true, false, false},
    {"vit_base_patch16_clip_224", 224, 16, 768, 12, 12, 4, true, false, false},
    {"vit_base_patch32_clip_224", 224, 32, 768, 12, 12, 4, true, false, false},
    {"vit_base_mci_224", 224, 16, 768, 12, 12, 4, false, false, false, true},
    // timm 1.0.31, models/naflexvit.py; image: that of the grid of positions.
    {"naflexvit_base_patch16_siglip", 256, 16, 768, 12, 12, 4, false, true, false, false, true},
    {"naflexvit_so400m_patch16_siglip", 256, 16, 1152, 27, 16, 3.7362, false, true, false, false,
     true},
};

}  // namespace

const TimmVitModel* find_timm_vit(std::string_view name) {
  const auto* it = std::find_if(std::begin(kModels), std::end(kModels),
                                [&](const TimmVitModel& m) { return m.name == name; });
  return it == std::end(kModels) ? nullptr : it;
}

const TimmVitModel& timm_vit_model(const VisionConfig& vision) {
  const TimmVitModel* model = find_timm_vit(vision.timm.model);
  if (model != nullptr) return *model;
  throw Error(Kind::kInternal, fmt::format("\"{}\" is not one of timm's ViTs.", vision.timm.model));
}

std::vector<std::string> timm_vit_names() {
  std::vector<std::string> names;
  for (const TimmVitModel& m : kModels) names.emplace_back(m.name);
  return names;
}

bool describe_timm_vit(VisionConfig& vision) {
  const TimmVitModel* model = find_timm_vit(vision.timm.model);
  if (model == nullptr) return false;
  vision.family = model->naflex ? VisionFamily::kNaflex : VisionFamily::kTimmVit;
  vision.layers = model->layers;
  vision.width = model->width;
  vision.head_width = model->width / model->heads;
  vision.mlp_ratio = model->mlp_ratio;
  vision.patch_px = model->patch_px;
  vision.gelu_tanh = model->gelu_tanh;
  if (vision.image_size_px == 0) vision.image_size_px = model->image_px;
  return true;
}

TimmVitHead timm_vit_head(const VisionConfig& vision) {
  const TimmVitModel& model = timm_vit_model(vision);
  const std::string own(model.pool());
  const auto& timm = vision.timm;
  const bool projected = timm.projection == "linear" || timm.projection == "mlp";
  // With a projection of its own, open_clip builds the trunk as timm does and changes the pooling
  // after; then "" keeps timm's. Without, the trunk is built for the pooling asked for.
  const std::string pool = timm.pool.empty() && projected ? own : timm.pool;
  const bool has = pool == "avg" || (pool == "token" && model.class_token()) ||
                   (pool == "map" && !model.class_token() && (own == "map" || !projected));
  if (!has) {
    throw Error(Kind::kUnsupported,
                fmt::format("timm_pool \"{}\" is not supported with {} and timm_proj \"{}\". "
                            "Expected \"{}\" or \"avg\".",
                            timm.pool, model.name, timm.projection, own));
  }
  // timm's fc_norm: on for average pooling unless the name says otherwise.
  const std::string& built = projected ? own : pool;
  return {pool, built != "avg" || model.averaged};
}

std::vector<std::int32_t> class_rows_first(int count, int patches) {
  std::vector<std::int32_t> rows;
  for (int i = 0; i < count; ++i) {
    rows.push_back(count * patches + i);
    for (int p = 0; p < patches; ++p) rows.push_back(i * patches + p);
  }
  return rows;
}

std::vector<std::int32_t> rows_after(const Segments& segments, int skip) {
  std::vector<std::int32_t> rows;
  for (int i = 0; i < segments.count(); ++i) {
    for (int r = segments.offsets[i] + skip; r < segments.offsets[i + 1]; ++r) rows.push_back(r);
  }
  return rows;
}

std::vector<GridSize> grids_of(const PixelBatch& pixels, int patch_px) {
  std::vector<GridSize> grids;
  for (int i = 0; i < pixels.count; ++i) {
    const PictureSize size = pixels.size(i);
    grids.push_back({size.height / patch_px, size.width / patch_px});
  }
  return grids;
}

}  // namespace tandem
