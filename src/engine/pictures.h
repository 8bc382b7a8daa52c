// From encoded pictures to vectors: reading, decoding and resizing by worker threads while the
// model computes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tandem/error.h"
#include "tandem/model.h"

#include "preprocess/picture_facts.h"
#include "preprocess/transform.h"

namespace tandem {

// Where encoded pictures come from. Both functions are called from several threads at once; read
// may throw Error.
struct PictureSource {
  std::size_t count = 0;
  std::function<std::string(std::size_t)> name;  // for messages
  std::function<std::vector<std::byte>(std::size_t)> read;
};

// Files as pictures. The paths are copied.
PictureSource picture_files(std::vector<std::filesystem::path> paths);

// The i-th picture as the model reads it, on this thread. Throws Error.
PixelBatch read_picture(const Model& model, const PictureSource& source, std::size_t i);

struct PictureOptions {
  std::size_t batch = 32;  // pictures computed together
  // Fills PictureRow::sha256, which costs a pass over the file's bytes.
  bool hash = false;
  bool facts = false;  // fills PictureRow::facts
  // Content that needs no vector: called from worker threads with the hash (implies `hash`).
  std::function<bool(const std::string& sha256)> known;
  // Asked between batches: true ends the work early.
  std::function<bool()> stop;
};

struct PictureRow {
  std::size_t index = 0;       // in the source
  std::optional<Error> error;  // why there is no vector
  bool known = false;          // `known` said so: no vector, no size
  PictureFacts facts;          // when asked for, also of known content
  std::string sha256;          // hex, when asked for
  int width = 0;               // of the picture as it is shown
  int height = 0;
  std::span<const float> vector;  // (E) unit; valid during the call
};

// Calls `row` on this thread once for each picture, in order. Returns how many rows were given:
// fewer than the source has only when `stop` said so. What `row` throws ends the work and comes out
// here.
std::size_t embed_pictures(const Model& model, const PictureSource& source,
                           const PictureOptions& options,
                           const std::function<void(const PictureRow&)>& row);

}  // namespace tandem
