// `tandem models`: what can be named with --model.
#include <fmt/format.h>

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

json::object to_json(const ModelRow& row) {
  json::array notes(row.notes.begin(), row.notes.end());
  return {
      {"name", row.name},           {"summary", row.summary},        {"licence", row.licence},
      {"installed", row.installed}, {"folder", row.folder.string()}, {"templates", row.templates},
      {"notes", std::move(notes)}};
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
  if (!vision.is_resnet())
    return fmt::format("ViT, patches of {} px, {} wide, {} layers", vision.patch_px, vision.width,
                       vision.layers);
  const auto& s = vision.stages;
  return fmt::format("ModifiedResNet, {} wide, blocks {}-{}-{}-{}", vision.width, s[0], s[1], s[2],
                     s[3]);
}

void describe(const ModelRow& row, const OutputFlags& output, Console& console) {
  const auto checkpoint = load_checkpoint(row.folder);
  const auto& config = checkpoint.config;
  if (output.json) {
    auto object = to_json(row);
    object["fingerprint"] = checkpoint.fingerprint();
    object["parameters"] = count_parameters(config);
    object["config"] = tandem::to_json(config);
    console.out(json::dump(object));
    return;
  }
  const auto line = [&](std::string_view key, const std::string& value) {
    if (!value.empty())
      console.out(console.styled(fmt::format("{:<12}", key), Style::kDim) + value);
  };
  line("name", escape(row.name));
  line("what", row.summary);
  line("licence", row.licence);
  line("pictures",
       fmt::format("{0} x {0} px; {1}", config.preprocess.size_px, image_tower(config.vision)));
  line("texts", fmt::format("up to {} tokens of {}; {} wide, {} layers", config.text.context_length,
                            with_thousands(static_cast<std::uint64_t>(config.text.vocab_size)),
                            config.text.width, config.text.layers));
  line("vectors", fmt::format("{} wide", config.embed_dim));
  line("parameters", with_thousands(static_cast<std::uint64_t>(count_parameters(config))));
  line("prompts", row.templates);
  line("fingerprint", checkpoint.fingerprint());
  line("files", escape(row.folder.string()));
  for (const auto& note : row.notes) line("note", note);
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
  const auto assets = assets_folder(model, context);
  if (!words.empty()) {
    describe(find_model(words[0], assets), output, context.console);
    return kDone;
  }
  Table table({{.title = "model", .style = Style::kBold},
               {.title = "here"},
               {.title = "licence"},
               {.title = "what it is"}});
  for (const auto& row : list_models(assets)) {
    if (output.json) context.console.out(json::dump(to_json(row)));
    table.add({row.name, row.installed ? "yes" : "no", row.licence, row.summary});
  }
  if (!output.json) table.print(context.console);
  return kDone;
}

}  // namespace tandem::cli
