#include "engine/convert.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <unistd.h>

#include "core/closest.h"
#include "core/error.h"
#include "core/files.h"
#include "core/safetensors.h"
#include "core/sha256.h"
#include "engine/generated_model.h"
#include "model/dialect.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSeed = 29;
constexpr const char* kSingleFile = "open_clip_model.safetensors";

// Whatever a tokenizer may consist of, in any dialect.
constexpr std::array kTokenizerFiles = {"tokenizer.json",
                                        "tokenizer_config.json",
                                        "special_tokens_map.json",
                                        "added_tokens.json",
                                        "vocab.json",
                                        "merges.txt",
                                        "vocab.txt",
                                        "spiece.model",
                                        "tokenizer.model",
                                        "sentencepiece.bpe.model"};

// The first of these names the tokenizer in a single file's metadata.
constexpr std::array kTokenizerItself = {"tokenizer.json",  "spiece.model",
                                         "tokenizer.model", "sentencepiece.bpe.model",
                                         "vocab.json",      "vocab.txt"};

const Dialect& dialect_named(const std::string& name) {
  std::vector<std::string_view> names;
  std::string list;
  for (const Dialect& dialect : dialects()) {
    if (dialect.name == name && dialect.write != nullptr) return dialect;
    if (dialect.name == name)
      throw Error(Kind::kUnsupported,
                  fmt::format("--to {}: Tandem reads this dialect but does not write it.", name));
    names.push_back(dialect.name);
    if (dialect.write != nullptr) list += (list.empty() ? "" : ", ") + std::string(dialect.name);
  }
  std::string message = fmt::format("--to {}: unknown dialect. Expected one of {}.", name, list);
  if (const auto near = closest(name, names); !near.empty())
    message += " Closest: " + std::string(near) + ".";
  throw Error(Kind::kInput, message);
}

bool is_float(DType dtype) {
  return dtype == DType::kF64 || dtype == DType::kF32 || dtype == DType::kF16 ||
         dtype == DType::kBF16;
}

// The one float type that all have; float32 where they differ.
DType stored_dtype(const TensorMap& map) {
  std::optional<DType> common;
  for (const auto& [name, view] : map.tensors) {
    if (!is_float(view.dtype)) continue;
    if (common && *common != view.dtype) return DType::kF32;
    common = view.dtype;
  }
  return common && *common != DType::kF64 ? *common : DType::kF32;
}

