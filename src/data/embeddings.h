// Folders of vectors as clip-retrieval's `inference` writes and its `index` reads them:
//   img_emb/img_emb_N.npy  text_emb/text_emb_N.npy  metadata/metadata_N.parquet
// Row i of part N is row i of each of its files. `tandem embed` writes the same with
// metadata_N.jsonl, whose rows name theirs: {"row":i,"path":…} of img_emb, {"row":i,"text":…} of
// text_emb. N has as many digits in every part.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/json.h"
#include "data/npy.h"
#include "data/parquet.h"

namespace tandem {

struct EmbeddingPart {
  std::string number;            // "0", "007"
  std::filesystem::path images;  // empty: there are none
  std::filesystem::path texts;
  std::filesystem::path metadata;  // empty: rows are known by their number only
};

struct EmbeddingRow {
  enum class Of { kImage, kText };
  Of of = Of::kImage;
  std::uint64_t row = 0;
  json::object metadata;
  std::span<const float> vector;  // as stored; valid during the call
};

class EmbeddingFolder {
 public:
  // Throws kNotFound (no such folder), kInput (no vectors in it; parts without vectors).
  explicit EmbeddingFolder(const std::filesystem::path& dir);

  const std::vector<EmbeddingPart>& parts() const { return parts_; }  // in the order of numbers
  std::uint64_t rows(EmbeddingRow::Of of) const;
  std::uint64_t width() const { return width_; }

  // Every row of one part, those of images, then those of texts, in order. Throws kCorrupt,
  // kUnsupported, kInput where the files of the part do not have as many rows (then no call was
  // made), and what `row` throws. `of`: only those.
  void each_row(const EmbeddingPart& part, EmbeddingRow::Of of,
                const std::function<void(const EmbeddingRow&)>& row) const;

 private:
  void check_rows(const EmbeddingPart& part) const;

  std::vector<EmbeddingPart> parts_;
  std::uint64_t width_ = 0;
};

// Writes one such folder, part after part.
class EmbeddingWriter {
 public:
  struct Options {
    std::filesystem::path dir;
    EmbeddingRow::Of of = EmbeddingRow::Of::kImage;
    std::size_t width = 0;
    NpyDType dtype = NpyDType::kF16;
    std::uint64_t rows = 0;             // there will be
    std::uint64_t part_rows = 1 << 20;  // in one part
    bool parquet = true;                // false: JSON lines
    std::vector<ParquetColumn> columns;
  };
  // Throws kInput when the folder holds parts already, kIo.
  explicit EmbeddingWriter(Options options);
  void add(std::span<const float> vector, const json::object& metadata);
  void finish();

 private:
  void begin_part();
  void end_part();

  Options options_;
  int digits_ = 1;
  std::uint64_t part_ = 0;
  std::uint64_t in_part_ = 0;
  std::unique_ptr<NpyWriter> vectors_;
  std::unique_ptr<ParquetWriter> table_;
  std::unique_ptr<AtomicFile> lines_;
};

}  // namespace tandem
