// `tandem index`: a folder of pictures to a collection, and the collection kept up to date.
#include <fmt/format.h>
#include <mutex>

#include "cli/captions.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/model_flags.h"
#include "cli/paths.h"
#include "cli/skips.h"
#include "core/json.h"
#include "engine/pictures.h"
#include "index/collection.h"

namespace tandem::cli {
namespace {

namespace fs = std::filesystem;

struct Flags {
  ModelFlags model;
  OutputFlags output;
  std::vector<std::string> pictures;
  std::string to;
  std::string captions;
  bool strict = false;
};

struct Counts {
  std::uint64_t added = 0;      // new or changed content, computed
  std::uint64_t reused = 0;     // content known under another name or with another date
  std::uint64_t unchanged = 0;  // not even read
  std::uint64_t removed = 0;
};

Options declare(Flags& flags) {
  Options options(
      "index",
      "build a searchable collection of pictures, or bring it up to date. Only new and changed "
      "pictures are computed: "
      "unchanged ones are not read, moved ones keep their vector, vanished ones are removed.");
  options.example("tandem index ~/Pictures --to pictures.tandem",
                  "the first time everything, later only what changed");
  options.example("tandem index a/ b/ --to both.tandem",
                  "several folders in one collection; other folders' rows stay");
  options.words("PATH…", flags.pictures, "pictures, or folders of them");
  options.group("Collection");
  options.text("--to", "NAME.tandem", flags.to,
               "the collection, a folder that is made when missing");
  options.text("--captions", "FILE", flags.captions,
               "captions to keep with pictures: lines of path, tab, caption");
  options.flag("--strict", flags.strict, "exit code 7 when a picture had to be skipped");
  add_model_options(options, flags.model);
  return options;
}

// Rows on their way into the collection, committed some at a time. Its lock guards the collection
// between this thread and the workers that ask is_known().
class Writer {
 public:
  Writer(Collection& collection, const Captions& captions)
      : collection_(collection), captions_(captions) {}

  bool is_unchanged(const FoundFile& file) const {
    const auto item = collection_.find_uri(file.path.string());
    return item && item->size_bytes == file.size_bytes && item->mtime_ns == file.mtime_ns &&
           item->caption == captions_.of(file.path);
  }

  bool is_known(const std::string& sha256) {
    const std::lock_guard lock(mutex_);
    return collection_.find_content(sha256).has_value();
  }

  void add(const FoundFile& file, const PictureRow& row) {
    auto item = item_of(file, row.sha256);
    item.width = row.width;
    item.height = row.height;
    items_.push_back(std::move(item));
    vectors_.insert(vectors_.end(), row.vector.begin(), row.vector.end());
    if (items_.size() >= kCommitRows) commit();
  }

  void add_known(const FoundFile& file, const PictureRow& row) {
    const std::lock_guard lock(mutex_);
    const auto same = collection_.find_content(row.sha256);
    if (!same)
      throw Error(Kind::kInternal,
                  file.path.string() + ": its content left the collection while it was indexed.");
    auto item = item_of(file, row.sha256);
    item.width = same->width;
    item.height = same->height;
    collection_.upsert_same_content(item, same->id);
  }

  void commit() {
    if (items_.empty()) return;
    Matrix matrix;
    matrix.rows = items_.size();
    matrix.cols = vectors_.size() / items_.size();
    matrix.values = std::move(vectors_);
    {
      const std::lock_guard lock(mutex_);
      collection_.upsert(items_, matrix);
    }
    items_.clear();
    vectors_.clear();
  }

 private:
  // Rows lost at most when the process is killed; each commit costs an fsync.
  static constexpr std::size_t kCommitRows = 256;

  Item item_of(const FoundFile& file, const std::string& sha256) const {
    Item item;
    item.uri = file.path.string();
    item.sha256 = sha256;
    item.size_bytes = file.size_bytes;
    item.mtime_ns = file.mtime_ns;
    item.caption = captions_.of(file.path);
    return item;
  }

