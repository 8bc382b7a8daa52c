#include "engine/cpu/quantize.h"

#include <omp.h>

#include "engine/cpu/backend.h"
#include "engine/cpu/instruction_set.h"
#include "model/clip.h"
#include "model/weights.h"

namespace tandem {

Observations observe_model(const Checkpoint& checkpoint, const PixelBatch& pictures,
                           const TokenBatch& texts, const ObserveOptions& options) {
  check_weights(weight_table(checkpoint.config), checkpoint.weights, checkpoint.name);
  const int before = omp_get_max_threads();
  omp_set_num_threads(options.threads);
  Observations seen;
  seen.samples = options.samples;
  PrimitiveCache cache;
  const NormaliseTable normalise = normalise_table(checkpoint.config.preprocess);
  CpuLoader loader(checkpoint.weights, checkpoint.config.preprocess, Element::kF32, cache, &seen);
  const Clip<CpuBackend> clip(loader, checkpoint.config);
  CpuBackend backend(cache, normalise, best_kernels(), Element::kF32);
  backend.prepare(options.threads, 1);
  seen.items = pictures.count;
  (void)clip.image().run(backend, pictures);
  seen.items = texts.count();
  (void)clip.text().run(backend, texts);
  omp_set_num_threads(before);
  return seen;
}

}  // namespace tandem
