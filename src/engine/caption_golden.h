// What both engines' CaptionSessions must answer: open_clip's logits behind a few tokens
// (tools/goldens/captions_golden.py).
#pragma once

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <string>

#include "core/json.h"
#include "engine/encoder.h"
#include "engine/generated_model.h"

namespace tandem {

// How far the scores are from the golden's, as a share of the largest. Three texts grow and change
// places on the way.
inline double caption_error(const std::string& name,
                            std::unique_ptr<Encoder> (*make)(const Checkpoint&,
                                                             const EncoderOptions&),
                            const EncoderOptions& options) {
  const auto file = json::read("tests/goldens/captions/" + name + ".json");
  const auto seed = file.at("seed").to_number<std::uint64_t>();
  const auto checkpoint = generated_model(parse_model_config(file.at("config"), name), seed);
  const auto encoder = make(checkpoint, options);
  const auto session = encoder->begin_caption(
      generated_pictures(seed, 1, checkpoint.config.vision.image_size_px), 1);
  const auto& prefix = file.at("prefix").get_array();
  const auto id = [&](std::size_t i) { return prefix.at(i).to_number<std::int32_t>(); };
  session->next({}, std::vector<std::int32_t>{id(0)});
  session->next(std::vector<std::int32_t>{0, 0, 0}, std::vector<std::int32_t>{9, id(1), 4});
  session->next(std::vector<std::int32_t>{1, 2}, std::vector<std::int32_t>{id(2), 30});
  const Matrix scores =
      session->next(std::vector<std::int32_t>{1, 0}, std::vector<std::int32_t>{8, id(3)});
  const auto& want = file.at("logits").get_array();
  EXPECT_EQ(scores.cols, want.size());
  double error = 0;
  double largest = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const auto x = want[i].to_number<double>();
    error = std::max(error, std::abs(scores.row(1)[i] - x));
    largest = std::max(largest, std::abs(x));
  }
  return error / largest;
}

}  // namespace tandem
