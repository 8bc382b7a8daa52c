#include "model/timm.h"

namespace tandem {

bool describe_timm(VisionConfig&) { return false; }

std::vector<std::string> timm_names() { return {}; }

}  // namespace tandem
