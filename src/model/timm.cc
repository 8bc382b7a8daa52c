#include "model/timm.h"

namespace tandem {

bool describe_timm(VisionConfig& vision) {
  return describe_timm_vit(vision) || describe_eva(vision) || describe_fastvit(vision);
}

std::vector<std::string> timm_names() {
  std::vector<std::string> names = timm_vit_names();
  for (std::string& name : eva_names()) names.push_back(std::move(name));
  for (std::string& name : fastvit_names()) names.push_back(std::move(name));
  return names;
}

}  // namespace tandem
