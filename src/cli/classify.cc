// `tandem classify`: pictures against labels.
#include <fmt/format.h>
#include <optional>
#include <set>
#include <string_view>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/model_flags.h"
#include "cli/paths.h"
#include "cli/skips.h"
#include "cli/table.h"
#include "cli/texts.h"
#include "core/json.h"
#include "engine/pictures.h"
#include "preprocess/templates.h"
#include "tasks/metrics.h"
#include "tasks/zero_shot.h"

namespace tandem::cli {
namespace {

struct Flags {
  ModelFlags model;
  OutputFlags output;
  std::vector<std::string> pictures;
  std::string labels;
  std::string labels_file;
  std::string templates;
  int top = 0;
  bool strict = false;
};

Options declare(Flags& flags) {
  Options options("classify",
                  "name what pictures show, with any words as labels. Nothing is trained: each "
                  "label becomes a text, "
                  "and the text nearest to the picture wins.");
  options.example("tandem classify cat.jpg --labels \"cat,dog,fire engine\"",
                  "the labels, most probable first");
  options.example("tandem classify photos/ --labels-file animals.txt --json >answers.jsonl",
                  "every picture below a folder, one JSON object each");
  options.example("tandem classify x.png --labels ripe,rotten --templates prompts.txt",
                  "own prompts, one a line, such as: a photo of a {} banana.");
  options.words("PICTURE…", flags.pictures,
                "picture files (JPEG, PNG, WebP, GIF), or folders of them");
  options.group("Labels");
  options.text("--labels", "A,B,C", flags.labels, "labels, separated by commas");
  options.text("--labels-file", "FILE", flags.labels_file,
               "labels, one a line; # begins a comment");
  options.text("--templates", "SET", flags.templates,
               "prompts to put labels into: none, simple, openai, icons, or a file (default: what "
               "suits the model)");
  options.group("Answer");
  options.number("--top", "K", flags.top,
                 "labels shown for each picture (default: 5 for one picture, 1 for several)", 1);
  options.flag("--strict", flags.strict, "exit code 7 when a picture had to be skipped");
  add_model_options(options, flags.model);
  return options;
}

// The first label that stands there twice, or none.
std::optional<std::string> doubled(const std::vector<std::string>& labels) {
  std::set<std::string_view> seen;
  for (const auto& label : labels) {
    if (!seen.insert(label).second) return label;
  }
  return std::nullopt;
}

std::vector<std::string> read_labels(const Flags& flags, Console& console) {
  if (flags.labels.empty() == flags.labels_file.empty()) {
    throw UsageError("expected labels: give either --labels A,B,C or --labels-file FILE.");
  }
  auto labels = flags.labels.empty() ? load_labels(flags.labels_file) : split_list(flags.labels);
  if (labels.empty())
    throw UsageError("--labels: expected at least one label, such as --labels cat,dog.");
  const auto twice = doubled(labels);
  if (twice && flags.labels_file.empty()) {
    throw UsageError("--labels: a label stands there twice. Expected each once.");
  }
  if (twice) {  // ImageNet's own list has such: a class's number is its line
    console.warn(fmt::format("{}: label \"{}\" stands there twice; each line is a class of its own",
                             escape(flags.labels_file), escape(*twice)));
  }
  return labels;
}

// Answers, printed as they come with --json, else gathered into a table.
class Answers {
 public:
  Answers(Context& context, const Flags& flags, const std::vector<std::string>& labels,
          std::size_t top)
      : console_(context.console), json_(flags.output.json), labels_(labels), top_(top) {}

  void add(const std::string& path, std::span<const float> cosines, const Model& model) {
    const auto shares = probabilities(cosines, model.logit_scale(), model.logit_bias());
    const auto best = top_k(cosines, top_);
    if (json_) {
      json::array ranked;
      for (const auto i : best)
        ranked.push_back(json::object{
            {"label", labels_[i]}, {"cosine", cosines[i]}, {"probability", shares[i]}});
      json::object answer{{"path", path}, {"labels", std::move(ranked)}};
      if (model.logit_bias()) answer["probabilities"] = "sigmoid";
      console_.out(json::dump(answer));
      return;
    }
    for (std::size_t k = 0; k < best.size(); ++k) {
      std::vector<std::string> cells{k == 0 ? escape(path) : "", escape(labels_[best[k]]),
                                     fmt::format("{:.1f} %", 100 * shares[best[k]])};
      if (console_.out_is_terminal()) cells.push_back(bar(shares[best[k]], kBarColumns));
      table_.add(std::move(cells));
    }
  }

  void add_failure(const std::string& path, const Error& error) {
    if (!json_) return;
    console_.out(failure_line(path, error));
  }

  void finish() {
    if (!table_.empty()) table_.print(console_);
  }

 private:
  static constexpr std::size_t kBarColumns = 24;
  static std::vector<Column> columns(const Console& console) {
    std::vector<Column> all{{.title = "picture", .flexible = true},
                            {.title = "label", .style = Style::kBold},
                            {.title = "probability", .align = Align::kRight}};
    if (console.out_is_terminal()) all.push_back({.style = Style::kCyan});
    return all;
  }
  Console& console_;
  bool json_;
  const std::vector<std::string>& labels_;
  std::size_t top_;
  Table table_{columns(console_)};
};

}  // namespace

int run_classify(Context& context, Arguments arguments) {
  Flags flags;
  auto options = declare(flags);
  if (!parse_or_help(options, flags.output, context, arguments)) return kDone;
  const auto labels = read_labels(flags, context.console);
  const auto paths = paths_of(find_pictures({flags.pictures.begin(), flags.pictures.end()}));

  const auto model = load(flags.model, context, paths.size() == 1 ? Work::kLittle : Work::kMuch);
  const auto templates = templates_for(model, flags.templates, assets_folder(flags.model, context));
  const auto classes = class_embeddings(
      [&](const auto& texts) { return embed_texts(model, texts, context.console); }, labels,
      templates);
  if (interrupted()) return kInterruptedExitCode;

  const auto top =
      flags.top > 0 ? static_cast<std::size_t>(flags.top) : (paths.size() == 1 ? 5 : 1);
  Answers answers(context, flags, labels, top);
  Skips skips(context.console);
  const auto progress = context.console.progress("img", paths.size());
  const auto seen = embed_pictures(
      model, picture_files(paths), {.stop = interrupted}, [&](const PictureRow& row) {
        const auto path = paths[row.index].string();
        progress->add();
        if (row.error) {
          answers.add_failure(path, *row.error);
          if (paths.size() == 1) throw *row.error;
          skips.add(path, *row.error);
          return;
        }
        Matrix image(1, row.vector.size());
        std::copy(row.vector.begin(), row.vector.end(), image.values.begin());
        answers.add(path, cosines(image, classes).row(0), model);
      });
  progress->finish();
  answers.finish();
  if (paths.size() > 1) skips.summarise(seen);
  return interrupted() ? kInterruptedExitCode : skips.exit_code(seen - skips.total(), flags.strict);
}

}  // namespace tandem::cli
