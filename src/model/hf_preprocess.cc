// Source: transformers 5.23 image_processing_backends.PilBackend, image_processing_base,
// models/{clip,siglip,vit}/image_processing_pil_*.py.
#include "model/hf_preprocess.h"

#include <cmath>
#include <fmt/format.h>

#include "core/error.h"
#include "model/config_reader.h"

namespace tandem {
namespace {

using namespace config;
namespace fs = std::filesystem;

constexpr int kBilinear = 2;  // PIL.Image.Resampling
constexpr int kBicubic = 3;

constexpr std::array<float, 3> kHalf{0.5F, 0.5F, 0.5F};

// What a processor class fills in.
struct Defaults {
  std::string_view name;  // without "Fast" or "Pil"
  bool shortest;          // size means the shorter side, which a crop follows
  int resample;
  bool openai;  // mean and deviation of CLIP, else 0.5
  bool naflex = false;
};
constexpr Defaults kProcessors[] = {
    {"CLIPImageProcessor", true, kBicubic, true},
    {"CLIPFeatureExtractor", true, kBicubic, true},
    {"SiglipImageProcessor", false, kBicubic, false},
    {"Siglip2ImageProcessor", false, kBilinear, false, true},
    {"ViTImageProcessor", false, kBilinear, false},
    {"ViTFeatureExtractor", false, kBilinear, false},
};

[[noreturn]] void unsupported(const Reader& r, std::string_view key, const std::string& why) {
  throw Error(Kind::kUnsupported, fmt::format("{} {}", path_of(r, key), why));
}

const Defaults& processor_of(const Reader& r) {
  const char* key =
      r.has("image_processor_type") ? "image_processor_type" : "feature_extractor_type";
  std::string type = r.text(key, "CLIPImageProcessor");
  for (const std::string_view end : {"Fast", "Pil"}) {
    if (type.ends_with(end)) type.resize(type.size() - end.size());
  }
  for (const Defaults& known : kProcessors) {
    if (known.name == type) return known;
  }
  unsupported(r, key,
              fmt::format("\"{}\" is not supported. Expected CLIPImageProcessor, "
                          "SiglipImageProcessor, Siglip2ImageProcessor or ViTImageProcessor.",
                          r.text(key)));
}

// A size: 224, {"shortest_edge": 224} or {"height": 224, "width": 224}.
struct Size {
  int px = 0;
  bool shortest = false;
};

Size read_size(const Reader& r, std::string_view key, Size fallback) {
  const json::value* v = r.find(key);
  if (v == nullptr) return fallback;
  if (v->is_number()) return {bounded(r, key, 0, 1, 4096), fallback.shortest};
  const Reader size = r.required_child(key);
  if (size.has("shortest_edge") && !size.has("longest_edge") && !size.has("height"))
    return {bounded(size, "shortest_edge", 0, 1, 4096), true};
  if (!size.has("height") || !size.has("width") || size.raw().size() != 2)
    unsupported(r, key, "is neither {shortest_edge} nor {height, width}.");
  const int height = bounded(size, "height", 0, 1, 4096);
  if (height != bounded(size, "width", 0, 1, 4096)) unsupported(r, key, "is not square.");
  return {height, false};
}

std::array<float, 3> read_triple(const Reader& r, std::string_view key,
                                 std::array<float, 3> fallback) {
  const json::value* v = r.find(key);
  if (v == nullptr) return fallback;
  std::array<float, 3> out{};
  if (v->is_number()) {
    out.fill(v->to_number<float>());
    return out;
  }
  if (!v->is_array() || v->get_array().size() != 3)
    corrupt(r, key, "has not three numbers, one a channel.");
  for (std::size_t i = 0; i < 3; ++i) {
    if (!v->get_array()[i].is_number()) corrupt(r, key, "holds something that is not a number.");
    out[i] = v->get_array()[i].to_number<float>();
  }
  return out;
}

void read_filter(const Reader& r, const Defaults& defaults, PreprocessConfig& p) {
  const int resample = bounded(r, "resample", defaults.resample, 0, 5);
  if (resample != kBilinear && resample != kBicubic)
    unsupported(r, "resample",
                fmt::format("is {}. Expected 2 (bilinear) or 3 (bicubic).", resample));
  p.interpolation = resample == kBicubic ? Filter::kBicubic : Filter::kBilinear;
}

void read_naflex_geometry(const Reader& r, const VisionConfig& vision, PreprocessConfig& p) {
  if (!r.boolean("do_resize", true))
    unsupported(r, "do_resize", "is false: pictures of any size would reach the model.");
  const int patch = bounded(r, "patch_size", 16, 1, 256);
  if (patch != vision.patch_px)
    corrupt(
        r, "patch_size",
        fmt::format("is {}, but the image tower's patches are {} pixels.", patch, vision.patch_px));
  p.size_px = vision.image_size_px;
  set_max_patches(r, "max_num_patches", vision, p);
}

// Resizing, and the crop that must leave exactly the tower's square.
void read_geometry(const Reader& r, const Defaults& defaults, int image_size_px,
                   PreprocessConfig& p) {
  if (!r.boolean("do_resize", true))
    unsupported(r, "do_resize", "is false: pictures of any size would reach the model.");
  const bool shortest = !r.boolean("default_to_square", !defaults.shortest);
  const Size size = read_size(r, "size", {224, shortest});
  const bool crops = r.boolean("do_center_crop", defaults.shortest);
  const Size crop = crops ? read_size(r, "crop_size", {224, false}) : size;
  if (crop.px != size.px)
    unsupported(r, "crop_size",
                fmt::format("is {}, but pictures are resized to {}. Expected equal sizes.", crop.px,
                            size.px));
  if (size.shortest && !crops)
    unsupported(r, "do_center_crop", "is false, so pictures would not be square.");
  if (size.px != image_size_px)
    corrupt(r, "size",
            fmt::format("is {}, but the image tower reads {} pixels.", size.px, image_size_px));
  p.size_px = size.px;
  p.resize_mode = size.shortest ? ResizeMode::kShortest : ResizeMode::kSquash;
  const std::string offset = r.text("crop_offset", "down");
  if (offset != "down" && offset != "half_to_even")
    corrupt(r, "crop_offset", "is neither \"down\" nor \"half_to_even\".");
  if (size.shortest && offset == "down") p.crop_offset = CropOffset::kDown;
}

void read_values(const Reader& r, const Defaults& defaults, PreprocessConfig& p) {
  const double factor = r.number("rescale_factor", 1.0 / 255);
  if (!r.boolean("do_rescale", true) || !(std::abs(factor * 255 - 1) < 1e-6))
    unsupported(r, "rescale_factor", "and do_rescale: expected pixels times 1/255.");
  if (r.boolean("do_normalize", true)) {
    p.mean = read_triple(r, "image_mean", defaults.openai ? p.mean : kHalf);
    p.std = read_triple(r, "image_std", defaults.openai ? p.std : kHalf);
  } else {
    p.mean = {0, 0, 0};
    p.std = {1, 1, 1};
  }
  for (const float s : p.std) {
    if (!(s > 0)) corrupt(r, "image_std", "holds a value that is not positive.");
  }
}

}  // namespace

PreprocessConfig parse_hf_preprocess(const json::value& v, const std::string& where,
                                     const VisionConfig& vision) {
  const Reader root(v, where);
  const auto nested = root.child("image_processor");
  const Reader& r = nested ? *nested : root;
  refuse_others(r,
                {"image_processor_type",
                 "feature_extractor_type",
                 "processor_class",
                 "do_resize",
                 "size",
                 "resample",
                 "do_center_crop",
                 "crop_size",
                 "do_rescale",
                 "rescale_factor",
                 "do_normalize",
                 "image_mean",
                 "image_std",
                 "do_convert_rgb",
                 "crop_offset",
                 "default_to_square",
                 "_valid_processor_keys",
                 "auto_map",
                 "_processor_class",
                 "patch_size",
                 "max_num_patches"},
                {{"data_format", "channels_first"},
                 {"do_pad"},
                 {"pad_size"},
                 {"return_tensors"},
                 {"input_data_format"},
                 {"disable_grouping"},
                 {"device"},
                 {"image_seq_length"},
                 {"do_reduce_labels"},
                 {"do_flip_channel_order"},
                 {"reducing_gap"},
                 {"do_thumbnail"},
                 {"use_square_size"},
                 {"size_divisor"},
                 {"do_align_long_axis"}});
  const Defaults& defaults = processor_of(r);
  PreprocessConfig p;
  const bool naflex = vision.family == VisionFamily::kNaflex;
  if (defaults.naflex != naflex)
    unsupported(r, "image_processor_type",
                fmt::format("\"{}\" does not prepare pictures for this tower, whose pictures {}.",
                            defaults.name,
                            naflex ? "vary in proportions (NaFlex)" : "are all of one size"));
  if (naflex) {
    read_naflex_geometry(r, vision, p);
  } else {
    read_geometry(r, defaults, vision.image_size_px, p);
  }
  read_filter(r, defaults, p);
  read_values(r, defaults, p);
  return p;
}

PreprocessConfig read_hf_preprocess(const fs::path& folder, const VisionConfig& vision) {
  const fs::path combined = folder / "processor_config.json";
  const fs::path own = folder / "preprocessor_config.json";
  // transformers prefers the nested one where both are there.
  if (fs::exists(combined)) {
    const json::value v = json::read(combined);
    if (v.is_object() && v.get_object().contains("image_processor"))
      return parse_hf_preprocess(v, combined.string(), vision);
  }
  if (!fs::exists(own)) {
    throw Error(Kind::kNotFound,
                fmt::format("{}: does not say how its pictures are prepared. Expected "
                            "preprocessor_config.json in it.",
                            folder.string()));
  }
  return parse_hf_preprocess(json::read(own), own.string(), vision);
}

json::object hf_preprocess_json(const PreprocessConfig& config, const std::string& type) {
  if (config.resize_mode == ResizeMode::kLongest) {
    throw Error(Kind::kUnsupported,
                "resize_mode \"longest\" cannot be expressed: transformers' processors do not pad "
                "to a square. Expected \"shortest\" or \"squash\".");
  }
  const bool varied = config.resize_mode == ResizeMode::kPatches;
  const bool shortest = config.resize_mode == ResizeMode::kShortest;
  const auto triple = [](const std::array<float, 3>& values) {
    json::array list;
    for (const float f : values) list.emplace_back(std::stod(fmt::format("{}", f)));
    return list;
  };
  const json::object square{{"height", config.size_px}, {"width", config.size_px}};
  json::object o;
  o["image_processor_type"] = type;
  o["do_convert_rgb"] = true;
  o["do_resize"] = true;
  if (varied) {
    o["patch_size"] = config.patch_px;
    o["max_num_patches"] = config.max_patches;
  } else {
    o["size"] = shortest ? json::object{{"shortest_edge", config.size_px}} : square;
    o["do_center_crop"] = shortest;
  }
  o["resample"] = config.interpolation == Filter::kBicubic ? kBicubic : kBilinear;
  if (shortest) o["crop_size"] = square;
  if (shortest && config.crop_offset == CropOffset::kHalfToEven) o["crop_offset"] = "half_to_even";
  o["do_rescale"] = true;
  o["rescale_factor"] = 1.0 / 255;
  o["do_normalize"] = true;
  o["image_mean"] = triple(config.mean);
  o["image_std"] = triple(config.std);
  return o;
}

}  // namespace tandem
