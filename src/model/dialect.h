// Dialects: the ways in which others lay a model out on disk. Inside Tandem a model has the tensor
// names of open_clip's state dict for its configuration (weight_table); a dialect reads its own
// names into those, and writes them back.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/checkpoint.h"

namespace tandem {

struct Dialect {
  std::string_view name;         // as `tandem convert --to` takes it, e.g. "hf-siglip"
  std::string_view description;  // one line, for --help
  // Whether the folder or file is of this dialect, from names and configuration alone.
  bool (*recognises)(const std::filesystem::path& path);
  // Throws kCorrupt, kUnsupported. check_weights is the caller's.
  Checkpoint (*read)(const std::filesystem::path& path);
  // Throws kUnsupported when the dialect cannot express the model. Null: read only.
  void (*write)(const Checkpoint& checkpoint, const std::filesystem::path& folder, DType dtype);
};

// All of them, in the order in which they are asked. One file each: dialect_NAME.cc.
const std::vector<Dialect>& dialects();
// The first that recognises the path; null when none does.
const Dialect* dialect_of(const std::filesystem::path& path);

const Dialect& open_clip_dialect();   // OpenAI/OpenCLIP and CustomText names (timm, HF towers)
const Dialect& hf_clip_dialect();     // transformers CLIPModel
const Dialect& hf_siglip_dialect();   // transformers SiglipModel, Siglip2Model
const Dialect& big_vision_dialect();  // .npz of google-research/big_vision
const Dialect& eva_dialect();         // baaivision/EVA's own names
const Dialect& mobileclip_dialect();  // apple/ml-mobileclip's own names, re-parameterised on load

// What hf_clip_dialect reads, from bytes already parsed (tests, fuzzing).
ModelConfig parse_hf_clip_config(const json::value& v, const std::string& where);
TensorMap rename_hf_clip(const TensorMap& theirs, const ModelConfig& config,
                         const std::string& where);

// What hf_siglip_dialect reads, likewise.
ModelConfig parse_hf_siglip_config(const json::value& v, const std::string& where);
TensorMap rename_hf_siglip(const TensorMap& theirs, const ModelConfig& config,
                           const std::string& where);

// What big_vision_dialect reads: the arrays of a .npz (core/npz.h).
TensorMap rename_big_vision(const TensorMap& theirs, const ModelConfig& config,
                            const std::string& where);

// What eva_dialect reads, from tensors alone (tests, fuzzing).
ModelConfig infer_eva_config(const TensorMap& theirs, const std::string& where);
TensorMap rename_eva(const TensorMap& theirs, const ModelConfig& config, const std::string& where);

// What mobileclip_dialect reads, likewise; branches are not yet folded.
ModelConfig infer_mobileclip_config(const TensorMap& theirs, const std::string& where);
TensorMap rename_mobileclip(const TensorMap& theirs, const ModelConfig& config,
                            const std::string& where);

// A file's tensors of which each may be renamed, transposed, joined or cut: what readers share.
// Tensors keep their dtype; only joined or transposed ones are copied.
class TensorRenamer {
 public:
  TensorRenamer(const TensorMap& from, std::string where) : from_(from), where_(std::move(where)) {}
  // Throws kCorrupt naming what is missing or has not the rank or dtype needed.
  void rename(const std::string& from, const std::string& to);
  void reshape(const std::string& from, const std::string& to, std::vector<std::int64_t> shape);
  void transpose(const std::string& from, const std::string& to);  // (a,b) -> (b,a)
  // Along the first dimension: q, k, v -> in_proj.
  void join(const std::vector<std::string>& from, const std::string& to);
  // Rows [begin,end) of the first dimension.
  void slice(const std::string& from, const std::string& to, std::int64_t begin, std::int64_t end);
  // Any computed float tensor.
  void put(const std::string& to, std::vector<std::int64_t> shape, std::vector<float> values);
  // A tensor to compute with; counts as asked for.
  const TensorView& at(const std::string& from);
  bool has(const std::string& from) const;
  void ignore(const std::string& from);  // known, of no use
  // The result. Throws kCorrupt naming a tensor that nothing asked for.
  TensorMap take();

 private:
  const TensorView& use(const std::string& from);
  [[noreturn]] void fail(const std::string& tensor, const std::string& problem) const;
  void own(const std::string& to, TensorView view, std::shared_ptr<std::vector<std::byte>> bytes);

  const TensorMap& from_;
  std::string where_;
  TensorMap to_;
  std::map<std::string, bool, std::less<>> used_;
};

}  // namespace tandem
