#include "data/embeddings.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "tandem/error.h"

#include "data/table_rows.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;
using Of = EmbeddingRow::Of;

// Vectors read at a time.
constexpr std::uint64_t kChunkRows = 4096;

// "img_emb_007.npy" -> "007"; nothing for other names.
std::optional<std::string> number_of(const std::string& name, const std::string& prefix,
                                     const std::string& ending) {
  if (!name.starts_with(prefix) || !name.ends_with(ending)) return {};
  if (name.size() <= prefix.size() + ending.size()) return {};
  auto number = name.substr(prefix.size(), name.size() - prefix.size() - ending.size());
  const bool digits = number.find_first_not_of("0123456789") == std::string::npos;
  return digits && number.size() <= 9 ? std::optional(std::move(number)) : std::nullopt;
}

using Parts = std::map<std::uint64_t, EmbeddingPart>;

void add_files(const fs::path& dir, const std::string& kind, const std::string& ending,
               fs::path EmbeddingPart::* file, Parts& parts) {
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(dir / kind, missing)) {
    const auto number = number_of(entry.path().filename().string(), kind + "_", ending);
    if (!number) continue;
    auto& part = parts[std::stoull(*number)];
    part.number = *number;
    if ((part.*file).empty()) part.*file = entry.path();
  }
}

// Cells of metadata in the order of rows, whatever their format.
void each_metadata(const fs::path& file,
                   const std::function<void(json::object, std::size_t)>& row) {
  const auto format = table_format(file);
  if (!format) throw Error(Kind::kInternal, file.string() + ": no table");
  each_row(file, *format, row);
}

// Vectors of one file, asked for in ascending order.
class Vectors {
 public:
  explicit Vectors(const fs::path& file) : reader_(file) {}
  std::uint64_t rows() const { return reader_.rows(); }
  std::span<const float> row(std::uint64_t i) {
    if (i < first_ || i >= first_ + chunk_.rows) {
      first_ = i;
      chunk_ = reader_.read(i, std::min(kChunkRows, reader_.rows() - i));
    }
    return chunk_.row(i - first_);
  }

 private:
  NpyReader reader_;
  std::uint64_t first_ = 0;
  Matrix chunk_;
};

std::uint64_t rows_of(const fs::path& file) { return file.empty() ? 0 : NpyReader(file).rows(); }

}  // namespace

EmbeddingFolder::EmbeddingFolder(const fs::path& dir) {
  if (!fs::is_directory(dir))
    throw Error(Kind::kNotFound, "cannot open " + dir.string() + ": no such folder.");
  Parts parts;
  add_files(dir, "img_emb", ".npy", &EmbeddingPart::images, parts);
  add_files(dir, "text_emb", ".npy", &EmbeddingPart::texts, parts);
  add_files(dir, "metadata", ".parquet", &EmbeddingPart::metadata, parts);
  add_files(dir, "metadata", ".jsonl", &EmbeddingPart::metadata, parts);
  if (parts.empty()) {
    throw Error(Kind::kInput, dir.string() +
                                  ": no img_emb/img_emb_0.npy or text_emb/text_emb_0.npy "
                                  "in it. Expected what clip-retrieval inference or "
                                  "tandem embed writes.");
  }
  for (auto& [number, part] : parts) {
    if (part.images.empty() && part.texts.empty()) {
      throw Error(Kind::kInput, part.metadata.string() + ": there are no vectors of part " +
                                    part.number + ". Expected img_emb/img_emb_" + part.number +
                                    ".npy beside it.");
    }
    for (const auto* file : {&part.images, &part.texts}) {
      if (file->empty()) continue;
      const NpyReader reader(*file);
      if (width_ == 0) width_ = reader.cols();
      if (reader.cols() != width_ && reader.rows() > 0) {
        throw Error(Kind::kInput, fmt::format("{}: vectors of {} numbers, but others have {}. "
                                              "Expected one model's.",
                                              file->string(), reader.cols(), width_));
      }
    }
    parts_.push_back(std::move(part));
  }
}

std::uint64_t EmbeddingFolder::rows(Of of) const {
  std::uint64_t total = 0;
  for (const auto& part : parts_) total += rows_of(of == Of::kImage ? part.images : part.texts);
  return total;
}

