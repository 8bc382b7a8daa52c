#include "cli/model_flags.h"

#include "cli/device.h"
#include "engine/model.h"
#include "preprocess/templates.h"

namespace tandem::cli {

namespace {

// Weights up to this size: `mini` is, ViT-B/32 is not.
constexpr std::uintmax_t kSmallBytes = 64 << 20;

bool is_small(const std::string& name, const ModelPlaces& places) {
  auto path = find_model(name, places).folder;
  if (std::filesystem::is_directory(path)) path /= "open_clip_model.safetensors";
  std::error_code missing;
  const auto bytes = std::filesystem::file_size(path, missing);
  return !missing && bytes <= kSmallBytes;
}

}  // namespace

void add_model_options(Options& options, ModelFlags& flags) {
  options.group("Model");
  options.text(
      "--model", "NAME", flags.model,
      "a name from `tandem models`, hf-hub:ORG/REPO, a folder, or a .safetensors file (default: "
      "mini)");
  options.choice("--precision", {"auto", "fp32", "bf16", "int8"}, flags.precision,
                 "how numbers are held while computing (default: as quantised, else bf16 where "
                 "the processor has it)");
  options.number("--threads", "N", flags.threads, "threads to compute with (default: one per core)",
                 1);
  options.text("--device", "D", flags.device, "cpu, or cuda with tandem-torch (default: cpu)");
  options.flag("--reference", flags.reference,
               "read pictures exactly as open_clip does: no EXIF turning, alpha dropped");
  options.flag("--fast-jpeg", flags.fast_jpeg,
               "shrink large JPEGs while decoding: faster, vectors differ slightly");
  options.number("--merge-tokens", "R", flags.merge_tokens,
                 "merge R alike patches in each block of a ViT: faster, vectors differ", 0);
  options.text("--assets", "DIR", flags.assets,
               "where models and prompts are (default: TANDEM_ASSETS, or as installed)");
}

std::filesystem::path assets_folder(const ModelFlags& flags, const Context& context) {
  if (!flags.assets.empty()) return flags.assets;
  return context.assets.empty() ? default_assets() : context.assets;
}

ModelPlaces model_places(const ModelFlags& flags, const Context& context) {
  return {assets_folder(flags, context), context.hub.cache};
}

Model load(const ModelFlags& flags, const Context& context, Work work) {
  LoadOptions options;
  if (flags.precision == "fp32") options.precision = Precision::kFp32;
  if (flags.precision == "bf16") options.precision = Precision::kBf16;
  if (flags.precision == "int8") options.precision = Precision::kInt8;
  options.threads = flags.threads;
  options.assets = assets_folder(flags, context);
  options.hub_cache = context.hub.cache;
  if (options.threads == 0 && work == Work::kLittle &&
      is_small(flags.model, model_places(flags, context))) {
    options.threads = 1;
  }
  options.fast_jpeg = flags.fast_jpeg;
  options.merge_tokens = flags.merge_tokens;
  options.captions = flags.captions;
  options.reading = flags.reference ? PictureReading::kReference : PictureReading::kAsSeen;
  return load_model(flags.model, options, flags.device, encoder_for(flags.device, context));
}

std::vector<std::string> templates_for(const Model& model, const std::string& given,
                                       const std::filesystem::path& assets) {
  return load_templates(given.empty() ? model.rep().row.templates : given, assets);
}

}  // namespace tandem::cli
