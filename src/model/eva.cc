#include "model/eva.h"

#include <array>
#include <cmath>
#include <fmt/format.h>

#include "core/error.h"
#include "model/timm.h"

namespace tandem {
namespace {

using Is = EvaModel::Kind;

// timm 1.0.31 models/eva.py, those that open_clip's configurations name. Ratios as they are given
// there: int(width * ratio) is the MLP's width.
constexpr double kThirds = 4.0 * 2 / 3;
constexpr std::array kModels{
    EvaModel{"eva_giant_patch14_224", Is::kEva01, 224, 14, 1408, 40, 16, 6144.0 / 1408, 0, 0, true,
             "avg"},
    EvaModel{"eva_giant_patch14_clip_224", Is::kEva01, 224, 14, 1408, 40, 16, 6144.0 / 1408},
    EvaModel{"eva02_base_patch16_clip_224", Is::kEva02, 224, 16, 768, 12, 12, kThirds, 16},
    EvaModel{"eva02_large_patch14_clip_224", Is::kEva02, 224, 14, 1024, 24, 16, kThirds, 16},
    EvaModel{"eva02_large_patch14_clip_336", Is::kEva02, 336, 14, 1024, 24, 16, kThirds, 16},
    EvaModel{"eva02_enormous_patch14_clip_224", Is::kEvaPost, 224, 14, 1792, 64, 16,
             15360.0 / 1792},
    EvaModel{"vit_pe_core_tiny_patch16_384", Is::kPerception, 384, 16, 192, 12, 3, 4, 24, 1, true,
             "map"},
    EvaModel{"vit_pe_core_small_patch16_384", Is::kPerception, 384, 16, 384, 12, 6, 4, 24, 1, true,
             "map"},
    EvaModel{"vit_pe_core_base_patch16_224", Is::kPerception, 224, 16, 768, 12, 12, 4, 14, 1, true,
             "map"},
    EvaModel{"vit_pe_core_large_patch14_336", Is::kPerception, 336, 14, 1024, 24, 16, 4, 24, 1,
             true, "map"},
    EvaModel{"vit_pe_core_gigantic_patch14_448", Is::kPerception, 448, 14, 1536, 50, 16,
             8960.0 / 1536, 32, 0, false, "map"},
};

[[noreturn]] void refuse_pool(const VisionConfig& vision, const std::string& expected) {
  throw Error(Kind::kUnsupported,
              fmt::format("timm_pool \"{}\" of {} is not supported. Expected {}.", vision.timm.pool,
                          vision.timm.model, expected));
}

}  // namespace

const EvaModel* find_eva(std::string_view name) {
  for (const EvaModel& model : kModels) {
    if (model.name == name) return &model;
  }
  return nullptr;
}

const EvaModel& eva_model(const VisionConfig& vision) {
  const EvaModel* model = find_eva(vision.timm.model);
  if (model == nullptr) {
    throw Error(Kind::kInternal,
                fmt::format("timm_model_name {} is not an EVA.", vision.timm.model));
  }
  return *model;
}

std::vector<std::string> eva_names() {
  std::vector<std::string> names;
  for (const EvaModel& model : kModels) names.emplace_back(model.name);
  return names;
}

bool describe_eva(VisionConfig& vision) {
  const EvaModel* model = find_eva(vision.timm.model);
  if (model == nullptr) return false;
  vision.family = VisionFamily::kEva;
  vision.layers = model->layers;
  vision.width = model->width;
  vision.head_width = model->width / model->heads;
  vision.mlp_ratio = model->mlp_ratio;
  vision.patch_px = model->patch_px;
  if (vision.image_size_px == 0) vision.image_size_px = model->image_px;
  eva_head(vision);  // refuses what there is not
  return true;
}

EvaHead eva_head(const VisionConfig& vision) {
  const EvaModel& model = eva_model(vision);
  // open_clip gives its pool to timm's constructor unless a projection of its own follows; then the
  // trunk is made with its own, which places the norm and the attention pool, and is reset.
  const bool constructed = vision.timm.projection.empty() || vision.timm.projection == "none";
  const std::string made = constructed ? vision.timm.pool : std::string(model.pool);
  EvaHead head;
  head.pool = vision.timm.pool.empty() && !constructed ? made : vision.timm.pool;
  head.norm_first = made != "avg";
  head.pool_heads = model.is(EvaModel::Kind::kPerception) ? 8 : vision.heads();
  if (head.pool == "map" && made == "map") return head;
  if (head.pool == "token" && model.class_token) return head;
  if (head.pool == "avg") return head;
  refuse_pool(vision, model.class_token ? "\"token\", \"avg\" or \"map\"" : "\"avg\" or \"map\"");
}

// Positions count in cells of the grid that the model was trained on; a quarter of a head's
// columns are frequencies, for each of the two axes in turn, each value twice.
std::vector<float> eva_angles(const EvaModel& model, int grid, int head) {
  const int bands = head / 4;
  std::vector<float> table;
  table.reserve(static_cast<std::size_t>(grid) * grid * 2 * head);
  const auto place = [&](int i) {
    return (static_cast<float>(i) + model.rope_offset) / static_cast<float>(grid) *
           static_cast<float>(model.rope_grid);
  };
  const bool across_first = model.is(EvaModel::Kind::kPerception);  // timm: grid_indexing "xy"
  for (int y = 0; y < grid; ++y) {
    for (int x = 0; x < grid; ++x) {
      std::vector<float> angles;
      for (const float at : {place(across_first ? x : y), place(across_first ? y : x)}) {
        for (int i = 0; i < bands; ++i) {
          const float power = static_cast<float>(i) / static_cast<float>(bands);
          angles.insert(angles.end(), 2, at * (1.0F / std::pow(10000.0F, power)));
        }
      }
      for (const float a : angles) table.push_back(static_cast<float>(std::cos(double{a})));
      for (const float a : angles) table.push_back(static_cast<float>(std::sin(double{a})));
    }
  }
  return table;
}

}  // namespace tandem
