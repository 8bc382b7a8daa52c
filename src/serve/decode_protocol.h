// What a decoding child and its parent say to each other over their socket. Both are the same
// program, so structures go as they lie in memory.
//   parent: hello:WorkerLimits, then job:JobHead picture:byte[picture_bytes] again and again
//   child:  reply:ReplyHead pixels:byte[pixel_bytes] preview:byte[preview_bytes] to each job
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "preprocess/image.h"
#include "preprocess/region.h"
#include "preprocess/transform.h"

namespace tandem::serve {

struct WorkerLimits {
  std::uint64_t memory_bytes = 0;  // 0: none
};

struct JobHead {
  std::uint64_t picture_bytes = 0;
  DecodeOptions decode;
  bool has_region = false;
  Region region;
  bool has_input = false;
  PreprocessConfig input;
  std::int32_t preview_side_px = 0;
};

enum class DecodeStatus : std::uint32_t {
  kDone,
  kBroken,         // not a picture, damaged, or of another format
  kTooLarge,       // more pixels or memory than allowed
  kOutsideRegion,  // the region holds nothing of the picture
};

struct ReplyHead {
  DecodeStatus status = DecodeStatus::kDone;
  std::int32_t width = 0;  // of the whole picture as it is shown
  std::int32_t height = 0;
  PictureSize input;  // of the pixels that follow
  std::uint64_t pixel_bytes = 0;
  std::uint64_t preview_bytes = 0;
};

enum class Transfer { kDone, kClosed, kLate };

// All of `bytes` to or from a socket, until `deadline`.
Transfer send_all(int fd, std::span<const std::byte> bytes,
                  std::chrono::steady_clock::time_point deadline);
Transfer receive_all(int fd, std::span<std::byte> bytes,
                     std::chrono::steady_clock::time_point deadline);

template <typename T>
std::span<const std::byte> bytes_of(const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  return std::as_bytes(std::span(&value, 1));
}
template <typename T>
std::span<std::byte> writable_bytes_of(T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  return std::as_writable_bytes(std::span(&value, 1));
}

}  // namespace tandem::serve
