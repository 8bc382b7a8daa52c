// Writing a model in another dialect, and proving that what was written computes the same.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "engine/encoder.h"
#include "model/checkpoint.h"

namespace tandem {

struct ConvertOptions {
  std::string dialect = "open-clip";  // a name from dialects()
  std::filesystem::path out;        // a folder; for open-clip also a file that ends in .safetensors
  std::optional<DType> dtype;       // of the stored floats; nothing: as they are
  bool verify = false;              // compare before `out` appears
  std::filesystem::path tokenizer;  // the tokenizer's file when the model's folder has none
  int threads = 0;
};

// How far two models' vectors of generated pictures and texts are from each other, in fp32.
struct Agreement {
  double image_max_abs = 0;
  double text_max_abs = 0;
  double image_cosine = 1;  // the smallest of a row
  double text_cosine = 1;
};

struct Converted {
  DType dtype = DType::kF32;
  std::uintmax_t bytes = 0;
  std::optional<Agreement> agreement;  // with verify
  bool agrees = true;                  // within tolerance(); else nothing was written
};

// What a conversion may change. Weights that keep every bit give the same vectors: 2e-5, as for
// equality with the references. Rounded ones: cosine 0.9999 (f16), 0.999 (bf16).
struct Tolerance {
  double max_abs = 2e-5;
  double cosine = 0;
};
Tolerance tolerance(const TensorMap& from, DType to);

// Reads `source`, writes it to `options.out` with the tokenizer's files that lie beside it. The
// result is prepared aside and appears whole or not at all. Throws kInput (unknown dialect, `out`
// exists), kUnsupported (the dialect cannot express the model, or is read only), and what
// load_checkpoint throws.
Converted convert_model(const std::filesystem::path& source, const ConvertOptions& options);

// Copies what a tokenizer may consist of from a model's folder; files that are there already stay.
void copy_tokenizer_files(const std::filesystem::path& source, const std::filesystem::path& to);

// Both models run on 3 pictures and 5 texts, one after the other.
Agreement compare_models(const Checkpoint& a, const Checkpoint& b, int threads);

}  // namespace tandem
