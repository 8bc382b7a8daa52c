#include "model/hf_text.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "core/error.h"
#include "model/config_reader.h"

namespace tandem {
namespace {

using namespace config;
using Family = HfTextShape::Family;

// config.json of the public encoders, by the name that open_clip's configurations give.
struct Known {
  std::string_view name;  // without its organisation
  HfTextShape shape;
};

HfTextShape bert(int vocab, int width, int layers) {
  return {.family = Family::kBert,
          .vocab_size = vocab,
          .width = width,
          .layers = layers,
          .heads = width / 64,
          .head_width = 64,
          .hidden = 4 * width,
          .positions = 512,
          .types = 2};
}

HfTextShape roberta(int vocab, int width, int layers) {
  HfTextShape s = bert(vocab, width, layers);
  s.family = Family::kRoberta;
  s.positions = 514;
  s.types = 1;
  s.pad_id = 1;
  s.eps = 1e-5;
  return s;
}

HfTextShape mt5(int width, int hidden, int heads, int layers) {
  return {.family = Family::kT5,
          .vocab_size = 250'112,
          .width = width,
          .layers = layers,
          .heads = heads,
          .head_width = 64,
          .hidden = hidden,
          .eps = 1e-6};
}

const std::vector<Known>& known_shapes() {
  static const std::vector<Known> kKnown = {
      {"bert-base-uncased", bert(30'522, 768, 12)},
      {"bert-base-cased", bert(28'996, 768, 12)},
      {"bert-large-uncased", bert(30'522, 1024, 24)},
      {"bert-base-chinese", bert(21'128, 768, 12)},
      {"bert-base-multilingual-cased", bert(119'547, 768, 12)},
      {"bert-base-multilingual-uncased", bert(105'879, 768, 12)},
      {"roberta-base", roberta(50'265, 768, 12)},
      {"roberta-large", roberta(50'265, 1024, 24)},
      {"xlm-roberta-base", roberta(250'002, 768, 12)},
      {"xlm-roberta-large", roberta(250'002, 1024, 24)},
      {"mt5-small", mt5(512, 1024, 6, 8)},
      {"mt5-base", mt5(768, 2048, 12, 12)},
      {"mt5-large", mt5(1024, 2816, 16, 24)},
      {"mt5-xl", mt5(2048, 5120, 32, 24)},
      {"mt5-xxl", mt5(4096, 10'240, 64, 24)},
  };
  return kKnown;
}

[[noreturn]] void unsupported(const Reader& r, std::string_view key, const std::string& expected) {
  throw Error(Kind::kUnsupported, fmt::format("{}: {} is not supported. Expected {}.",
                                              path_of(r, key), json::dump(*r.find(key)), expected));
}

double read_eps(const Reader& r, std::string_view key, double fallback) {
  const double eps = r.number(key, fallback);
  if (!(eps > 0 && eps < 1)) corrupt(r, key, "is not in (0,1).");
  return eps;
}

HfTextShape read_bert(const Reader& r, bool is_roberta) {
  HfTextShape s;
  s.family = is_roberta ? Family::kRoberta : Family::kBert;
  s.vocab_size = bounded(r, "vocab_size", is_roberta ? 50'265 : 30'522, 514, 1'000'000);
  s.width = bounded(r, "hidden_size", 768, 1, 16'384);
  s.layers = bounded(r, "num_hidden_layers", 12, 1, 256);
  s.heads = bounded(r, "num_attention_heads", 12, 1, 1024);
  check_divisible(r, "num_attention_heads", s.width, s.heads);
  s.head_width = s.width / s.heads;
  s.hidden = bounded(r, "intermediate_size", 3072, 1, 1 << 20);
  s.positions = bounded(r, "max_position_embeddings", 512, 1, 65'536);
  s.types = bounded(r, "type_vocab_size", 2, 1, 1024);
  s.pad_id = bounded(r, "pad_token_id", is_roberta ? 1 : 0, 0, s.vocab_size - 1);
  s.eps = read_eps(r, "layer_norm_eps", 1e-12);
  if (r.text("hidden_act", "gelu") != "gelu") unsupported(r, "hidden_act", "\"gelu\"");
  if (r.text("position_embedding_type", "absolute") != "absolute")
    unsupported(r, "position_embedding_type", "\"absolute\"");
  return s;
}

HfTextShape read_t5(const Reader& r) {
  HfTextShape s;
  s.family = Family::kT5;
  s.vocab_size = bounded(r, "vocab_size", 250'112, 514, 1'000'000);
  s.width = bounded(r, "d_model", 512, 1, 16'384);
  s.head_width = bounded(r, "d_kv", 64, 1, 1024);
  s.hidden = bounded(r, "d_ff", 1024, 1, 1 << 20);
  s.layers = bounded(r, "num_layers", 8, 1, 256);
  s.heads = bounded(r, "num_heads", 6, 1, 1024);
  s.buckets = bounded(r, "relative_attention_num_buckets", 32, 4, 65'536);
  s.max_distance = bounded(r, "relative_attention_max_distance", 128, 2, 1 << 20);
  if (s.buckets % 4 != 0 || s.max_distance <= s.buckets / 4)
    corrupt(r, "relative_attention_num_buckets", "does not fit the largest distance.");
  s.pad_id = bounded(r, "pad_token_id", 0, 0, s.vocab_size - 1);
  s.eps = read_eps(r, "layer_norm_epsilon", 1e-6);
  const std::string mlp = r.text("feed_forward_proj", "gated-gelu");
  if (mlp != "gated-gelu" && mlp != "relu")
    unsupported(r, "feed_forward_proj", "\"gated-gelu\" or \"relu\"");
  s.gated = mlp == "gated-gelu";
  return s;
}

HfTextShape read_shape(const json::object& shape, const std::string& where) {
  const json::value v = shape;
  const Reader r(v, where);
  const std::string type = r.text("model_type", "");
  if (type == "bert") return read_bert(r, false);
  if (type == "roberta" || type == "xlm-roberta") return read_bert(r, true);
  if (type == "mt5") return read_t5(r);
  throw Error(Kind::kUnsupported,
              fmt::format("{}: model_type \"{}\" is not supported. Expected bert, roberta, "
                          "xlm-roberta or mt5.",
                          where, type));
}

}  // namespace

HfTextShape hf_text_shape(const TextConfig& text, const std::string& where) {
  if (!text.hf.shape.empty()) return read_shape(text.hf.shape, where + ".hf_config");
  const std::string_view full = text.hf.model;
  const std::string_view name = full.substr(full.rfind('/') + 1);
  std::string names;
  for (const Known& known : known_shapes()) {
    if (known.name == name) return known.shape;
    names += (names.empty() ? "" : ", ") + std::string(known.name);
  }
  throw Error(Kind::kUnsupported,
              fmt::format("{}.hf_model_name: \"{}\" is not known. Expected one of {}, or its "
                          "config.json as \"hf_config\".",
                          where, full, names));
}

void describe_hf_text(TextConfig& text, const std::string& where) {
  const HfTextShape shape = hf_text_shape(text, where);
  const auto refuse = [&](const char* key, const std::string& value, const char* expected) {
    throw Error(Kind::kUnsupported, fmt::format("{}.{}: \"{}\" is not supported. Expected {}.",
                                                where, key, value, expected));
  };
  const std::string& pooler = text.hf.pooler;
  const bool first = pooler == "cls_last_hidden_state_pooler" ||
                     (pooler == "cls_pooler" && shape.family == Family::kT5);
  if (pooler != "mean_pooler" && !first)
    refuse("hf_pooler_type", pooler, "\"mean_pooler\" or \"cls_last_hidden_state_pooler\"");
  const std::string& projection = text.hf.projection;
  if (projection != "mlp" && projection != "linear" && !projection.empty())
    refuse("hf_proj_type", projection, "\"mlp\", \"linear\" or \"none\"");
  if (shape.positions > 0 && text.context_length + shape.first_position() > shape.positions)
    throw Error(Kind::kCorrupt,
                fmt::format("{}.context_length: is {}, but the encoder has {} positions.", where,
                            text.context_length, shape.positions - shape.first_position()));
  text.vocab_size = shape.vocab_size;
  text.width = shape.width;
  text.heads = shape.heads;
  text.layers = shape.layers;
  text.mlp_ratio = static_cast<double>(shape.hidden) / shape.width;
  text.pad_id = shape.pad_id;
  text.causal = false;
}

std::vector<std::int32_t> t5_buckets(int length, int buckets, int max_distance) {
  const int half = buckets / 2;  // one half for keys behind, one for keys ahead
  const int exact = half / 2;
  std::vector<std::int32_t> out;
  for (int d = -(length - 1); d < length; ++d) {
    const int distance = std::abs(d);
    int bucket = distance;
    if (distance >= exact) {
      // float32, as the reference computes it: some distances lie on the border of two buckets.
      const float ratio = std::log(static_cast<float>(distance) / static_cast<float>(exact)) /
                          static_cast<float>(std::log(static_cast<double>(max_distance) / exact)) *
                          static_cast<float>(half - exact);
      bucket = std::min(exact + static_cast<int>(ratio), half - 1);
    }
    out.push_back(bucket + (d > 0 ? half : 0));
  }
  return out;
}

TokenBatch constant_ids(const TokenBatch& tokens, int id) {
  TokenBatch out = tokens;
  std::fill(out.ids.begin(), out.ids.end(), id);
  return out;
}

TokenBatch position_ids(const TokenBatch& tokens, int id) {
  TokenBatch out = tokens;
  for (int i = 0; i < tokens.count(); ++i) {
    for (std::int32_t r = tokens.offsets[i]; r < tokens.offsets[i + 1]; ++r)
      out.ids[r] = id + r - tokens.offsets[i];
  }
  return out;
}

}  // namespace tandem
