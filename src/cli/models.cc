// `tandem models`: what can be named with --model.
#include <algorithm>
#include <fmt/format.h>
#include <optional>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/model_flags.h"
#include "cli/table.h"
#include "core/json.h"
#include "engine/registry.h"
#include "model/checkpoint.h"
#include "model/weights.h"

namespace tandem::cli {
namespace {

constexpr std::int64_t kMillion = 1'000'000;

std::int64_t image_px(const ModelRow& row) { return config_number(row, "vision_cfg.image_size"); }

json::object to_json(const ModelRow& row) {
  json::object object{{"name", row.name},
                      {"family", row.family},
                      {"summary", row.summary},
                      {"licence", row.licence},
                      {"installed", row.installed},
                      {"folder", row.folder.string()},
                      {"templates", row.templates},
                      {"aliases", json::array(row.aliases.begin(), row.aliases.end())},
                      {"notes", json::array(row.notes.begin(), row.notes.end())}};
  const auto put = [&](std::string_view key, std::int64_t value) {
    object[key] = value > 0 ? json::value(value) : json::value();
  };
  put("image_px", image_px(row));
  put("width", config_number(row, "embed_dim"));
  put("parameters", row.parameters);
  if (row.hub) {
    object["hub"] =
        json::object{{"repository", row.hub->repository}, {"revision", row.hub->revision}};
  }
  return object;
}

std::int64_t count_parameters(const ModelConfig& config) {
  std::int64_t total = 0;
  for (const auto& spec : weight_table(config)) {
    std::int64_t count = spec.trainable ? 1 : 0;
    for (const auto side : spec.shape) count *= side;
    total += count;
  }
  return total;
}

std::string image_tower(const VisionConfig& vision) {
  if (!vision.timm.model.empty()) return vision.timm.model;
  if (!vision.is_resnet())
    return fmt::format("ViT, patches of {} px, {} wide, {} layers", vision.patch_px, vision.width,
                       vision.layers);
  const auto& s = vision.stages;
  return fmt::format("ModifiedResNet, {} wide, blocks {}-{}-{}-{}", vision.width, s[0], s[1], s[2],
                     s[3]);
}

// Lines "key  value"; empty values are left out.
class Sheet {
 public:
  explicit Sheet(Console& console) : console_(console) {}
  void line(std::string_view key, const std::string& value) const {
    if (!value.empty())
      console_.out(console_.styled(fmt::format("{:<12}", key), Style::kDim) + value);
  }
  // What a row says of itself, before and after what the model says.
  void begin(const ModelRow& row) const {
    line("name", escape(row.name));
    line("family", row.family);
    line("what", row.summary);
    line("licence", row.licence);
  }
  void end(const ModelRow& row) const {
    line("prompts", row.templates);
    if (row.hub) line("hub", fmt::format("{} ({})", row.hub->repository, row.hub->revision));
    line("also called", fmt::format("{}", fmt::join(row.aliases, ", ")));
    for (const auto& note : row.notes) line("note", note);
  }