void EmbeddingFolder::check_rows(const EmbeddingPart& part) const {
  const auto images = rows_of(part.images);
  const auto texts = rows_of(part.texts);
  const bool own_rows = part.metadata.extension() == ".jsonl";  // they say which
  if (!part.images.empty() && !part.texts.empty() && images != texts && !own_rows) {
    throw Error(Kind::kInput,
                fmt::format("{} has {} rows, {} has {}. Expected as many: row by row "
                            "they belong together.",
                            part.images.string(), images, part.texts.string(), texts));
  }
  if (part.metadata.empty() || own_rows) return;
  const auto stated = ParquetReader(part.metadata).rows();
  const auto& vectors = part.images.empty() ? part.texts : part.images;
  const auto expected = part.images.empty() ? texts : images;
  if (stated != expected) {
    throw Error(Kind::kInput,
                fmt::format("{} has {} rows, {} has {}. Expected as many: row by row "
                            "they belong together.",
                            vectors.string(), expected, part.metadata.string(), stated));
  }
}

void EmbeddingFolder::each_row(const EmbeddingPart& part, Of of,
                               const std::function<void(const EmbeddingRow&)>& row) const {
  check_rows(part);
  const auto& file = of == Of::kImage ? part.images : part.texts;
  if (file.empty()) return;
  Vectors vectors(file);
  if (part.metadata.empty()) {
    for (std::uint64_t i = 0; i < vectors.rows(); ++i) row({of, i, {}, vectors.row(i)});
    return;
  }
  const bool own_rows = part.metadata.extension() == ".jsonl";
  each_metadata(part.metadata, [&](json::object metadata, std::size_t number) {
    std::uint64_t i = number - 1;
    if (own_rows) {
      if (metadata.contains("text") != (of == Of::kText)) return;
      const json::value value(metadata);
      const auto stated = json::Reader(value, part.metadata.string()).integer("row");
      if (stated < 0 || static_cast<std::uint64_t>(stated) >= vectors.rows()) {
        throw Error(Kind::kInput,
                    fmt::format("{}: row {} is not in {}, which has {}.", part.metadata.string(),
                                stated, file.string(), vectors.rows()));
      }
      i = static_cast<std::uint64_t>(stated);
      metadata.erase("row");
    }
    row({of, i, std::move(metadata), vectors.row(i)});
  });
}

EmbeddingWriter::EmbeddingWriter(Options options) : options_(std::move(options)) {
  const std::string kind = options_.of == Of::kImage ? "img_emb" : "text_emb";
  for (const auto& folder : {kind, std::string("metadata")}) {
    std::error_code error;
    if (fs::exists(options_.dir / folder, error) && !fs::is_empty(options_.dir / folder, error)) {
      throw Error(Kind::kInput, (options_.dir / folder).string() +
                                    " is not empty: old parts would be mixed with new ones. "
                                    "Expected a new folder.");
    }
  }
  // As many digits as clip-retrieval gives for this many parts.
  const auto parts = (options_.rows + options_.part_rows - 1) / options_.part_rows;
  digits_ = static_cast<int>(std::to_string(std::max<std::uint64_t>(parts, 1)).size());
}

void EmbeddingWriter::begin_part() {
  const std::string kind = options_.of == Of::kImage ? "img_emb" : "text_emb";
  const auto number = fmt::format("{:0{}}", part_, digits_);
  std::error_code error;
  for (const auto& folder : {options_.dir / kind, options_.dir / "metadata"}) {
    fs::create_directories(folder, error);
    if (error)
      throw Error(Kind::kIo, "cannot make " + folder.string() + ": " + error.message() + ".");
  }
  vectors_ = std::make_unique<NpyWriter>(options_.dir / kind / (kind + "_" + number + ".npy"),
                                         options_.width, options_.dtype);
  const auto table = options_.dir / "metadata" / ("metadata_" + number);
  if (options_.parquet) {
    table_ = std::make_unique<ParquetWriter>(table.string() + ".parquet", options_.columns);
  } else {
    lines_ = std::make_unique<AtomicFile>(table.string() + ".jsonl");
  }
  in_part_ = 0;
}

// Metadata last: where they are, the vectors are complete.
void EmbeddingWriter::end_part() {
  if (!vectors_) return;
  vectors_->finish();
  if (table_) table_->finish();
  if (lines_) lines_->commit();
  vectors_.reset();
  table_.reset();
  lines_.reset();
  ++part_;
}

void EmbeddingWriter::add(std::span<const float> vector, const json::object& metadata) {
  if (!vectors_) begin_part();
  vectors_->add(vector);
  if (table_) table_->add(metadata);
  if (lines_) {
    json::object line{{"row", in_part_}};
    for (const auto& entry : metadata) line[entry.key()] = entry.value();
    lines_->write(json::dump(line) + "\n");
  }
  if (++in_part_ == options_.part_rows) end_part();
}

void EmbeddingWriter::finish() {
  if (part_ == 0 && !vectors_) begin_part();  // no rows: still a folder that can be read
  end_part();
}

}  // namespace tandem
