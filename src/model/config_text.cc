#include <fmt/format.h>

#include "core/error.h"
#include "model/config_reader.h"
#include "model/hf_text.h"

namespace tandem::config {
namespace {

using Pool = TextConfig::Pool;

Pool read_pool(const Reader& r) {
  const std::string pool = r.text("pool_type", "argmax");
  if (pool == "argmax") return Pool::kArgmax;
  if (pool == "first") return Pool::kFirst;
  if (pool == "last") return Pool::kLast;
  if (pool == "eos") return Pool::kEos;
  throw Error(
      Kind::kUnsupported,
      fmt::format("{}: \"{}\" is not supported. Expected \"argmax\", \"first\", \"last\" or "
                  "\"eos\".",
                  path_of(r, "pool_type"), pool));
}

std::string_view pool_name(Pool pool) {
  switch (pool) {
    case Pool::kArgmax:
      return "argmax";
    case Pool::kFirst:
      return "first";
    case Pool::kLast:
      return "last";
    case Pool::kEos:
      return "eos";
  }
  return "";
}

void read_norm(const Reader& r, TextConfig& text) {
  const auto norm = r.child("norm_kwargs");
  if (!norm) return;
  refuse_others(*norm, {"eps"}, {});
  text.eps = norm->number("eps", text.eps);
  if (!(text.eps > 0 && text.eps < 1)) corrupt(*norm, "eps", "is not in (0,1).");
}

void read_activation(const Reader& r, TextConfig& text) {
  const auto activation = r.child("act_kwargs");
  if (!activation) return;
  refuse_others(*activation, {"approximate"}, {});
  const std::string how = activation->text("approximate", "none");
  if (how != "none" && how != "tanh")
    corrupt(*activation, "approximate", "is neither \"none\" nor \"tanh\".");
  text.gelu_tanh = how == "tanh";
}

void read_tokenizer(const Reader& r, TextConfig& text) {
  text.tokenizer_name = r.has("hf_tokenizer_name") ? r.text("hf_tokenizer_name") : "";
  const auto options = r.child("tokenizer_kwargs");
  if (!options) return;
  refuse_others(*options, {"clean", "strip_sep_token"}, {});
  text.tokenizer_clean = options->text("clean", "");
  text.strip_separator = options->boolean("strip_sep_token", false);
}

void read_hugging_face(const Reader& r, TextConfig& text) {
  if (!r.has("hf_model_name")) return;
  text.hf.model = r.text("hf_model_name");
  text.hf.pooler = r.has("hf_pooler_type") ? r.text("hf_pooler_type") : "mean_pooler";
  text.hf.projection = r.has("hf_proj_type") ? r.text("hf_proj_type") : "mlp";
  if (text.hf.projection == "none") text.hf.projection.clear();
  if (const auto shape = r.child("hf_config")) text.hf.shape = shape->raw();
  describe_hf_text(text, r.where());
}

}  // namespace

TextConfig read_text(const Reader& r) {
  refuse_others(r, {"context_length", "vocab_size",       "width",
                    "heads",          "layers",           "mlp_ratio",
                    "ls_init_value",  "pad_id",           "eos_id",
                    "output_tokens",  "hf_model_name",    "hf_model_pretrained",
                    "hf_proj_type",   "hf_pooler_type",   "hf_tokenizer_name",
                    "embed_cls",      "no_causal_mask",   "pool_type",
                    "proj_type",      "proj_bias",        "act_kwargs",
                    "norm_kwargs",    "tokenizer_kwargs", "correct_cls_mask",
                    "hf_config"},
                {{"tokenizer_mode", "clean"},
                 {"final_ln_after_pool"},
                 {"block_type", "default"},
                 {"qk_norm"},
                 {"scaled_cosine_attn"},
                 {"scale_heads"},
                 {"scale_attn_inner"},
                 {"scale_attn"},
                 {"scale_fc"}});
  TextConfig text;
  text.context_length = bounded(r, "context_length", 77, 2, 65'536);
  text.vocab_size = bounded(r, "vocab_size", 49'408, 514, 1'000'000);
  text.width = bounded(r, "width", 512, 1, 16'384);
  text.heads = bounded(r, "heads", 8, 1, 1024);
  text.layers = bounded(r, "layers", 12, 1, 256);
  text.mlp_ratio = mlp_ratio(r);
  text.layer_scale = layer_scale(r);
  text.causal = !r.boolean("no_causal_mask", false);
  text.pool = read_pool(r);
  text.embed_class = r.boolean("embed_cls", false);
  text.correct_cls_mask = r.boolean("correct_cls_mask", false);
  text.output_tokens = r.boolean("output_tokens", false);
  if (text.embed_class && !text.causal) {
    throw Error(Kind::kUnsupported,
                fmt::format("{}: true is not supported with no_causal_mask. Expected one of them.",
                            path_of(r, "embed_cls")));
  }
  text.pad_id = bounded(r, "pad_id", 0, 0, 1'000'000);
  text.eos_id = bounded(r, "eos_id", 2, 0, 1'000'000);
  const std::string projection = r.has("proj_type") ? r.text("proj_type") : "none";
  if (projection != "linear" && projection != "none")
    corrupt(r, "proj_type", fmt::format("is \"{}\". Expected \"linear\" or \"none\".", projection));
  text.projection = !r.find("proj_type") || projection == "linear";
  text.projection_bias = r.boolean("proj_bias", false);
  read_activation(r, text);
  read_norm(r, text);
  read_tokenizer(r, text);
  read_hugging_face(r, text);
  if (text.hf.model.empty()) check_divisible(r, "heads", text.width, text.heads);
  return text;
}

json::object text_json(const TextConfig& text) {
  json::object o;
  o["context_length"] = text.context_length;
  o["vocab_size"] = text.vocab_size;
  if (!text.hf.model.empty()) {
    o["hf_model_name"] = text.hf.model;
    o["hf_model_pretrained"] = false;
    if (!text.hf.shape.empty()) o["hf_config"] = text.hf.shape;
    o["hf_pooler_type"] = text.hf.pooler;
    o["hf_proj_type"] = text.hf.projection.empty() ? "none" : text.hf.projection;
  }
  o["width"] = text.width;
  o["heads"] = text.heads;
  o["layers"] = text.layers;
  if (text.mlp_ratio != 4.0) o["mlp_ratio"] = text.mlp_ratio;
  if (text.layer_scale) o["ls_init_value"] = *text.layer_scale;
  if (!text.causal) o["no_causal_mask"] = true;
  if (text.pool != Pool::kArgmax) o["pool_type"] = pool_name(text.pool);
  if (text.pool == Pool::kEos) o["eos_id"] = text.eos_id;
  if (text.embed_class) o["embed_cls"] = true;
  if (text.correct_cls_mask) o["correct_cls_mask"] = true;
  if (text.output_tokens) o["output_tokens"] = true;
  if (text.pad_id != 0) o["pad_id"] = text.pad_id;
  if (!text.projection) o["proj_type"] = "none";
  if (text.projection_bias) o["proj_bias"] = true;
  if (text.gelu_tanh) o["act_kwargs"] = json::object{{"approximate", "tanh"}};
  if (text.eps != 1e-5) o["norm_kwargs"] = json::object{{"eps", text.eps}};
  if (!text.tokenizer_name.empty()) o["hf_tokenizer_name"] = text.tokenizer_name;
  json::object tokenizer;
  if (!text.tokenizer_clean.empty()) tokenizer["clean"] = text.tokenizer_clean;
  if (text.strip_separator) tokenizer["strip_sep_token"] = true;
  if (!tokenizer.empty()) o["tokenizer_kwargs"] = std::move(tokenizer);
  return o;
}

MultimodalConfig read_multimodal(const Reader& r) {
  refuse_others(r,
                {"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio",
                 "ls_init_value", "dim_head", "n_queries", "attn_pooler_heads"},
                {});
  MultimodalConfig m;
  m.context_length = bounded(r, "context_length", 76, 2, 65'536);
  m.vocab_size = bounded(r, "vocab_size", 49'408, 514, 1'000'000);
  m.width = bounded(r, "width", 512, 1, 16'384);
  m.heads = bounded(r, "heads", 8, 1, 1024);
  m.layers = bounded(r, "layers", 12, 1, 256);
  m.layer_scale = layer_scale(r);
  check_divisible(r, "heads", m.width, m.heads);
  return m;
}

json::object multimodal_json(const MultimodalConfig& m) {
  json::object o;
  o["context_length"] = m.context_length;
  o["vocab_size"] = m.vocab_size;
  o["width"] = m.width;
  o["heads"] = m.heads;
  o["layers"] = m.layers;
  if (m.layer_scale) o["ls_init_value"] = *m.layer_scale;
  return o;
}

}  // namespace tandem::config
