#include "model/config_reader.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"

namespace tandem::config {
namespace {

bool is_neutral(const json::value& v, std::string_view neutral_text) {
  switch (v.kind()) {
    case boost::json::kind::null:
      return true;
    case boost::json::kind::bool_:
      return !v.get_bool();
    case boost::json::kind::int64:
      return v.get_int64() == 0;
    case boost::json::kind::uint64:
      return v.get_uint64() == 0;
    case boost::json::kind::double_:
      return v.get_double() == 0;
    case boost::json::kind::string:
      return std::string_view(v.get_string()) == neutral_text;
    case boost::json::kind::array:
      return v.get_array().empty();
    case boost::json::kind::object:
      return v.get_object().empty();
  }
  return false;
}

}  // namespace

// "c.json: embed_dim", "c.json: vision_cfg.width".
std::string path_of(const Reader& r, std::string_view key) {
  const bool nested = r.where().find(": ") != std::string::npos;
  return fmt::format("{}{}{}", r.where(), nested ? "." : ": ", key);
}

[[noreturn]] void corrupt(const Reader& r, std::string_view key, const std::string& problem) {
  throw Error(Kind::kCorrupt, fmt::format("{}: {}", path_of(r, key), problem));
}

void refuse_null(const Reader& r, std::string_view key) {
  const json::value* v = r.raw().if_contains(key);
  if (v != nullptr && v->is_null()) corrupt(r, key, "is null. Expected a number, or leave it out.");
}

int bounded(const Reader& r, std::string_view key, std::int64_t fallback, std::int64_t low,
            std::int64_t high) {
  refuse_null(r, key);
  const std::int64_t v = r.integer(key, fallback);
  if (v < low || v > high) corrupt(r, key, fmt::format("is {}. Expected {} to {}.", v, low, high));
  return static_cast<int>(v);
}

// `known`: keys this reader understands; `neutral`: keys accepted only with a value that changes
// nothing.
void refuse_others(const Reader& r, std::initializer_list<std::string_view> known,
                   std::initializer_list<Neutral> neutral) {
  for (const auto& entry : r.raw()) {
    const std::string_view key = entry.key();
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const auto it = std::find_if(neutral.begin(), neutral.end(),
                                 [&](const Neutral& n) { return n.key == key; });
    if (it != neutral.end() && is_neutral(entry.value(), it->value)) continue;
    throw Error(Kind::kUnsupported,
                fmt::format("{}: \"{}\": {} is not supported: it changes the numbers in a way "
                            "that this version does not compute.",
                            r.where(), std::string_view(key), json::dump(entry.value())));
  }
}

// image_size and preprocess size may be a number or [n, n].
int square_size(const Reader& r, std::string_view key, int fallback) {
  const json::value* v = r.find(key);
  if (v == nullptr || !v->is_array()) return bounded(r, key, fallback, 1, 4096);
  const auto& list = v->get_array();
  const bool square =
      list.size() == 2 && list[0].is_int64() && list[1].is_int64() && list[0] == list[1];
  if (!square)
    throw Error(Kind::kUnsupported, fmt::format("{}: {} is not square. Expected one size.",
                                                path_of(r, key), json::dump(*v)));
  const auto size = list[0].get_int64();
  if (size < 1 || size > 4096) corrupt(r, key, fmt::format("is {}. Expected 1 to 4096.", size));
  return static_cast<int>(size);
}

std::optional<double> layer_scale(const Reader& r) {
  if (!r.has("ls_init_value")) return std::nullopt;
  return r.number("ls_init_value");
}

double mlp_ratio(const Reader& r) {
  refuse_null(r, "mlp_ratio");
  const double ratio = r.number("mlp_ratio", 4.0);
  if (!(ratio > 0 && ratio <= 64))
    corrupt(r, "mlp_ratio", fmt::format("is {}. Expected more than 0, at most 64.", ratio));
  return ratio;
}

void check_divisible(const Reader& r, std::string_view key, int whole, int part) {
  if (whole % part != 0)
    corrupt(r, key, fmt::format("is {}, which does not divide {}.", part, whole));
}

PreprocessConfig default_preprocess(const VisionConfig& vision) {
  PreprocessConfig p;
  p.size_px = vision.image_size_px;
  if (vision.family != VisionFamily::kNaflex) return p;
  p.resize_mode = ResizeMode::kPatches;
  p.patch_px = vision.patch_px;
  p.max_patches = vision.grid() * vision.grid();
  return p;
}

void set_max_patches(const Reader& r, std::string_view key, const VisionConfig& vision,
                     PreprocessConfig& p) {
  constexpr int kMaxPixels = 4096 * 4096;
  p.resize_mode = ResizeMode::kPatches;
  p.patch_px = vision.patch_px;
  p.max_patches = bounded(r, key, 256, 1, kMaxPixels / (vision.patch_px * vision.patch_px));
}

}  // namespace tandem::config
