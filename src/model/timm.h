// timm's image towers, as open_clip's TimmModel wraps them ("visual.trunk.…", "visual.head.…").
// A model's name fixes its shape; each family keeps a table of the names it runs.
#pragma once

#include <string>
#include <vector>

#include "model/config.h"

namespace tandem {

// Fills in what vision.timm.model says: family, layers, width, head_width, mlp_ratio, patch_px and,
// unless vision.image_size_px was given by the configuration, the picture's size (0: not given).
// False for a name of none of the families.
bool describe_timm(VisionConfig& vision);

// One for each family, false for a name it does not know; see describe_timm.
bool describe_timm_vit(VisionConfig& vision);  // timm_vit.cc: SigLIP's and CLIP's trunks
bool describe_eva(VisionConfig& vision);       // eva.cc: EVA02, PE-Core
bool describe_fastvit(VisionConfig& vision);   // fastvit.cc: MobileCLIP

// Each family's names.
std::vector<std::string> timm_vit_names();
std::vector<std::string> eva_names();
std::vector<std::string> fastvit_names();

// Every name that describe_timm knows, for messages.
std::vector<std::string> timm_names();

}  // namespace tandem