// A place beside `out` that is removed again unless commit() puts it there.
class Aside {
 public:
  explicit Aside(const fs::path& out) : out_(fs::absolute(out).lexically_normal()) {
    if (!out_.has_filename()) out_ = out_.parent_path();
    if (fs::exists(out_) && !(fs::is_directory(out_) && fs::is_empty(out_)))
      throw Error(Kind::kInput,
                  fmt::format("--out {}: exists. Expected a new folder or file.", out.string()));
    path_ =
        out_.parent_path() / fmt::format(".{}.{}.partial", out_.filename().string(), ::getpid());
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Aside() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;
  const fs::path& path() const { return path_; }
  // `part`: the one file of the folder that is the result; empty: the folder itself.
  void commit(const std::string& part) const {
    fs::rename(part.empty() ? path_ : path_ / part, out_);
    sync_folder(out_.parent_path());
  }

 private:
  fs::path out_;
  fs::path path_;
};

// What a single file says of its tokenizer: its name, and the hash of the file that it was beside.
std::map<std::string, std::string> tokenizer_metadata(const Checkpoint& checkpoint,
                                                      const fs::path& source,
                                                      const fs::path& fallback) {
  const std::string& name = checkpoint.config.text.tokenizer_name;
  std::map<std::string, std::string> metadata{{"tokenizer", name.empty() ? "clip" : name}};
  fs::path file = fallback;
  if (fs::is_directory(source)) {
    for (const char* candidate : kTokenizerItself) {
      if (!fs::exists(source / candidate)) continue;
      file = source / candidate;
      break;
    }
  }
  if (!file.empty() && fs::exists(file)) {
    metadata["tokenizer_file"] = file.filename().string();
    metadata["tokenizer_sha256"] = hex(sha256(read_file(file)));
  }
  return metadata;
}

struct Vectors {
  Matrix image;
  Matrix text;
};

Vectors vectors_of(const Checkpoint& checkpoint, int threads) {
  const auto encoder =
      make_cpu_encoder(checkpoint, {.precision = Precision::kFp32, .threads = threads});
  const ModelConfig& c = checkpoint.config;
  return {encoder->encode_images(generated_pictures(kSeed, 3, c)),
          encoder->encode_texts(generated_texts(kSeed, 5, c.text))};
}

constexpr double kFarthest = 2;  // that unit vectors' numbers can be apart; not a number counts so

// Largest difference, smallest cosine of two rows.
void compare(const Matrix& a, const Matrix& b, double& max_abs, double& cosine) {
  if (a.rows != b.rows || a.cols != b.cols)
    throw Error(Kind::kCorrupt, "what was written has vectors of another width.");
  for (std::size_t r = 0; r < a.rows; ++r) {
    double dot = 0;
    for (std::size_t c = 0; c < a.cols; ++c) {
      const double x = a.row(r)[c];
      const double y = b.row(r)[c];
      const double apart = std::abs(x - y);
      max_abs = std::max(max_abs, std::isnan(apart) ? kFarthest : apart);
      dot += x * y;
    }
    cosine = std::min(cosine, std::isnan(dot) ? -1.0 : dot);
  }
}

std::uintmax_t size_of(const fs::path& folder) {
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

}  // namespace

Tolerance tolerance(const TensorMap& from, DType to) {
  bool rounds = false;
  for (const auto& [name, view] : from.tensors) {
    const bool same = view.dtype == to || !is_float(view.dtype);
    rounds = rounds || !(same || (to == DType::kF32 && view.dtype != DType::kF64));
  }
  if (!rounds) return {};
  return {.max_abs = kFarthest, .cosine = to == DType::kBF16 ? 0.999 : 0.9999};
}

Converted convert_model(const fs::path& source, const ConvertOptions& options) {
  const Dialect& dialect = dialect_named(options.dialect);
  const bool single = options.out.extension() == ".safetensors";
  if (single && dialect.name != "open-clip")
    throw Error(Kind::kInput, fmt::format("--out {}: dialect {} is a folder. Only open-clip can be "
                                          "one .safetensors file.",
                                          options.out.string(), dialect.name));
  const Checkpoint checkpoint = load_checkpoint(source);
  Converted result;
  result.dtype = options.dtype.value_or(stored_dtype(checkpoint.weights));
  const Aside aside(options.out);
  if (single) {
    save_checkpoint(aside.path(), checkpoint.config, checkpoint.weights, result.dtype,
                    tokenizer_metadata(checkpoint, source, options.tokenizer));
  } else {
    dialect.write(checkpoint, aside.path(), result.dtype);
    copy_tokenizer_files(source, aside.path());
  }
  const std::string part = single ? kSingleFile : "";
  result.bytes = single ? fs::file_size(aside.path() / part) : size_of(aside.path());
  if (options.verify) {
    const Checkpoint written = load_checkpoint(aside.path() / part);
    const Agreement a = compare_models(checkpoint, written, options.threads);
    const Tolerance t = tolerance(checkpoint.weights, result.dtype);
    result.agreement = a;
    result.agrees = std::max(a.image_max_abs, a.text_max_abs) <= t.max_abs &&
                    std::min(a.image_cosine, a.text_cosine) >= t.cosine;
  }
  if (result.agrees) aside.commit(part);
  return result;
}

Agreement compare_models(const Checkpoint& a, const Checkpoint& b, int threads) {
  const Vectors left = vectors_of(a, threads);
  const Vectors right = vectors_of(b, threads);
  Agreement agreement;
  compare(left.image, right.image, agreement.image_max_abs, agreement.image_cosine);
  compare(left.text, right.text, agreement.text_max_abs, agreement.text_cosine);
  return agreement;
}

void copy_tokenizer_files(const fs::path& source, const fs::path& to) {
  if (!fs::is_directory(source)) return;
  for (const char* name : kTokenizerFiles) {
    if (fs::is_regular_file(source / name))
      fs::copy_file(source / name, to / name, fs::copy_options::skip_existing);
  }
}

}  // namespace tandem
