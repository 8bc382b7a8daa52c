// Encoder: a loaded model that turns pixels and tokens into unit embeddings. Immutable after
// construction; safe to share between threads.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "tandem/matrix.h"
#include "tandem/precision.h"

#include "model/checkpoint.h"
#include "preprocess/tokenizer.h"
#include "preprocess/transform.h"

namespace tandem {

struct EncoderOptions {
  Precision precision = Precision::kFp32;
  int threads = 0;             // 0: one per available core
  std::string device = "cpu";  // "cuda", "cuda:1": torch backend only
  // Rows of a picture merged in each block of a ViT (model/token_merge.h): an approximation. 0:
  // none.
  int merge_tokens = 0;
  bool captions = false;  // also what begin_caption needs
};

// "fp32", "bf16", "int8".
std::string_view precision_name(Precision precision);

// Texts about one picture that grow token by token (CoCa's decoder). For one thread at a time; its
// encoder outlives it.
class CaptionSession {
 public:
  virtual ~CaptionSession() = default;
  // Text i is text parents[i] of the call before with token ids[i] behind it; the first call has no
  // parents. Returns the scores (logits) of what follows each: (B,V). Throws kInput for ids or
  // parents that are not there, and for texts longer than the model reads.
  virtual Matrix next(std::span<const std::int32_t> parents, std::span<const std::int32_t> ids) = 0;
};

class Encoder {
 public:
  virtual ~Encoder() = default;
  // (B,E), unit rows. Large batches are cut into pieces that fit the caches; order is kept.
  virtual Matrix encode_images(const PixelBatch& pixels) const = 0;
  // Texts of any length mix: sorted by length inside, order is kept.
  virtual Matrix encode_texts(const TokenBatch& tokens) const = 0;
  // Requires: EncoderOptions::captions; one picture; at most one session a thread. threads: of this
  // session, 0 for all. Throws kUnsupported where an encoder cannot.
  virtual std::unique_ptr<CaptionSession> begin_caption(const PixelBatch& picture,
                                                        int threads) const;
  // What runs: "onednn 3.2 avx512_core_amx bf16, 2 threads".
  virtual std::string describe() const = 0;
};

// Whether this CPU runs bf16 matrix products natively (AVX512-BF16 or AMX): then it is the default
// precision.
bool cpu_has_bf16();
// Whether it multiplies 8-bit integers natively (AVX512-VNNI or AMX).
bool cpu_has_int8();
// What a model runs in unless told otherwise: int8 if that is what its file holds, else bf16, else
// fp32; each where the CPU has it.
Precision default_precision(const TensorMap& weights);

// Throws kUnsupported unless the model has a decoder that begin_caption can run.
void check_writes_captions(const Checkpoint& checkpoint);
// Throw kInput for what encode_images and encode_texts refuse.
void check_pictures(const ModelConfig& config, const PixelBatch& pixels);
void check_texts(const ModelConfig& config, const TokenBatch& tokens);
// What CaptionSession::next refuses. before: texts of the call before, and the length of each.
void check_next(const ModelConfig& config, std::span<const std::int32_t> parents,
                std::span<const std::int32_t> ids, int before, int length);

// Packs the weights once. Throws kCorrupt when weights do not fit the config, kUnsupported for
// precision or device.
std::unique_ptr<Encoder> make_cpu_encoder(const Checkpoint& checkpoint,
                                          const EncoderOptions& options);

// Only in tandem-torch.
std::unique_ptr<Encoder> make_torch_encoder(const Checkpoint& checkpoint,
                                            const EncoderOptions& options);

}  // namespace tandem
