// Choosing a picture's caption token by token from CoCa's scores: beam search and sampling, as
// open_clip 3.3 (CoCa.generate) does them. Ids include start and end of text.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tandem/caption.h"
#include "tandem/error.h"

#include "core/rng.h"
#include "engine/encoder.h"
#include "engine/pictures.h"

namespace tandem {

// Ids that mean something of their own.
struct CaptionIds {
  std::int32_t start = 49'406;
  std::int32_t end = 49'407;
  std::int32_t pad = 0;  // ends a sampled text too, as in open_clip
};
CaptionIds caption_ids(const ModelConfig& config);

// The text of the highest mean score among those that beams found; float32 sums of raw scores, as
// open_clip adds them. Throws kInput for options out of range.
std::vector<std::int32_t> beam_search(CaptionSession& session, const CaptionOptions& options,
                                      const CaptionIds& ids);
// Tokens drawn from what next_probabilities leaves.
std::vector<std::int32_t> sample_text(CaptionSession& session, const CaptionOptions& options,
                                      const CaptionIds& ids, Rng& rng);

// No end of text below min_tokens, then the repetition penalty on ids that are there already.
void adjust_scores(std::span<float> scores, std::span<const std::int32_t> text,
                   const CaptionOptions& options, const CaptionIds& ids);
// softmax(scores / temperature) over what top_k and then top_p leave (Holtzman et al. 2020).
// Filters see the scores before the temperature, as in open_clip, unlike transformers.
std::vector<double> next_probabilities(std::vector<float> scores, const CaptionOptions& options);

// Throws kInput naming the first option that is out of range.
void check_caption_options(const CaptionOptions& options, const ModelConfig& config);

struct CaptionRow {
  std::size_t index = 0;       // in the source
  std::optional<Error> error;  // why there is no caption
  std::string caption;
  std::vector<std::int32_t> ids;
};

// Captions of pictures, each computed on its own; a picture's random numbers depend on its place in
// the source only. Calls `row` on this thread once for each picture, in order; returns how many
// (fewer when `stop` said so). Requires: a model loaded with LoadOptions::captions.
std::size_t caption_pictures(const Model& model, const PictureSource& source,
                             const CaptionOptions& options, const std::function<bool()>& stop,
                             const std::function<void(const CaptionRow&)>& row);

}  // namespace tandem
