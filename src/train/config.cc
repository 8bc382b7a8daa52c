#include "train/config.h"

#include <fmt/format.h>
#include <span>

#include "core/error.h"
#include "core/sha256.h"

namespace tandem {
namespace {

using json::Reader;

[[noreturn]] void refuse(const Reader& r, std::string_view key, const std::string& problem) {
  throw Error(Kind::kInput, fmt::format("{}: {}: {}", r.where(), key, problem));
}

double bounded(const Reader& r, std::string_view key, double fallback, double low, double high) {
  const double v = r.number(key, fallback);
  if (!(v >= low && v <= high)) {
    refuse(r, key, fmt::format("is {}. Expected {} to {}.", v, low, high));
  }
  return v;
}

std::int64_t bounded_integer(const Reader& r, std::string_view key, std::int64_t fallback,
                             std::int64_t low, std::int64_t high) {
  const std::int64_t v = r.integer(key, fallback);
  if (v < low || v > high) refuse(r, key, fmt::format("is {}. Expected {} to {}.", v, low, high));
  return v;
}

std::vector<std::string> texts(const json::value& v, const Reader& r, std::string_view key) {
  std::vector<std::string> out;
  if (v.is_string()) return {std::string(v.get_string())};
  if (!v.is_array()) refuse(r, key, "expected a list of paths.");
  for (const json::value& item : v.get_array()) {
    if (!item.is_string()) refuse(r, key, "expected a list of paths.");
    out.emplace_back(item.get_string());
  }
  return out;
}

std::vector<ShardSource> parse_sources(const Reader& data) {
  const json::value* v = data.find("train");
  if (v == nullptr || !v->is_array()) {
    refuse(data, "train", R"(expected a list of {"shards": […], "weight": 1}.)");
  }
  std::vector<ShardSource> sources;
  for (const json::value& item : v->get_array()) {
    if (item.is_string()) {
      sources.push_back({texts(item, data, "train"), 1});
      continue;
    }
    const Reader r(item, data.where() + ".train");
    r.refuse_unknown({"shards", "weight"});
    const json::value* shards = r.find("shards");
    if (shards == nullptr) refuse(r, "shards", "is missing.");
    sources.push_back({texts(*shards, r, "shards"), bounded(r, "weight", 1, 0, 1e6)});
  }
  return sources;
}

CaptionConfig parse_captions(const Reader& r) {
  r.refuse_unknown({"first_share", "templates"});
  CaptionConfig c;
  c.first_share = bounded(r, "first_share", c.first_share, 0, 1);
  if (const json::value* v = r.find("templates")) {
    if (!v->is_object() || v->get_object().empty()) {
      refuse(r, "templates", R"(expected {"an icon of {}": 1, …}: template to weight.)");
    }
    c.templates.clear();
    const Reader weights(*v, r.where() + ".templates");
    for (const auto& [text, weight] : v->get_object()) {
      const std::string key(text);
      if (key.find("{}") == std::string::npos) refuse(weights, key, R"(has no "{}".)");
      c.templates.push_back({key, bounded(weights, key, 1, 1e-9, 1e9)});
    }
  }
  return c;
}

AugmentConfig parse_augment(const Reader& r) {
  r.refuse_unknown({"scale", "shift", "rotation_deg", "aspect", "recolour", "ground_tint",
                    "ground_dark", "ground_any", "jitter", "grey", "blur", "coarse", "thicken"});
  AugmentConfig a;
  if (const json::value* v = r.find("scale")) {
    if (!v->is_array() || v->get_array().size() != 2) refuse(r, "scale", "expected [low, high].");
    a.min_scale = v->get_array()[0].to_number<double>();
    a.max_scale = v->get_array()[1].to_number<double>();
    if (!(a.min_scale > 0.05 && a.min_scale <= a.max_scale && a.max_scale < 20)) {
      refuse(r, "scale", "expected [low, high] with 0.05 < low <= high < 20.");
    }
  }
  a.shift = bounded(r, "shift", 0, 0, 1);
  a.rotation_deg = bounded(r, "rotation_deg", 0, 0, 180);
  a.aspect = bounded(r, "aspect", 0, 0, 1);
  a.jitter = bounded(r, "jitter", 0, 0, 1);
  for (const auto& [key, field] : {std::pair{"recolour", &a.recolour},
                                   {"ground_tint", &a.ground_tint},
                                   {"ground_dark", &a.ground_dark},
                                   {"ground_any", &a.ground_any},
                                   {"grey", &a.grey},
                                   {"blur", &a.blur},
                                   {"coarse", &a.coarse},
                                   {"thicken", &a.thicken}}) {
    *field = bounded(r, key, 0, 0, 1);
  }
  return a;
}

void parse_data(const Reader& r, TrainConfig& c) {
  r.refuse_unknown({"train", "validation", "cache_pictures", "captions", "augment"});
  c.train = parse_sources(r);
  if (const auto validation = r.child("validation")) {
    for (const auto& [name, shards] : validation->raw()) {
      c.validation[std::string(name)] = texts(shards, *validation, name);
    }
  }
  c.cache_pictures = r.boolean("cache_pictures", c.cache_pictures);
  if (const auto captions = r.child("captions")) c.captions = parse_captions(*captions);
  if (const auto augment = r.child("augment")) c.augment = parse_augment(*augment);
}

void parse_schedule(const Reader& r, ScheduleConfig& s) {
  r.refuse_unknown({"kind", "lr", "warmup_steps", "cooldown"});
  const std::string kind = r.text("kind", "cosine");
  if (kind != "cosine" && kind != "trapezoid") {
    refuse(r, "kind", kind + ": unknown. Expected cosine or trapezoid.");
  }
  s.kind = kind == "cosine" ? ScheduleConfig::Kind::kCosine : ScheduleConfig::Kind::kTrapezoid;
  s.lr = bounded(r, "lr", s.lr, 0, 100);
  s.warmup_steps = bounded_integer(r, "warmup_steps", 0, 0, 1'000'000'000);
  s.cooldown = bounded(r, "cooldown", s.cooldown, 1e-6, 1);
}

void parse_optimiser(const Reader& r, AdamWConfig& o) {
  r.refuse_unknown({"beta1", "beta2", "eps", "weight_decay"});
  o.beta1 = bounded(r, "beta1", o.beta1, 0, 1);
  o.beta2 = bounded(r, "beta2", o.beta2, 0, 1);
  o.eps = bounded(r, "eps", o.eps, 0, 1);
  o.weight_decay = bounded(r, "weight_decay", o.weight_decay, 0, 100);
}

EqualGroups parse_equal_groups(const Reader& r) {
  const std::string v = r.text("equal_groups", "masked");
  if (v == "masked") return EqualGroups::kMasked;
  if (v == "positives") return EqualGroups::kPositives;
  if (v == "negatives") return EqualGroups::kNegatives;
  refuse(r, "equal_groups", v + ": unknown. Expected masked, positives or negatives.");
}

void parse_run(const Reader& r, TrainConfig& c) {
  c.batch_size = static_cast<int>(bounded_integer(r, "batch_size", c.batch_size, 1, 1 << 20));
  c.samples = bounded_integer(r, "samples", 0, 1, std::int64_t{1} << 50);
  c.grad_clip = bounded(r, "grad_clip", 0, 0, 1e9);
  c.ema = bounded(r, "ema", 0, 0, 1);
  const std::string precision = r.text("precision", "fp32");
  if (precision != "fp32" && precision != "bf16") {
    refuse(r, "precision", precision + ": unknown. Expected fp32 or bf16.");
  }
  c.bf16 = precision == "bf16";
  c.seed = static_cast<std::uint64_t>(r.integer("seed", 0));
  c.replicas = static_cast<int>(bounded_integer(r, "replicas", 1, 1, 1024));
  if (c.batch_size % c.replicas != 0) refuse(r, "replicas", "must divide batch_size.");
  c.threads = static_cast<int>(bounded_integer(r, "threads", 0, 0, 4096));
  c.loader_threads = static_cast<int>(bounded_integer(r, "loader_threads", 1, 1, 4096));
  c.log_steps = bounded_integer(r, "log_steps", c.log_steps, 1, 1'000'000);
  c.checkpoint_steps = bounded_integer(r, "checkpoint_steps", c.checkpoint_steps, 1, 1 << 30);
  c.checkpoint_seconds = bounded(r, "checkpoint_seconds", c.checkpoint_seconds, 0, 1e9);
  c.validate_steps = bounded_integer(r, "validate_steps", c.validate_steps, 1, 1 << 30);
}

}  // namespace

TrainConfig parse_train_config(const json::value& v, const std::string& where) {
  const Reader r(v, where);
  r.refuse_unknown({"about",
                    "model",
                    "vocabulary",
                    "init",
                    "out",
                    "data",
                    "batch_size",
                    "samples",
                    "schedule",
                    "optimiser",
                    "grad_clip",
                    "ema",
                    "equal_groups",
                    "precision",
                    "replicas",
                    "seed",
                    "threads",
                    "loader_threads",
                    "log_steps",
                    "checkpoint_steps",
                    "checkpoint_seconds",
                    "validate_steps"});
  TrainConfig c;
  const json::value* model = r.find("model");
  if (model == nullptr) refuse(r, "model", "is missing: a model_cfg, or a path to one.");
  c.model = model->is_string() ? parse_model_config(json::read(std::string(model->get_string())),
                                                    std::string(model->get_string()))
                               : parse_model_config(*model, where + ": model");
  c.vocabulary = r.text("vocabulary", c.vocabulary.string());
  c.init = r.text("init", "");
  c.out = r.text("out", c.out.string());
  parse_data(r.required_child("data"), c);
  if (const auto schedule = r.child("schedule")) parse_schedule(*schedule, c.schedule);
  if (const auto optimiser = r.child("optimiser")) parse_optimiser(*optimiser, c.optimiser);
  c.equal_groups = parse_equal_groups(r);
  parse_run(r, c);
  c.source = v;
  return c;
}

TrainConfig read_train_config(const std::filesystem::path& path) {
  return parse_train_config(json::read(path), path.string());
}

std::string config_hash(const TrainConfig& config) {
  json::object o = config.source.get_object();
  for (const char* free :
       {"about", "out", "samples", "schedule", "replicas", "threads", "loader_threads", "log_steps",
        "checkpoint_steps", "checkpoint_seconds", "validate_steps"}) {
    o.erase(free);
  }
  if (auto* data = o.if_contains("data")) {
    for (const char* free : {"validation", "cache_pictures"}) data->as_object().erase(free);
  }
  const std::string text = json::dump(o);
  return hex(sha256(std::as_bytes(std::span(text)))).substr(0, 16);
}

}  // namespace tandem
