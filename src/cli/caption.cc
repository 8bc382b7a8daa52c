// `tandem caption`: sentences about pictures, by a CoCa model.
#include "tasks/caption.h"

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/model_flags.h"
#include "cli/paths.h"
#include "cli/skips.h"
#include "cli/table.h"
#include "core/json.h"

namespace tandem::cli {
namespace {

struct Flags {
  ModelFlags model;
  OutputFlags output;
  std::vector<std::string> pictures;
  CaptionOptions caption;
  int seed = 0;
  bool strict = false;
};

Options declare(Flags& flags) {
  Options options("caption",
                  "write a sentence about each picture, with a model that has a decoder: CoCa. The "
                  "same answer each time, --sample included.");
  options.example("tandem caption cat.jpg --model coca-vit-b-32-mscoco", "one sentence");
  options.example(
      "tandem caption photos/ --model coca-vit-l-14-mscoco "
      "--json >captions.jsonl",
      "every picture below a folder, one JSON object each");
  options.words("PICTURE…", flags.pictures,
                "picture files (JPEG, PNG, WebP, GIF), or folders of them");
  options.group("Writing");
  auto& c = flags.caption;
  options.number("--beams", "N", c.beams, "texts kept while searching for the best (default: 2)",
                 1);
  options.number("--max-tokens", "N", c.max_tokens,
                 "longest text, its start and end counted (default: 30)", 2);
  options.number("--min-tokens", "N", c.min_tokens, "no end of text before so many (default: 5)",
                 0);
  options.number("--repetition-penalty", "X", c.repetition_penalty,
                 "above 1: repeats itself less (default: 1)");
  options.flag("--sample", c.sample, "draw tokens at random instead of searching");
  options.number("--top-k", "K", c.top_k, "sample from the K likeliest tokens (default: all)", 0);
  options.number("--top-p", "P", c.top_p,
                 "sample from the fewest tokens that together are this likely (default: 0.9)");
  options.number("--temperature", "T", c.temperature,
                 "sample more evenly above 1, more surely below (default: 1)");
  options.number("--seed", "N", flags.seed, "another number, another sample (default: 0)", 0);
  options.group("Answer");
  options.flag("--strict", flags.strict, "exit code 7 when a picture had to be skipped");
  add_model_options(options, flags.model);
  return options;
}

// Captions, printed as they come with --json, else gathered into a table.
class Captions {
 public:
  Captions(Context& context, const Flags& flags)
      : console_(context.console), json_(flags.output.json) {}

  void add(const std::string& path, const CaptionRow& row) {
    if (!json_) return table_.add({escape(path), escape(row.caption)});
    console_.out(json::dump(
        json::object{{"path", path}, {"caption", row.caption}, {"tokens", row.ids.size()}}));
  }
  void add_failure(const std::string& path, const Error& error) {
    if (!json_) return;
    console_.out(failure_line(path, error));
  }
  void finish() {
    if (!table_.empty()) table_.print(console_);
  }

 private:
  Console& console_;
  bool json_;
  Table table_{{{.title = "picture"}, {.title = "caption", .flexible = true}}};
};

}  // namespace

int run_caption(Context& context, Arguments arguments) {
  Flags flags;
  auto options = declare(flags);
  if (!parse_or_help(options, flags.output, context, arguments)) return kDone;
  const auto paths = paths_of(find_pictures({flags.pictures.begin(), flags.pictures.end()}));
  flags.caption.seed = static_cast<std::uint64_t>(flags.seed);
  flags.model.captions = true;
  const auto model = load(flags.model, context, paths.size() == 1 ? Work::kLittle : Work::kMuch);

  Captions captions(context, flags);
  Skips skips(context.console);
  const auto progress = context.console.progress("img", paths.size());
  const auto seen = caption_pictures(model, picture_files(paths), flags.caption, interrupted,
                                     [&](const CaptionRow& row) {
                                       const auto path = paths[row.index].string();
                                       progress->add();
                                       if (!row.error) return captions.add(path, row);
                                       captions.add_failure(path, *row.error);
                                       if (paths.size() == 1) throw *row.error;
                                       skips.add(path, *row.error);
                                     });
  progress->finish();
  captions.finish();
  if (paths.size() > 1) skips.summarise(seen);
  return interrupted() ? kInterruptedExitCode : skips.exit_code(seen - skips.total(), flags.strict);
}

}  // namespace tandem::cli
