// What stands behind tandem::Model: the checkpoint's config, its tokenizer and the encoder that
// runs it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "tandem/model.h"

#include "engine/encoder.h"
#include "engine/registry.h"
#include "model/config.h"
#include "preprocess/image.h"
#include "preprocess/tokenizer.h"

namespace tandem {

struct Model::Rep {
  ModelRow row;
  Checkpoint checkpoint;
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<Encoder> encoder;
  DecodeOptions decode;
  Precision precision = Precision::kFp32;
  int threads = 1;
  int merge_tokens = 0;
  double logit_scale = 1;
  std::optional<double> logit_bias;
};

// Model::fingerprint() of a model that need not be loaded: of its weights and configuration, and of
// how pictures are read. Reads every weight.
std::string space_fingerprint(const Checkpoint& checkpoint, PictureReading reading,
                              int merge_tokens);

using EncoderFactory =
    std::function<std::unique_ptr<Encoder>(const Checkpoint&, const EncoderOptions&)>;

// Model::load with another engine than the CPU's (tandem-torch).
Model load_model(const std::string& name, const LoadOptions& options, const std::string& device,
                 const EncoderFactory& make_encoder);

}  // namespace tandem
