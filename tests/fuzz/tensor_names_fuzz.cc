// Any safetensors file as a model of each dialect whose configuration is read off the tensors, or
// whose tensors are renamed: refused with an Error.
#include <cstdint>
#include <span>

#include "core/error.h"
#include "core/safetensors.h"
#include "model/dialect.h"
#include "model/weights.h"

namespace {

using namespace tandem;

template <typename Read>
void refused_or(const Read& read) {
  try {
    read();
  } catch (const Error&) {
  }
}

ModelConfig config_of(std::string_view text,
                      ModelConfig (*parse)(const json::value&, const std::string&)) {
  return parse(json::parse(text, "own"), "own");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  TensorMap theirs;
  try {
    theirs = parse_safetensors(std::as_bytes(std::span(data, size)), "input").map;
  } catch (const Error&) {
    return 0;
  }
  refused_or([&] {
    const ModelConfig config = infer_eva_config(theirs, "input");
    const auto table = weight_table(config);
    check_weights(table, rename_eva(theirs, config, "input"), "input");
  });
  refused_or([&] {
    const ModelConfig config = infer_mobileclip_config(theirs, "input");
    const auto table = weight_table(config);
    check_weights(table, rename_mobileclip(theirs, config, "input"), "input");
  });
  static const ModelConfig siglip = config_of(
      R"({"model_type":"siglip","vision_config":{"hidden_size":16,"intermediate_size":32,
          "num_hidden_layers":1,"num_attention_heads":2,"image_size":32,"patch_size":16},
          "text_config":{"hidden_size":16,"intermediate_size":32,"num_hidden_layers":1,
          "num_attention_heads":2,"vocab_size":520,"max_position_embeddings":8}})",
      parse_hf_siglip_config);
  static const ModelConfig clip = config_of(
      R"({"model_type":"clip","projection_dim":16,"vision_config":{"hidden_size":16,
          "intermediate_size":64,"num_hidden_layers":1,"num_attention_heads":2,"image_size":32,
          "patch_size":16},"text_config":{"hidden_size":16,"intermediate_size":64,
          "num_hidden_layers":1,"num_attention_heads":2,"vocab_size":520}})",
      parse_hf_clip_config);
  refused_or([&] { rename_hf_siglip(theirs, siglip, "input"); });
  refused_or([&] { rename_big_vision(theirs, siglip, "input"); });
  refused_or([&] { rename_hf_clip(theirs, clip, "input"); });
  return 0;
}
