// `tandem quantize`: a smaller, faster copy of a model, and how well it agrees with the original.
#include "engine/quantize.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/model_flags.h"
#include "cli/paths.h"
#include "cli/table.h"
#include "core/files.h"
#include "core/json.h"
#include "core/threads.h"
#include "engine/convert.h"
#include "engine/model.h"
#include "engine/pictures.h"
#include "preprocess/templates.h"

namespace tandem::cli {
namespace {

namespace fs = std::filesystem;

// Sample pictures measured with, unless others are given.
constexpr std::size_t kSamplePictures = 64;

const std::vector<std::string> kTexts = {"a photo of a dog",
                                         "a photo of a cat",
                                         "an apple",
                                         "a red car",
                                         "a bicycle",
                                         "a house",
                                         "a tree in autumn",
                                         "people on a beach",
                                         "a plate of food",
                                         "a birthday cake",
                                         "a cup of coffee",
                                         "a bird in the sky",
                                         "a fish",
                                         "a guitar",
                                         "a smiling face",
                                         "a map",
                                         "a computer",
                                         "a football match",
                                         "a mountain at dawn",
                                         "a street at night",
                                         "a drawing of a sun",
                                         "a heart symbol",
                                         "an arrow sign",
                                         "an aeroplane"};

struct Flags {
  OutputFlags output;
  ModelFlags model;
  std::vector<std::string> words;
  std::string out;
  std::string precision = "int8";
  std::string pictures;
  std::string texts;
  bool per_layer = false;
};

Options declare(Flags& flags) {
  Options options("quantize",
                  "write a smaller, faster copy of a model, and measure how well it agrees with "
                  "the original in float32. int8 holds the large matrices as 8-bit integers.");
  options.example("tandem quantize path/to/vit-l-14 --out vit-l-14-int8",
                  "a folder for --model; measured on the sample pictures");
  options.example(
      "tandem quantize mini --out small --pictures photos/ --texts labels.txt --per-layer",
      "measured on your own pictures and labels, with each matrix's error");
  options.words("MODEL", flags.words, "a name from `tandem models`, a folder, or a file", 1, 1);
  options.group("What and where to");
  options.text("--out", "DIR", flags.out, "a new folder");
  options.choice("--precision", {"int8", "bf16"}, flags.precision,
                 "how weights are held (default: int8)");
  options.group("Measurement");
  options.text("--pictures", "PATH", flags.pictures,
               "pictures to compare on (default: 64 of the samples)");
  options.text("--texts", "FILE", flags.texts, "texts to compare on, one a line (default: 24)");
  options.flag("--per-layer", flags.per_layer,
               "the relative error of each matrix's output as well (int8)");
  options.number("--threads", "N", flags.model.threads,
                 "threads to compute with (default: one per core)", 1);
  options.text("--assets", "DIR", flags.model.assets,
               "where models and prompts are (default: TANDEM_ASSETS, or as installed)");
  return options;
}

std::vector<fs::path> pictures_for(const Flags& flags, const fs::path& assets) {
  const bool given = !flags.pictures.empty();
  if (!given && !fs::exists(assets / "samples")) return {};
  const fs::path folder = given ? fs::path(flags.pictures) : assets / "samples";
  const auto found = paths_of(find_pictures({folder}));
  if (given && found.empty()) {
    throw Error(Kind::kInput, fmt::format("--pictures {}: no pictures there. Expected JPEG, PNG, "
                                          "WebP or GIF files.",
                                          flags.pictures));
  }
  if (given || found.size() <= kSamplePictures) return found;
  std::vector<fs::path> some;
  for (std::size_t i = 0; i < kSamplePictures; ++i)
    some.push_back(found[i * found.size() / kSamplePictures]);
  return some;
}

struct Vectors {
  Matrix images;
  Matrix texts;
  std::string engine;
};

// Pictures that cannot be read are left out: the same ones for every model.
Vectors vectors_of(const Model& model, const std::vector<fs::path>& pictures,
                   const std::vector<std::string>& texts) {
  Vectors v{{}, model.embed_texts(texts), model.describe()};
  v.images.cols = static_cast<std::size_t>(model.width());
  embed_pictures(model, picture_files(pictures), {}, [&](const PictureRow& row) {
    if (row.error) return;
    v.images.values.insert(v.images.values.end(), row.vector.begin(), row.vector.end());
    ++v.images.rows;
  });
  return v;
}

struct Report {
  std::uintmax_t bytes_before = 0;
  std::uintmax_t bytes = 0;
  std::size_t matrices = 0;
  std::string engine;
  std::size_t pictures = 0;
  std::size_t texts = 0;
  RowAgreement image;
  RowAgreement text;
  double top_one = 0;
  std::vector<LayerError> layers;
};

std::uintmax_t stored_bytes(const TensorMap& map) {
  return std::accumulate(
      map.tensors.begin(), map.tensors.end(), std::uintmax_t{0},
      [](std::uintmax_t sum, const auto& tensor) { return sum + tensor.second.bytes.size(); });
}

void write_model(const Flags& flags, const fs::path& source, Report& report) {
  const Checkpoint checkpoint = load_checkpoint(source);
  report.bytes_before = stored_bytes(checkpoint.weights);
  if (flags.precision == "bf16") {
    save_checkpoint(flags.out, checkpoint.config, checkpoint.weights, DType::kBF16);
  } else {
    const int threads =
        flags.model.threads > 0 ? flags.model.threads : static_cast<int>(available_threads());
    Quantised made = quantise(checkpoint, {.threads = threads, .layer_errors = flags.per_layer});
    save_quantised(flags.out, checkpoint.config, made.weights);
    report.layers = std::move(made.layers);
  }
  copy_tokenizer_files(source, flags.out);
  const Checkpoint written = load_checkpoint(flags.out);
  report.bytes = stored_bytes(written.weights);
  for (const auto& [name, view] : written.weights.tensors)
    report.matrices += view.dtype == DType::kI8 ? 1 : 0;
}

void measure(const Flags& flags, const fs::path& source, const fs::path& assets, Report& report) {
  const auto pictures = pictures_for(flags, assets);
  const auto texts = flags.texts.empty() ? kTexts : load_labels(flags.texts);
  LoadOptions options;
  options.assets = assets;
  options.threads = flags.model.threads;
  const bool native = flags.precision == "int8" ? cpu_has_int8() : cpu_has_bf16();
  const auto now = flags.precision == "int8" ? Precision::kInt8 : Precision::kBf16;
  options.precision = Precision::kFp32;
  const Vectors before = vectors_of(Model::load(source.string(), options), pictures, texts);
  if (native) options.precision = now;
  const Vectors after = vectors_of(Model::load(flags.out, options), pictures, texts);
  report.engine = after.engine;
  report.pictures = before.images.rows;
  report.texts = texts.size();
  report.text = compare_rows(before.texts, after.texts);
  if (report.pictures == 0) return;
  report.image = compare_rows(before.images, after.images);
  report.top_one = top_one_agreement(before.images, before.texts, after.images, after.texts);
}

json::object to_json(const RowAgreement& a) {
  return {{"min_cosine", a.min_cosine},
          {"mean_cosine", a.mean_cosine},
          {"max_difference", a.max_difference}};
}

void print_json(const Flags& flags, const Report& r, Console& console) {
  json::object o{{"out", flags.out},       {"precision", flags.precision},
                 {"bytes", r.bytes},       {"bytes_before", r.bytes_before},
                 {"matrices", r.matrices}, {"engine", r.engine},
                 {"pictures", r.pictures}, {"texts", r.texts}};
  if (r.pictures > 0) {
    o["image"] = to_json(r.image);
    o["top_one_agreement"] = r.top_one;
  }
  o["text"] = to_json(r.text);
  json::array layers;
  for (const auto& layer : r.layers)
    layers.push_back(json::object{{"matrix", layer.matrix}, {"relative_error", layer.relative}});
  if (!layers.empty()) o["layers"] = std::move(layers);
  console.out(json::dump(o));
}

void print(const Flags& flags, const Report& r, Console& console) {
  if (!r.layers.empty()) {
    Table layers({{.title = "matrix"}, {.title = "relative error", .align = Align::kRight}});
    for (const auto& layer : r.layers)
      layers.add({escape(layer.matrix), fmt::format("{:.4f}", layer.relative)});
    layers.print(console);
    console.out("");
  }
  Table table({{.title = "against float32"},
               {.title = "smallest cosine", .align = Align::kRight},
               {.title = "mean cosine", .align = Align::kRight},
               {.title = "largest difference", .align = Align::kRight}});
  const auto add = [&](const std::string& what, const RowAgreement& a) {
    table.add({what, fmt::format("{:.5f}", a.min_cosine), fmt::format("{:.5f}", a.mean_cosine),
               fmt::format("{:.2g}", a.max_difference)});
  };
  if (r.pictures > 0) add(fmt::format("{} pictures", r.pictures), r.image);
  add(fmt::format("{} texts", r.texts), r.text);
  table.print(console);
  if (r.pictures > 0) {
    console.out(fmt::format("the same best text for {:.1f} % of the pictures", 100 * r.top_one));
  }
  console.out(fmt::format("{}: {:.1f} MB, {:.1f} before; {} matrices as int8; {}",
                          escape(flags.out), static_cast<double>(r.bytes) / 1e6,
                          static_cast<double>(r.bytes_before) / 1e6, r.matrices, r.engine));
}

}  // namespace

int run_quantize(Context& context, Arguments arguments) {
  Flags flags;
  Options options = declare(flags);
  if (!parse_or_help(options, flags.output, context, arguments)) return kDone;
  if (flags.out.empty()) throw UsageError("quantize: --out is missing. Expected a new folder.");
  if (fs::exists(flags.out) && !(fs::is_directory(flags.out) && fs::is_empty(flags.out))) {
    throw Error(Kind::kInput,
                fmt::format("--out {}: exists already. Expected a new folder.", flags.out));
  }
  const auto source = find_model(flags.words[0], model_places(flags.model, context)).folder;
  Report report;
  write_model(flags, source, report);
  measure(flags, source, assets_folder(flags.model, context), report);
  if (flags.output.json) {
    print_json(flags, report, context.console);
  } else {
    print(flags, report, context.console);
  }
  return kDone;
}

}  // namespace tandem::cli
