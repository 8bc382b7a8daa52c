#include "train/captions.h"

#include "preprocess/templates.h"

namespace tandem {

std::string sample_caption(std::span<const std::string> captions, const CaptionConfig& config,
                           Rng& rng) {
  const bool first = rng.uniform() < config.first_share;
  const std::string& caption = captions[first ? 0 : rng.below(captions.size())];
  double total = 0;
  for (const auto& t : config.templates) total += t.weight;
  double at = rng.uniform() * total;
  for (const auto& t : config.templates) {
    at -= t.weight;
    if (at < 0) return apply_template(t.text, caption);
  }
  return apply_template(config.templates.back().text, caption);
}

}  // namespace tandem