  Collection& collection_;
  const Captions& captions_;
  std::mutex mutex_;
  std::vector<Item> items_;
  std::vector<float> vectors_;
};

// What came of the files given.
struct Outcome {
  Counts counts;
  std::vector<std::string> kept;  // uris of those that could be read
};

// Computes and stores `files`.
void store(const Model& model, const std::vector<FoundFile>& files, Writer& writer, Skips& skips,
           Outcome& outcome, Console& console) {
  const auto paths = paths_of(files);
  const auto progress = console.progress("img", paths.size());
  PictureOptions options;
  options.known = [&](const std::string& sha256) { return writer.is_known(sha256); };
  options.stop = interrupted;
  embed_pictures(model, picture_files(paths), options, [&](const PictureRow& row) {
    const auto& file = files[row.index];
    progress->add();
    if (row.error) {
      skips.add(file.path.string(), *row.error);
      return;
    }
    outcome.kept.push_back(file.path.string());
    if (row.known) {
      writer.add_known(file, row);
      ++outcome.counts.reused;
    } else {
      writer.add(file, row);
      ++outcome.counts.added;
    }
  });
  writer.commit();
  progress->finish();
}

// "./many/" and "many" are one place: rows are known by their path as it is written.
std::vector<std::string> normal(const std::vector<std::string>& given) {
  std::vector<std::string> paths;
  for (const auto& path : given) {
    auto text = fs::path(path).lexically_normal().string();
    if (text.size() > 1 && text.ends_with('/')) text.pop_back();
    paths.push_back(std::move(text));
  }
  return paths;
}

// Folders given, as their pictures' paths begin with them.
std::vector<std::string> roots_of(const std::vector<std::string>& given) {
  std::vector<std::string> roots;
  for (const auto& path : given) {
    if (fs::is_directory(path)) roots.push_back(path);
  }
  return roots;
}

// Large collections are searched by a graph. What is added stays when this is interrupted: searches
// then take longer.
void bring_graph_up_to_date(Collection& collection, const Flags& flags, Console& console) {
  constexpr std::size_t kCardQueries = 100;
  using Done = GraphReport::Done;
  std::unique_ptr<Progress> progress;
  std::size_t before = 0;
  GraphOptions options;
  options.threads = static_cast<std::size_t>(flags.model.threads);
  options.stop = interrupted;
  options.progress = [&](std::size_t added, std::size_t total) {
    if (progress == nullptr) progress = console.progress("vectors into the graph", total);
    progress->add(added - before);
    before = added;
  };
  const auto report = collection.update_graph(options);
  if (progress != nullptr) progress->finish();
  if (report.done != Done::kBuilt && report.done != Done::kExtended) return;
  const auto card = collection.measure_graph(kCardQueries, options.threads);
  console.note(fmt::format(
      "graph of {} vectors: recall@10 {:.3f}, a search {:.1f} ms (p99 {:.1f}), {:.2f} KB a picture",
      with_thousands(report.rows), card.recall_at_10, card.p50_ms, card.p99_ms,
      card.bytes_per_item / 1e3));
}

void report(const Counts& counts, const Skips& skips, const Collection& collection,
            const Flags& flags, Console& console) {
  if (flags.output.json) {
    console.out(json::dump(json::object{{"collection", flags.to},
                                        {"pictures", collection.size()},
                                        {"added", counts.added},
                                        {"reused", counts.reused},
                                        {"unchanged", counts.unchanged},
                                        {"removed", counts.removed},
                                        {"skipped", skips.total()}}));
    return;
  }
  console.out(fmt::format(
      "added {}, reused {}, unchanged {}, removed {}, skipped {}: {} pictures in {}",
      with_thousands(counts.added), with_thousands(counts.reused), with_thousands(counts.unchanged),
      with_thousands(counts.removed), with_thousands(skips.total()),
      with_thousands(collection.size()), escape(flags.to)));
}

}  // namespace

int run_index(Context& context, Arguments arguments) {
  Flags flags;
  auto options = declare(flags);
  if (!parse_or_help(options, flags.output, context, arguments)) return kDone;
  if (flags.to.empty()) throw UsageError("expected --to NAME.tandem, the collection to build.");
  flags.pictures = normal(flags.pictures);
  const Captions captions = flags.captions.empty() ? Captions() : Captions(flags.captions);
  const auto files = find_pictures({flags.pictures.begin(), flags.pictures.end()});
  const auto model = load(flags.model, context);
  auto collection = Collection::open(flags.to, OpenMode::kWrite, model.name(), model.fingerprint(),
                                     model.width());

  Writer writer(collection, captions);
  Outcome outcome;
  std::vector<FoundFile> changed;
  for (const auto& file : files) {
    if (writer.is_unchanged(file)) {
      outcome.kept.push_back(file.path.string());
      ++outcome.counts.unchanged;
    } else {
      changed.push_back(file);
    }
  }
  Skips skips(context.console);
  store(model, changed, writer, skips, outcome, context.console);
  if (interrupted()) {
    report(outcome.counts, skips, collection, flags, context.console);
    context.console.note("stopped: what was added is kept. Run it again to go on.");
    return kInterruptedExitCode;
  }
  outcome.counts.removed = collection.remove_missing(roots_of(flags.pictures), outcome.kept);
  bring_graph_up_to_date(collection, flags, context.console);
  report(outcome.counts, skips, collection, flags, context.console);
  skips.summarise(files.size());
  return skips.exit_code(outcome.kept.size(), flags.strict);
}

}  // namespace tandem::cli
