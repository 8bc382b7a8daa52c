// Pictures from strangers are decoded by child processes, which may crash, hang or grow without
// harm: each has a memory limit, no network, no files, and is replaced when it dies. A child is
// this very program started as `tandem decode-worker`, with a socket for its standard input.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "preprocess/image.h"
#include "preprocess/region.h"
#include "preprocess/transform.h"

namespace tandem::serve {

struct DecodersOptions {
  std::filesystem::path program;  // the executable
  std::size_t processes = 2;
  std::size_t memory_bytes = std::size_t{768} << 20;  // of each child (RLIMIT_AS); 0: no limit
  std::chrono::milliseconds timeout{5'000};           // of a picture; then the child is killed
};

struct DecodeJob {
  std::span<const std::byte> picture;
  DecodeOptions decode;
  std::optional<Region> region;
  // One of the two: what a model reads, or a JPEG whose longer side is at most this.
  std::optional<PreprocessConfig> input;
  int preview_side_px = 0;
};

struct DecodedPicture {
  int width = 0;  // of the whole picture as it is shown
  int height = 0;
  PixelBatch input;                // (1,S,S,3)
  std::vector<std::byte> preview;  // JPEG
};

// Safe to share between threads: a call waits for a free child.
class Decoders {
 public:
  explicit Decoders(const DecodersOptions& options);
  ~Decoders();
  Decoders(const Decoders&) = delete;
  Decoders& operator=(const Decoders&) = delete;

  // Throws HttpError: 422 "undecodable_image" (broken, not a picture, its child crashed), 413 (too
  // many pixels), 503 (no child was free before `deadline`).
  DecodedPicture run(const DecodeJob& job, std::chrono::steady_clock::time_point deadline);
  std::uint64_t crashes() const;  // children that died, so far

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

// What a child does until its socket is closed. Never returns. before: called with each picture
// before it is decoded, for tests of crashes.
[[noreturn]] void run_decode_worker(void (*before)(std::span<const std::byte>) = nullptr);

}  // namespace tandem::serve
