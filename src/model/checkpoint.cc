#include "model/checkpoint.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fmt/format.h>
#include <span>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/safetensors.h"
#include "core/threads.h"
#include "model/dialect.h"
#include "model/weights.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigFile = "open_clip_config.json";
constexpr const char* kWeightsFile = "open_clip_model.safetensors";

std::uint64_t mixed(std::uint64_t state, std::uint64_t word) {
  state = (state ^ word) * 0x9e3779b97f4a7c15U;
  return (state << 31) | (state >> 33);
}

// 64-bit multiply-rotate hash: identifies content, resists nothing. Four chains side by side, since
// each step waits for its multiplication.
std::uint64_t hash_of(std::span<const std::byte> bytes) {
  constexpr std::size_t kLanes = 4;
  std::array<std::uint64_t, kLanes> state = {0x6a09e667f3bcc908U, 0xbb67ae8584caa73bU,
                                             0x3c6ef372fe94f82bU, 0xa54ff53a5f1d36f1U};
  std::size_t i = 0;
  for (; i + 8 * kLanes <= bytes.size(); i += 8 * kLanes) {
    std::array<std::uint64_t, kLanes> words;
    std::memcpy(words.data(), bytes.data() + i, sizeof words);
    for (std::size_t lane = 0; lane < kLanes; ++lane) state[lane] = mixed(state[lane], words[lane]);
  }
  std::uint64_t all = bytes.size();
  for (; i < bytes.size(); ++i) all = mixed(all, static_cast<std::uint64_t>(bytes[i]));
  for (const std::uint64_t lane : state) all = mixed(all, lane);
  all = (all ^ (all >> 33)) * 0xff51afd7ed558ccdU;  // murmur3's finaliser
  all = (all ^ (all >> 33)) * 0xc4ceb9fe1a85ec53U;
  return all ^ (all >> 33);
}

std::uint64_t hash_of(std::string_view text) { return hash_of(std::as_bytes(std::span(text))); }

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
  // Pieces of every tensor, hashed by all threads, then their hashes in order.
  constexpr std::size_t kPieceBytes = 4 << 20;
  struct Piece {
    const TensorView* tensor;
    std::size_t begin;
  };
  std::vector<std::uint64_t> hashes{hash_of(json::dump(to_json(config)))};
  std::vector<Piece> pieces;
  for (const auto& [name, view] : weights.tensors) {
    hashes.push_back(hash_of(name));
    for (std::size_t begin = 0; begin < view.bytes.size(); begin += kPieceBytes)
      pieces.push_back({&view, begin});
  }
  const std::size_t names = hashes.size();
  hashes.resize(names + pieces.size());
  parallel_for(pieces.size(), 0, [&](std::size_t i) {
    const TensorView& view = *pieces[i].tensor;
    const auto bytes = view.bytes.subspan(
        pieces[i].begin, std::min(kPieceBytes, view.bytes.size() - pieces[i].begin));
    hashes[names + i] = hash_of(bytes);
    drop_pages(bytes, view.file);
  });
  return fmt::format("{:016x}", hash_of(std::as_bytes(std::span(hashes))));
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