 private:
  Console& console_;
};

std::string count_text(std::int64_t count) {
  return count > 0 ? with_thousands(static_cast<std::uint64_t>(count)) : "";
}

// A model that is not on this machine, or that this version cannot read.
void describe_row(const ModelRow& row, const OutputFlags& output, Console& console) {
  if (output.json) {
    auto object = to_json(row);
    object["config"] = row.config;
    console.out(json::dump(object));
    return;
  }
  const Sheet sheet(console);
  sheet.begin(row);
  if (const auto px = image_px(row); px > 0)
    sheet.line("pictures", fmt::format("{0} x {0} px", px));
  if (const auto width = config_number(row, "embed_dim"); width > 0)
    sheet.line("vectors", fmt::format("{} wide", width));
  sheet.line("parameters", count_text(row.parameters));
  sheet.line("files", row.installed ? escape(row.folder.string())
                                    : "not here yet: tandem pull " + escape(row.name));
  sheet.end(row);
}

void describe_model(const ModelRow& row, const Checkpoint& checkpoint, const OutputFlags& output,
                    Console& console) {
  const auto& config = checkpoint.config;
  if (output.json) {
    auto object = to_json(row);
    object["fingerprint"] = checkpoint.fingerprint();
    object["parameters"] = count_parameters(config);
    object["config"] = tandem::to_json(config);
    console.out(json::dump(object));
    return;
  }
  const Sheet sheet(console);
  sheet.begin(row);
  sheet.line("pictures", fmt::format("{0} x {0} px; {1}", config.preprocess.size_px,
                                     image_tower(config.vision)));
  sheet.line("texts",
             fmt::format("up to {} tokens of {}; {} wide, {} layers", config.text.context_length,
                         with_thousands(static_cast<std::uint64_t>(config.text.vocab_size)),
                         config.text.width, config.text.layers));
  sheet.line("vectors", fmt::format("{} wide", config.embed_dim));
  sheet.line("parameters", count_text(count_parameters(config)));
  sheet.line("fingerprint", checkpoint.fingerprint());
  sheet.line("files", escape(row.folder.string()));
  sheet.end(row);
}

void describe(const ModelRow& row, const OutputFlags& output, Console& console) {
  if (!row.installed) return describe_row(row, output, console);
  if (row.hub) check_config(row, row.folder);
  std::optional<Checkpoint> checkpoint;
  try {
    checkpoint = load_checkpoint(row.folder);
  } catch (const Error& e) {
    if (!row.hub || e.kind() != Kind::kUnsupported) throw;
    describe_row(row, output, console);
    console.warn(escape(e.what()));
    return;
  }
  describe_model(row, *checkpoint, output, console);
}

std::int64_t parameters_of(const ModelRow& row) {
  if (row.parameters > 0 || row.config.is_null()) return row.parameters;
  try {
    return count_parameters(parse_model_config(row.config, row.name));
  } catch (const Error&) {
    return 0;  // a model of a later version
  }
}

void list(const std::vector<ModelRow>& rows, Console& console) {
  Table table({{.title = "model", .style = Style::kBold},
               {.title = "px", .align = Align::kRight},
               {.title = "params", .align = Align::kRight},
               {.title = "width", .align = Align::kRight},
               {.title = "here"},
               {.title = "licence"}});
  std::string family = "-";
  for (const auto& row : rows) {
    if (row.family != family) table.add({row.family.empty() ? "Tandem's own" : row.family});
    family = row.family;
    const auto count = parameters_of(row);
    const auto px = image_px(row);
    const auto width = config_number(row, "embed_dim");
    table.add({"  " + row.name, px > 0 ? std::to_string(px) : "",
               count > 0
                   ? fmt::format("{:.0f} M", std::max(1.0, static_cast<double>(count) / kMillion))
                   : "",
               width > 0 ? std::to_string(width) : "", row.installed ? "yes" : "no", row.licence});
  }
  table.print(console);
}

}  // namespace

int run_models(Context& context, Arguments arguments) {
  OutputFlags output;
  ModelFlags model;
  std::vector<std::string> words;
  Options options("models", "list the models that --model takes by name, or describe one.");
  options.example("tandem models", "all of them");
  options.example("tandem models mini", "what it is, what it may be used for, what it cannot do");
  options.words("[NAME]", words, "a name from the list, a folder, or a .safetensors file", 0, 1);
  options.group("Model");
  options.text("--assets", "DIR", model.assets,
               "where models and prompts are (default: TANDEM_ASSETS, or as installed)");
  if (!parse_or_help(options, output, context, arguments)) return kDone;
  const auto places = model_places(model, context);
  if (!words.empty()) {
    describe(find_row(words[0], places), output, context.console);
    return kDone;
  }
  const auto rows = list_models(places);
  if (output.json) {
    for (const auto& row : rows) context.console.out(json::dump(to_json(row)));
  } else {
    list(rows, context.console);
    context.console.note("tandem models NAME describes one; tandem pull NAME fetches it");
  }
  return kDone;
}

}  // namespace tandem::cli
