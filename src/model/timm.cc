#include "model/timm.h"

namespace tandem {

bool describe_timm(VisionConfig& vision) { return describe_eva(vision); }

std::vector<std::string> timm_names() { return eva_names(); }

}  // namespace tandem
