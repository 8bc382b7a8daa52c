// What a model is: open_clip's model_cfg and preprocess_cfg as plain structs. Immutable values.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "core/json.h"
#include "preprocess/transform.h"

namespace tandem {

enum class Activation { kNone, kGelu, kQuickGelu, kRelu, kGeluTanh, kSilu };

// The forward pass of an image tower. A list of four `layers` means a ModifiedResNet, a
// timm_model_name one of the timm families, anything else OpenCLIP's ViT.
enum class VisionFamily { kVit, kModifiedResNet, kTimmVit, kEva, kFastVit, kNaflex };

// model_cfg.vision_cfg.
struct VisionConfig {
  VisionFamily family = VisionFamily::kVit;
  int image_size_px = 224;                // kNaflex: the grid of positions times patch_px
  int layers = 12;                        // depth, unless ModifiedResNet
  std::array<int, 4> stages{3, 4, 6, 3};  // ModifiedResNet blocks a stage
  int width = 768;
  int head_width = 64;
  double mlp_ratio = 4.0;
  int patch_px = 16;
  std::optional<double> layer_scale;  // ls_init_value
  double patch_dropout = 0.0;         // training only; 0..1
  bool no_ln_pre = false;
  bool final_ln_after_pool = false;
  enum class Pool {
    kToken,
    kAverage,
    kNone
  } pool = Pool::kToken;        // pool_type "tok", "avg", "none"
  bool sine_positions = false;  // pos_embed_type "sin_cos_2d"
  bool output_tokens = false;   // CoCa: the decoder reads the tokens as well
  // attentional_pool: learned queries attend to the tokens. "parallel" and "cascade" pool twice.
  enum class AttentionPool { kNone, kPlain, kParallel, kCascade };
  AttentionPool attention_pool = AttentionPool::kNone;
  int pooler_queries = 256;  // attn_pooler_queries
  int pooler_heads = 8;      // attn_pooler_heads

  // A timm trunk: its name fixes the shape (each family has a table of names), which the reader
  // copies into the fields above where they mean the same.
  struct Timm {
    std::string model;  // timm_model_name; empty: none
    std::string pool;   // timm_pool: "", "avg", "token", "map", …
    // timm_proj: "linear" or "mlp" after the pooled trunk; "": the trunk's own head; "none":
    // neither.
    std::string projection = "linear";
    bool projection_bias = false;  // timm_proj_bias
  } timm;

  bool gelu_tanh = false;  // kTimmVit, kNaflex: GELU by tanh
  Activation timm_activation() const {
    return gelu_tanh ? Activation::kGeluTanh : Activation::kGelu;
  }

  bool is_resnet() const { return family == VisionFamily::kModifiedResNet; }
  int heads() const { return (is_resnet() ? width * 32 : width) / head_width; }
  int grid() const { return image_size_px / (is_resnet() ? 32 : patch_px); }
};

// model_cfg.text_cfg: CLIP's text transformer and its variants, or a Hugging Face encoder.
struct TextConfig {
  int context_length = 77;
  int vocab_size = 49'408;
  int width = 512;
  int heads = 8;
  int layers = 12;
  double mlp_ratio = 4.0;
  std::optional<double> layer_scale;
  bool causal = true;                                                     // no_causal_mask false
  enum class Pool { kArgmax, kFirst, kLast, kEos } pool = Pool::kArgmax;  // pool_type
  bool embed_class = false;       // embed_cls: a learned row at the end is pooled (CoCa)
  bool correct_cls_mask = false;  // see open_clip 3.3 TextTransformer
  bool output_tokens = false;     // CoCa: the decoder reads the tokens as well
  int pad_id = 0;
  int eos_id = 2;                // for Pool::kEos
  bool projection = true;        // proj_type "linear"; false: "none"
  bool projection_bias = false;  // proj_bias
  bool gelu_tanh = false;        // act_kwargs {"approximate": "tanh"}
  double eps = 1e-5;             // norm_kwargs {"eps": …}

  // A text tower from transformers, as open_clip's HFTextEncoder uses it. Its shape comes from
  // open_clip's and the family's tables, or the config.json beside it.
  struct HuggingFace {
    std::string model;       // hf_model_name; empty: none
    std::string pooler;      // hf_pooler_type: "mean_pooler", "cls_pooler", …; empty: the default
    std::string projection;  // hf_proj_type: "mlp", "linear", ""
    json::object shape;      // transformers' config.json of the encoder, when known
  } hf;

  // Which tokenizer the ids come from.
  std::string tokenizer_name;    // hf_tokenizer_name; empty: CLIP's byte pairs
  std::string tokenizer_clean;   // tokenizer_kwargs.clean: "lower", "whitespace", "canonicalize"
  bool strip_separator = false;  // tokenizer_kwargs.strip_sep_token

  // Whether every text costs context_length rows: bidirectional attention that sees its padding, or
  // a pooled row that is padding.
  bool reads_padding() const {
    return (!causal || pool == Pool::kLast) && !embed_class && hf.model.empty();
  }
};

// model_cfg.multimodal_cfg: CoCa's decoder (Yu et al. 2022; open_clip MultimodalTransformer, which
// reads neither mlp_ratio, 4 always, nor vocab_size, the text tower's).
struct MultimodalConfig {
  int context_length = 76;
  int vocab_size = 49'408;
  int width = 512;
  int heads = 8;
  int layers = 12;
  std::optional<double> layer_scale;
};

struct ModelConfig {
  int embed_dim = 512;
  VisionConfig vision;
  TextConfig text;
  std::optional<MultimodalConfig> multimodal;
  bool quick_gelu = false;
  // open_clip's CustomTextCLIP: the text tower's tensors are called "text.…". Also where the
  // towers are timm's or Hugging Face's, and CoCa.
  bool custom_text = false;
  double init_logit_scale = 2.6592600369327779;  // ln(1/0.07), CLIP paper section 2.5
  std::optional<double> init_logit_bias;         // SigLIP: logits = scale * cosine + bias
  PreprocessConfig preprocess;

  Activation activation() const { return quick_gelu ? Activation::kQuickGelu : Activation::kGelu; }
  Activation text_activation() const {
    return text.gelu_tanh ? Activation::kGeluTanh : activation();
  }
  std::string text_scope() const { return custom_text ? "text." : ""; }
};

// Reads {"model_cfg":{…},"preprocess_cfg":{…}} (open_clip_config.json) or a bare model_cfg. `where`
// names the file in messages. Throws kCorrupt for wrong types or impossible values (width not a
// multiple of head width, sizes < 1 or absurd), kUnsupported naming every key that changes the
// numbers and is not implemented.
ModelConfig parse_model_config(const json::value& v, const std::string& where);

// The same file, as Tandem writes it: {"model_cfg":…, "preprocess_cfg":…}.
json::value to_json(const ModelConfig& config);

}  // namespace tandem
