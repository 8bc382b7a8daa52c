// Which words a picture is shown with: one of its captions, in one of the templates.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/rng.h"

namespace tandem {

struct CaptionConfig {
  struct Template {
    std::string text = "{}";
    double weight = 1;
  };
  double first_share = 0.5;  // how often the first caption is taken; else any, evenly
  std::vector<Template> templates{{}};
};

// Requires: captions and config.templates not empty, some weight positive.
std::string sample_caption(std::span<const std::string> captions, const CaptionConfig& config,
                           Rng& rng);

}  // namespace tandem
