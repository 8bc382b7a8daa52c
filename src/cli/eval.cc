// `tandem eval`: a model's results table over shards of captioned pictures.
#include <fmt/format.h>
#include <map>

#include "cli/command.h"
#include "cli/eval_data.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/model_flags.h"
#include "cli/skips.h"
#include "cli/table.h"
#include "cli/texts.h"
#include "core/json.h"
#include "tasks/evaluation.h"
#include "tasks/zero_shot.h"

namespace tandem::cli {
namespace {

// Draws the bootstrap samples; any fixed number serves.
constexpr std::uint64_t kBootstrapSeed = 1;

struct Flags {
  ModelFlags model;
  OutputFlags output;
  std::vector<std::string> sets;
  std::vector<std::string> baseline;
  std::string templates;
  bool strict = false;
};

Options declare(Flags& flags) {
  Options options("eval",
                  "measure a model on pictures of named concepts: zero-shot classification and "
                  "retrieval both ways, with 95 % "
                  "bootstrap intervals, beside chance and a colour-histogram baseline. Pictures of "
                  "one concept answer for each other.");
  options.example("tandem eval 'data/eval-*.tar'", "one table a file");
  options.example("tandem eval held-out.tar --baseline 'train-{00000..00012}.tar' --json",
                  "the baseline learns colours from training pictures");
  options.words("SHARDS…", flags.sets,
                "WebDataset shards; each file is a set of its own, a quoted range {00..12} of "
                "files is one set");
  options.group("Measurement");
  options.texts("--baseline", "SHARDS", flags.baseline,
                "pictures from which the colour baseline learns each concept");
  options.text("--templates", "SET", flags.templates,
               "prompts for zero-shot: none, simple, openai, icons, or a file (default: what suits "
               "the model)");
  options.flag("--strict", flags.strict, "exit code 7 when a picture had to be skipped");
  add_model_options(options, flags.model);
  return options;
}

void print(const EvalSet& set, const std::vector<Measure>& measures, const Model& model,
           const Flags& flags, Console& console) {
  if (flags.output.json) {
    for (const auto& m : measures) {
      json::object row{{"model", model.name()},
                       {"set", set.name},
                       {"pictures", set.concept_of.size()},
                       {"concepts", set.concepts.size()},
                       {"measure", m.name},
                       {"value", m.model.mean},
                       {"low", m.model.low},
                       {"high", m.model.high},
                       {"samples", m.model.samples},
                       {"chance", m.chance}};
      row["histogram"] = m.histogram ? json::value(*m.histogram) : json::value(nullptr);
      console.out(json::dump(row));
    }
    return;
  }
  console.out(console.styled(escape(set.name), Style::kBold) +
              fmt::format(": {} pictures of {} concepts", with_thousands(set.concept_of.size()),
                          with_thousands(set.concepts.size())));
  Table table({{.title = "measure"},
               {.title = "%", .align = Align::kRight, .style = Style::kBold},
               {.title = "95 % interval", .align = Align::kRight},
               {.title = "chance", .align = Align::kRight},
               {.title = "colours", .align = Align::kRight}});
  for (const auto& m : measures) {
    table.add({m.name, fmt::format("{:.1f}", 100 * m.model.mean),
               fmt::format("{:.1f} to {:.1f}", 100 * m.model.low, 100 * m.model.high),
               fmt::format("{:.2f}", 100 * m.chance),
               m.histogram ? fmt::format("{:.1f}", 100 * *m.histogram) : "–"});
  }
  table.print(console);
  console.out("");
}

}  // namespace

int run_eval(Context& context, Arguments arguments) {
  Flags flags;
  auto options = declare(flags);
  if (!parse_or_help(options, flags.output, context, arguments)) return kDone;
  std::vector<EvalShards> sets;
  for (const auto& pattern : flags.sets) {
    for (auto& set : open_sets(pattern)) sets.push_back(std::move(set));
  }
  const auto model = load(flags.model, context);
  const auto templates = templates_for(model, flags.templates, assets_folder(flags.model, context));
  const auto known =
      flags.baseline.empty() ? ConceptColours() : learn_colours(flags.baseline, context.console);
  const auto embed = [&](const std::vector<std::string>& texts) {
    return embed_texts(model, texts, context.console);
  };

  Skips skips(context.console);
  std::uint64_t seen = 0;
  for (const auto& shards : sets) {
    const auto data = embed_set(shards, model, skips, context.console);
    if (interrupted()) return kInterruptedExitCode;
    seen += shards.samples.size();
    if (data.set.concept_of.empty()) continue;
    EvalVectors vectors{.pictures = data.pictures,
                        .classes = class_embeddings(embed, data.set.concepts, templates),
                        .texts = embed(data.set.concepts)};
    if (interrupted()) return kInterruptedExitCode;
    auto measures = evaluate(data.set, vectors, Rng(kBootstrapSeed));
    if (const auto colours = colours_of(known, data); colours.rows > 0)
      add_baseline(data.set, data.histograms, colours, measures);
    print(data.set, measures, model, flags, context.console);
  }
  skips.summarise(seen);
  return skips.exit_code(seen - std::min(seen, skips.total()), flags.strict);
}

}  // namespace tandem::cli
