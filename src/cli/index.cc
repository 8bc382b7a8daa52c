// `tandem index`: pictures and texts to a collection or a database, which is kept up to date.
#include <filesystem>
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/index_finish.h"
#include "cli/index_pass.h"
#include "cli/index_reembed.h"
#include "cli/index_texts.h"
#include "cli/index_watch.h"
#include "cli/interrupt.h"
#include "cli/lazy_model.h"
#include "cli/model_flags.h"
#include "cli/skips.h"
#include "core/json.h"
#include "data/folder.h"

namespace tandem::cli {
namespace {

namespace fs = std::filesystem;

struct Flags {
  ModelFlags model;
  OutputFlags output;
  std::vector<std::string> pictures;
  std::string to;
  std::string captions;
  std::string texts;
  bool no_side_files = false;
  bool no_exif = false;
  bool prune = false;
  bool watch = false;
  bool reembed = false;
  bool drop_missing = false;
  bool strict = false;
};

void declare_words(Options& options, Flags& flags) {
  options.group("What is said about pictures");
  options.text(
      "--captions", "FILE", flags.captions,
      "captions and metadata of pictures: .csv or .tsv with column names, .jsonl, .parquet, "
      "or lines of path, tab, caption");
  options.flag("--no-sidecars", flags.no_side_files,
               "do not look for captions in beach.txt and beach.json beside beach.jpg");
  options.flag("--no-exif", flags.no_exif,
               "do not keep what cameras wrote: date, camera, lens, place, description");
}

Options declare(Flags& flags) {
  Options options(
      "index",
      "build a searchable collection of pictures, or bring it up to date. Only new and changed "
      "pictures are computed: unchanged ones are not read, moved ones keep their row, vanished "
      "ones "
      "are removed.");
  options.example("tandem index ~/Pictures --to pictures.tandem",
                  "the first time everything, later only what changed");
  options.example("tandem index ~/Pictures --to pictures.tandem --watch",
                  "and go on as pictures come and go, until Ctrl-C");
  options.example("tandem index a/ b/ --to pgvector://localhost/photos",
                  "several folders in one database; other folders' rows stay");
  options.example("tandem index --to pictures.tandem --reembed --model vit-b-32",
                  "the same pictures for another model, while the old vectors serve");
  options.words("PATH…", flags.pictures, "pictures, or folders of them", 0);
  options.group("Collection");
  options.text("--to", "NAME", flags.to,
               "the collection: a folder, NAME.tandem, that is made when missing, or a database's "
               "address");
  options.text("--texts", "FILE", flags.texts, "also add texts, one a line");
  options.flag("--watch", flags.watch, "stay, and follow what changes, until Ctrl-C");
  options.flag("--prune", flags.prune,
               "also remove the rows of folders given that are gone or have become empty");
  options.flag("--strict", flags.strict, "exit code 7 when a picture had to be skipped");
  declare_words(options, flags);
  options.group("Another model");
  options.flag("--reembed", flags.reembed,
               "compute every item for --model, then switch to it; goes on where it was stopped");
  options.flag("--drop-missing", flags.drop_missing,
               "with --reembed: remove the rows whose pictures cannot be read any more");
  flags.model.model.clear();
  add_model_options(options, flags.model);
  return options;
}

void check(const Flags& flags) {
  if (flags.to.empty()) throw UsageError("expected --to NAME.tandem, the collection to build.");
  if (flags.reembed) {
    if (flags.model.model.empty())
      throw UsageError("--reembed: expected --model NAME, the model to change to.");
    if (!flags.pictures.empty() || !flags.texts.empty() || flags.watch)
      throw UsageError(
          "--reembed computes what the collection has: expected no PATH, --texts, --watch.");
    return;
  }
  if (flags.drop_missing) throw UsageError("--drop-missing goes with --reembed.");
  if (flags.pictures.empty() && flags.texts.empty())
    throw UsageError("expected PATH…, pictures or folders of them, or --texts FILE.");
  if (flags.pictures.empty() && flags.watch)
    throw UsageError("--watch: expected PATH…, what to watch.");
}

// What the store knows before anything is loaded; nothing where there is none yet, or an old one
// that is brought up to date when it is opened for writing.
struct Before {
  std::optional<StoreMeta> meta;
  std::optional<std::string> model_note;
};

Before look(const std::string& location) {
  Before before;
  try {
    const auto store = open_store(location, OpenMode::kRead, {});
    before.meta = store->meta();
    before.model_note = store->note(kModelNote);
  } catch (const Error& e) {
    if (e.kind() != Kind::kNotFound && e.kind() != Kind::kUnsupported) throw;
  }
  return before;
}

void report(const IndexCounts& counts, const Skips& skips, const Store& store, const Flags& flags,
            Console& console) {
  if (flags.output.json) {
    console.out(json::dump(json::object{{"collection", shown_location(flags.to)},
                                        {"pictures", store.size()},
                                        {"added", counts.added},
                                        {"moved", counts.moved},
                                        {"reused", counts.reused},
                                        {"updated", counts.updated},
                                        {"unchanged", counts.unchanged},
                                        {"removed", counts.removed},
                                        {"skipped", skips.total()}}));
    return;
  }
  std::string line = "added " + with_thousands(counts.added);
  if (counts.moved > 0) line += ", moved " + with_thousands(counts.moved);
  line += ", reused " + with_thousands(counts.reused);
  if (counts.updated > 0) line += ", updated " + with_thousands(counts.updated);
  console.out(fmt::format("{}, unchanged {}, removed {}, skipped {}: {} {} in {}", line,
                          with_thousands(counts.unchanged), with_thousands(counts.removed),
                          with_thousands(skips.total()), with_thousands(store.size()),
                          flags.texts.empty() ? "pictures" : "items",
                          escape(shown_location(flags.to))));
}

IndexRequest request_of(const Flags& flags) {
  IndexRequest request;
  request.paths = normal_paths(flags.pictures);
  request.captions.captions = flags.captions;
  request.captions.side_files = !flags.no_side_files;
  request.facts = !flags.no_exif;
  request.prune = flags.prune;
  request.utf8_names = is_database(flags.to);
  return request;
}

int run_passes(Context& context, const Flags& flags, Store& store, LazyModel& model) {
  const auto request = request_of(flags);
  const FinishOptions finish{static_cast<std::size_t>(flags.model.threads),
                             assets_folder(flags.model, context), interrupted};
  // Before the first pass, so that nothing is missed between the two.
  std::optional<FolderWatch> watch;
  if (flags.watch) watch.emplace(request.paths);
  Skips skips(context.console);
  IndexOutcome outcome;
  if (!request.paths.empty()) outcome = index_files(store, model, request, skips, context.console);
  if (!flags.texts.empty() && !interrupted())
    index_texts(store, model, flags.texts, outcome.counts, context.console);
  if (!interrupted()) finish_store(store, model, finish, context.console);
  report(outcome.counts, skips, store, flags, context.console);
  skips.summarise(outcome.seen);
  if (interrupted()) {
    context.console.note("stopped: what was added is kept. Run it again to go on.");
    return kInterruptedExitCode;
  }
  if (watch) {
    follow_changes(store, model, request, *watch, finish, context.console);
    return kDone;
  }
  return skips.exit_code(outcome.remaining, flags.strict);
}

}  // namespace

int run_index(Context& context, Arguments arguments) {
  Flags flags;
  auto options = declare(flags);
  if (!parse_or_help(options, flags.output, context, arguments)) return kDone;
  check(flags);
  const auto before = look(flags.to);
  if (flags.reembed) {
    const FinishOptions finish{static_cast<std::size_t>(flags.model.threads),
                               assets_folder(flags.model, context), interrupted};
    LazyModel model(flags.model, context, {});
    return reembed({flags.to, flags.drop_missing, flags.output.json}, model, finish,
                   context.console);
  }
  // A collection's own model, unless another is asked for (and then refused).
  if (flags.model.model.empty()) flags.model.model = before.meta ? before.meta->model_name : "mini";
  LazyModel model(flags.model, context, before.model_note);
  // Nothing is made where nothing is to be kept: a slip of the pen, most likely.
  if (!before.meta && flags.texts.empty() && !flags.watch)
    find_pictures({flags.pictures.begin(), flags.pictures.end()});
  const auto store = open_store(flags.to, OpenMode::kWrite, model.meta());
  if (before.model_note != model.memory()) store->set_note(kModelNote, model.memory());
  return run_passes(context, flags, *store, model);
}

}  // namespace tandem::cli
