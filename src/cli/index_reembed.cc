#include "cli/index_reembed.h"

#include <fmt/format.h>

#include "tandem/error.h"

#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/skips.h"
#include "core/json.h"
#include "engine/pictures.h"
#include "index/collection.h"

namespace tandem::cli {
namespace {

// Items looked at, and vectors committed, at a time.
constexpr std::size_t kAtATime = 1024;

class Reembedder {
 public:
  Reembedder(Collection& collection, const Model& model, Console& console)
      : collection_(collection), model_(model), skips_(console), console_(console) {}

  void run() {
    auto ids = collection_.next_missing(kAtATime);
    const auto progress = console_.progress("items", std::nullopt);
    while (!ids.empty() && !interrupted()) {
      std::vector<Item> pictures;
      std::vector<Item> texts;
      for (auto& item : collection_.items(ids))
        (item.kind == ItemKind::kText ? texts : pictures).push_back(std::move(item));
      embed_texts(texts);
      embed_pictures(pictures);
      progress->add(ids.size());
      ids = collection_.next_missing(kAtATime, ids.back());
    }
    progress->finish();
  }

  std::uint64_t computed() const { return computed_; }
  const std::vector<std::int64_t>& missing() const { return missing_; }
  const Skips& skips() const { return skips_; }

 private:
  void embed_texts(const std::vector<Item>& items) {
    if (items.empty()) return;
    std::vector<std::string> texts;
    std::vector<std::int64_t> ids;
    for (const auto& item : items) {
      texts.push_back(item.caption);
      ids.push_back(item.id);
    }
    collection_.put_next(ids, model_.embed_texts(texts));
    computed_ += ids.size();
  }

  void embed_pictures(const std::vector<Item>& items) {
    std::vector<std::filesystem::path> paths;
    for (const auto& item : items) paths.emplace_back(item.uri);
    PictureOptions options;
    options.hash = true;
    options.stop = interrupted;
    std::vector<std::int64_t> ids;
    Matrix vectors(0, static_cast<std::size_t>(model_.width()));
    tandem::embed_pictures(
        model_, picture_files(std::move(paths)), options, [&](const PictureRow& row) {
          const auto& item = items[row.index];
          if (const auto error = failure_of(item, row)) {
            skips_.add(item.uri, *error);
            missing_.push_back(item.id);
            return;
          }
          ids.push_back(item.id);
          vectors.values.insert(vectors.values.end(), row.vector.begin(), row.vector.end());
          ++vectors.rows;
        });
    if (ids.empty()) return;
    collection_.put_next(ids, vectors);
    computed_ += ids.size();
  }

  // The vectors of one item must be of one picture.
  static std::optional<Error> failure_of(const Item& item, const PictureRow& row) {
    if (row.error) return row.error;
    if (item.sha256.empty() || item.sha256 == row.sha256) return {};
    return Error(Kind::kInput, item.uri +
                                   ": has changed since it was indexed. Run tandem index on "
                                   "its folder first.");
  }

  Collection& collection_;
  const Model& model_;
  Skips skips_;
  Console& console_;
  std::vector<std::int64_t> missing_;
  std::uint64_t computed_ = 0;
};

}  // namespace

int reembed(const ReembedRequest& request, LazyModel& model, const FinishOptions& finish,
            Console& console) {
  if (is_database(request.to)) {
    throw Error(Kind::kUnsupported, shown_location(request.to) +
                                        ": --reembed is for collections on this machine. "
                                        "Index into another table, then switch to it.");
  }
  if (!std::filesystem::exists(request.to))
    throw Error(Kind::kNotFound, request.to + ": no collection there.");
  auto collection = Collection::open(request.to, OpenMode::kWrite, "", "", 0);
  const auto before = collection.meta();
  collection.begin_next(model.meta());
  Reembedder work(collection, model.get(), console);
  work.run();
  if (interrupted()) {
    console.note(
        fmt::format("stopped: {} vectors of {} are kept, {} still serves. Run it again to "
                    "go on.",
                    with_thousands(work.computed()), model.meta().model_name, before.model_name));
    return kInterruptedExitCode;
  }
  work.skips().summarise(collection.size());
  const auto missing = work.missing().size();
  if (missing > 0 && !request.drop_missing) {
    throw Error(
        Kind::kInput,
        fmt::format("{}: {} pictures cannot be computed for {}, so {} still serves. Bring them "
                    "back, or run it again with --drop-missing, which removes their rows. "
                    "What is computed is kept.",
                    request.to, with_thousands(missing), model.meta().model_name,
                    before.model_name));
  }
  collection.remove(work.missing());
  collection.switch_to_next();
  collection.set_note(kModelNote, model.memory());
  finish_store(collection, model, finish, console);
  if (request.json) {
    console.out(json::dump(json::object{{"collection", request.to},
                                        {"model", model.meta().model_name},
                                        {"before", before.model_name},
                                        {"computed", work.computed()},
                                        {"removed", missing},
                                        {"pictures", collection.size()}}));
  } else {
    console.out(fmt::format("{} is of {} now ({} before): computed {}, removed {}: {} pictures",
                            escape(request.to), model.meta().model_name, before.model_name,
                            with_thousands(work.computed()), with_thousands(missing),
                            with_thousands(collection.size())));
  }
  return kDone;
}

}  // namespace tandem::cli
