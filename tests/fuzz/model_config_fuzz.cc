// Any bytes as each of the configurations a model can come with: refused with an Error, or one
// that gives a weight table and reads back as it is written.
#include <cstdint>
#include <cstdlib>

#include "core/error.h"
#include "model/dialect.h"
#include "model/hf_preprocess.h"
#include "model/weights.h"

namespace {

void check(const tandem::ModelConfig& config) {
  if (tandem::weight_table(config).empty()) std::abort();
  const auto written = tandem::json::dump(tandem::to_json(config));
  const auto again = tandem::parse_model_config(tandem::json::parse(written, "own"), "own");
  if (tandem::json::dump(tandem::to_json(again)) != written) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  tandem::json::value v;
  try {
    v = tandem::json::parse(text, "input");
  } catch (const tandem::Error&) {
    return 0;
  }
  for (const auto parse :
       {tandem::parse_model_config, tandem::parse_hf_clip_config, tandem::parse_hf_siglip_config}) {
    tandem::ModelConfig config;
    try {
      config = parse(v, "input");
      // transformers has it in a file of its own.
      config.preprocess.size_px = config.vision.image_size_px;
    } catch (const tandem::Error&) {
      continue;
    }
    check(config);
  }
  for (const auto family : {tandem::VisionFamily::kVit, tandem::VisionFamily::kNaflex}) {
    tandem::VisionConfig tower;
    tower.family = family;
    tower.image_size_px = 32;
    try {
      (void)tandem::parse_hf_preprocess(v, "input", tower);
    } catch (const tandem::Error&) {
    }
  }
  return 0;
}
