// A loaded model: pictures and texts in, unit vectors of one shared space out.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tandem/matrix.h"
#include "tandem/precision.h"

namespace tandem {

// How a picture file becomes pixels.
enum class PictureReading {
  kAsSeen,     // turned as its EXIF data says, laid on white where it is transparent
  kReference,  // neither, exactly as open_clip reads it
};

struct LoadOptions {
  std::optional<Precision>
      precision;    // nothing: bf16 where the processor multiplies it natively, else fp32
  int threads = 0;  // 0: one per core that the process may use
  std::filesystem::path assets;  // holds models/, prompts/, tokenizers/; empty: default_assets()
  PictureReading reading = PictureReading::kAsSeen;
  // The hub's cache folder (~/.cache/huggingface/hub), where `tandem pull` puts models; empty: only
  // models that ship with Tandem are known by name.
  std::filesystem::path hub_cache;
  // Shrinks large JPEGs while they are decoded, down to twice the model's input: several times
  // faster, and the vectors differ a little from the reference's (docs/embed.md has figures).
  bool fast_jpeg = false;
  // Merges this many alike patches of a picture in each block of a vision transformer: faster where
  // there are many patches, and an approximation (docs/embed.md has figures). 0: none.
  int merge_tokens = 0;
  // Loads what writes captions too (tandem/caption.h). Throws kUnsupported for models without it.
  bool captions = false;
};

// Immutable after load, cheap to copy, safe to share between threads.
class Model {
 public:
  // `name`: a name from `tandem models`, a folder, or a .safetensors file. Throws tandem::Error:
  // kNotFound (with the closest known name), kCorrupt, kUnsupported.
  static Model load(const std::string& name, const LoadOptions& options = {});

  // (B,E), unit rows, in the order given. Throws for the first picture that cannot be read, naming
  // it.
  Matrix embed_images(const std::vector<std::filesystem::path>& pictures) const;
  // (B,E), unit rows. Texts longer than the model reads are cut, as in training.
  Matrix embed_texts(const std::vector<std::string>& texts) const;

  const std::string& name() const;
  // Identifies the space: vectors of equal fingerprint are comparable. Reads every weight.
  std::string fingerprint() const;
  int width() const;           // E
  double logit_scale() const;  // cosine similarity times this is the logit it was trained on
  // SigLIP: added to that logit, whose sigmoid is the probability that a text fits a picture.
  std::optional<double> logit_bias() const;
  Precision precision() const;
  std::string describe() const;  // what runs: "onednn 3.2 avx512_core_bf16 bf16, 2 threads"

  struct Rep;
  explicit Model(std::shared_ptr<const Rep> rep) : rep_(std::move(rep)) {}
  const Rep& rep() const { return *rep_; }

 private:
  std::shared_ptr<const Rep> rep_;
};

// Where an installed program keeps its assets: ../share/tandem beside the folder of the running
// executable.
std::filesystem::path default_assets();

}  // namespace tandem
