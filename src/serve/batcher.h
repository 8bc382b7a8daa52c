// Dynamic batching: texts and pictures of all connections wait in one bounded queue, and one thread
// computes as many of them at once as fit, in the order they came.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tandem/matrix.h"
#include "tandem/model.h"

#include "preprocess/transform.h"
#include "serve/message.h"
#include "serve/metrics.h"

namespace tandem::serve {

struct BatcherOptions {
  std::size_t max_tokens = 16'384;  // of a batch: TEI's default
  std::size_t max_pictures = 32;    // of a batch
  std::size_t max_waiting = 2'048;  // texts and pictures; more are refused: 429
  // A batch is kept small enough to take about this long, by how fast those before it were: who
  // comes next waits for it.
  std::chrono::milliseconds batch_time{150};
};

class Batcher {
 public:
  Batcher(Model model, const BatcherOptions& options, Metrics& metrics);
  ~Batcher();  // finishes what waits
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  // (N,E) unit rows, in order. Waits. Throws HttpError: 429 when the queue is full, 503 when
  // `deadline` passed before its turn came; Error as the encoder does, for this caller only.
  Matrix texts(const std::vector<std::string>& texts, Clock::time_point deadline);
  Matrix pictures(const std::vector<PixelBatch>& pictures, Clock::time_point deadline);
  std::size_t waiting() const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace tandem::serve
