#include "model/checkpoint.h"

#include <cstring>
#include <fmt/format.h>

#include "core/error.h"
#include "core/files.h"
#include "core/safetensors.h"
#include "model/dialect.h"
#include "model/weights.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigFile = "open_clip_config.json";
constexpr const char* kWeightsFile = "open_clip_model.safetensors";

// 64-bit multiply-rotate hash: identifies content, resists nothing. Eight bytes a step, so that 600
// MB cost well under a second.
class Hash {
 public:
  void add(std::span<const std::byte> bytes) {
    std::size_t i = 0;
    for (; i + 8 <= bytes.size(); i += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data() + i, 8);
      mix(word);
    }
    std::uint64_t tail = bytes.size() - i;
    for (; i < bytes.size(); ++i) tail = (tail << 8) | static_cast<std::uint64_t>(bytes[i]);
    mix(tail);
  }
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
  std::string hex() const {
    std::uint64_t h = state_;  // murmur3's finaliser
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdU;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53U;
    return fmt::format("{:016x}", h ^ (h >> 33));
  }

 private:
  void mix(std::uint64_t word) {
    state_ = (state_ ^ word) * 0x9e3779b97f4a7c15U;
    state_ = (state_ << 31) | (state_ >> 33);
  }
  std::uint64_t state_ = 0x6a09e667f3bcc908U;
};

[[noreturn]] void throw_unknown(const fs::path& path) {
  for (const char* pickle : {"open_clip_pytorch_model.bin", "pytorch_model.bin"}) {
    std::error_code ignored;
    if (fs::exists(path / pickle, ignored)) refuse_pickle(path / pickle);
  }
  std::string known;
  for (const Dialect& dialect : dialects())
    known += fmt::format("\n  {}: {}", dialect.name, dialect.description);
  throw Error(Kind::kNotFound,
              fmt::format("{}: not a model. Expected one of:{}", path.string(), known));
}

}  // namespace

std::string Checkpoint::fingerprint() const {
  Hash hash;
  hash.add(json::dump(to_json(config)));
  for (const auto& [tensor, view] : weights.tensors) {
    hash.add(tensor);
    hash.add(view.bytes);
    drop_pages(view.bytes, view.file);
  }
  return hash.hex();
}

Checkpoint load_checkpoint(const fs::path& path) {
  if (!fs::exists(path)) {
    throw Error(Kind::kNotFound, fmt::format("{}: no such model. Expected a folder, a .safetensors "
                                             "file, or a name listed by \"tandem models\".",
                                             path.string()));
  }
  refuse_pickle(path);
  const Dialect* dialect = dialect_of(path);
  if (dialect == nullptr) throw_unknown(path);
  Checkpoint c = dialect->read(path);
  check_weights(weight_table(c.config), c.weights, path.string());
  const fs::path clean = fs::absolute(path).lexically_normal();
  c.name = clean.has_filename() ? clean.stem().string() : clean.parent_path().stem().string();
  return c;
}

bool is_model(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored) && dialect_of(path) != nullptr;
}

void refuse_pickle(const fs::path& path) {
  const std::string ext = path.extension().string();
  if (ext != ".pt" && ext != ".bin" && ext != ".pth" && ext != ".ckpt") return;
  throw Error(
      Kind::kUnsupported,
      fmt::format(
          "{}: a pickle file, which can run code when it is read. Expected .safetensors. Convert "
          "it where "
          "you trust it: python -c \"import torch, safetensors.torch as s; "
          "s.save_file(torch.load('{}', weights_only=True), 'open_clip_model.safetensors')\"",
          path.string(), path.filename().string()));
}

TensorMap with_dtype(const TensorMap& map, DType dtype) {
  TensorMap out;
  out.owners = map.owners;
  for (const auto& [name, view] : map.tensors) {
    const bool is_float = view.dtype == DType::kF64 || view.dtype == DType::kF32 ||
                          view.dtype == DType::kF16 || view.dtype == DType::kBF16;
    if (!is_float || view.dtype == dtype) {
      out.tensors[name] = view;
      continue;
    }
    std::vector<float> values = to_float(view);
    if (dtype == DType::kF32) {
      out.add_float(name, view.shape, std::move(values));
      continue;
    }
    auto halves = std::make_shared<std::vector<std::uint16_t>>();
    halves->reserve(values.size());
    for (const float v : values)
      halves->push_back(dtype == DType::kF16 ? float_to_half(v) : float_to_bf16(v));
    out.tensors[name] = {dtype, view.shape, std::as_bytes(std::span(*halves))};
    out.owners.push_back(std::move(halves));
  }
  return out;
}

void save_checkpoint(const fs::path& dir, const ModelConfig& config, const TensorMap& weights,
                     DType dtype, const std::map<std::string, std::string>& metadata) {
  fs::create_directories(dir);
  const json::value described = to_json(config);
  std::map<std::string, std::string> all = metadata;
  all["open_clip_config"] = json::dump(described);
  all["format"] = "pt";  // what transformers and open_clip look for
  write_safetensors(dir / kWeightsFile, with_dtype(weights, dtype), all);
  write_file_atomically(dir / kConfigFile, json::pretty(described) + "\n");
}

}  // namespace tandem
