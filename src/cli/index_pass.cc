#include "cli/index_pass.h"

#include <algorithm>
#include <fmt/format.h>
#include <unordered_set>

#include "cli/interrupt.h"
#include "core/utf8.h"
#include "engine/pictures.h"

namespace tandem::cli {
namespace {

namespace fs = std::filesystem;

// Files, and where there may be others that nobody can see now.
struct Found {
  std::vector<FoundFile> files;
  std::vector<std::string> roots;
  std::vector<std::string> unreadable;
};

class Pass {
 public:
  Pass(Store& store, LazyModel& model, const IndexRequest& request, Skips& skips, Console& console)
      : store_(store),
        model_(model),
        request_(request),
        captions_(request.captions),
        skips_(skips),
        console_(console) {}

  IndexOutcome run() {
    find();
    outcome_.seen = found_.files.size();
    // Content that this run adds is known to the next plan only, and what replaces a row may do so
    // before another file that has its content is stored: then there is something left over.
    constexpr int kMostRounds = 3;
    const IndexPlan first = plan(found_);
    outcome_.counts.unchanged = first.unchanged();
    outcome_.remaining = first.unchanged();
    auto left = work(first, found_, true);
    for (int round = 2; !left.empty() && !outcome_.stopped; ++round) {
      const Found rest{std::move(left), {}, {}};
      left = work(plan(rest), rest, round < kMostRounds);
    }
    if (!outcome_.stopped) remove(first.vanished());
    if (const auto unused = captions_.unused(); unused > 0 && !outcome_.stopped) {
      console_.note(fmt::format("--captions lists {} pictures that are not among these",
                                with_thousands(unused)));
    }
    return outcome_;
  }

 private:
  void find() {
    std::vector<fs::path> there;
    for (const auto& path : request_.paths) {
      std::error_code error;
      // What is gone is a place without pictures, where that may be.
      const bool gone = request_.prune && !fs::exists(path, error) && !error;
      if (gone || fs::is_directory(path, error)) found_.roots.push_back(path);
      if (!gone) there.emplace_back(path);
    }
    auto scan = scan_pictures(there);
    for (const auto& [folder, error] : scan.unreadable) {
      found_.unreadable.push_back(folder.string());
      console_.warn(escape(error.what()) + " Its pictures keep their rows.");
    }
    for (auto& file : scan.files) {
      if (file.path.native().starts_with("./")) file.path = file.path.native().substr(2);
      if (request_.utf8_names && !is_utf8(file.path.native())) {
        skips_.add(file.path.string(),
                   Error(Kind::kInput, file.path.string() + ": a name that is not UTF-8, which "
                                                            "databases cannot hold."));
      } else {
        found_.files.push_back(std::move(file));
      }
    }
    if (found_.files.empty() && found_.unreadable.empty() && !request_.prune)
      throw_no_pictures({request_.paths.begin(), request_.paths.end()});
    keep_rows_of_emptied_folders();
  }

  // A disk that is not mounted looks like a folder without pictures.
  void keep_rows_of_emptied_folders() {
    if (request_.prune) return;
    for (const auto& root : found_.roots) {
      const std::vector<std::string> one{root};
      const bool empty =
          std::none_of(found_.files.begin(), found_.files.end(),
                       [&](const FoundFile& file) { return is_below(file.path.native(), one); });
      if (empty) emptied_.push_back(root);
    }
    found_.unreadable.insert(found_.unreadable.end(), emptied_.begin(), emptied_.end());
    for (const auto& root : emptied_) {
      console_.note("no pictures below " + escape(root) +
                    ": rows that it had are kept (--prune removes them)");
    }
  }

  IndexPlan plan(const Found& found) {
    return {store_,
            {found.files, found.roots, found.unreadable},
            captions_,
            [&](const std::string&, const Error& e) { console_.warn(escape(e.what())); }};
  }

  // Computes and stores; returns what is left over.
  std::vector<FoundFile> work(const IndexPlan& plan, const Found& found, bool reuse) {
    const auto& tasks = plan.tasks();
    if (tasks.empty()) return {};
    std::vector<fs::path> paths;
    for (const auto& task : tasks) paths.push_back(found.files[task.file].path);
    const auto& model = model_.get();

    IndexWriter writer(store_, plan, captions_);
    const auto progress = console_.progress("img", tasks.size());
    PictureOptions options;
    options.hash = true;
    options.facts = request_.facts;
    if (reuse) options.known = [&](const std::string& sha256) { return writer.knows(sha256); };
    options.stop = interrupted;
    embed_pictures(model, picture_files(std::move(paths)), options, [&](const PictureRow& row) {
      const auto& task = tasks[row.index];
      progress->add();
      if (row.error) {
        skip(found.files[task.file], task, *row.error);
      } else {
        hand_over(found.files[task.file], task, row, writer);
      }
    });
    writer.finish();
    progress->finish();
    outcome_.stopped = interrupted();
    add(writer.counts());
    std::vector<FoundFile> left;
    for (const auto index : writer.left_over()) left.push_back(found.files[tasks[index].file]);
    outcome_.remaining -= left.size();
    for (const auto id : plan.vanished()) {
      if (writer.claimed(id)) claimed_.insert(id);
    }
    return left;
  }

  void hand_over(const FoundFile& file, const Task& task, const PictureRow& row,
                 IndexWriter& writer) {
    ++outcome_.remaining;
    if (row.known) {
      writer.add_known({file, row.sha256, task.texts, row.facts, row.index});
      return;
    }
    Item item;
    std::string before = "{}";
    if (task.id != 0) {
      const auto rows = store_.items(std::span(&task.id, 1));
      if (!rows.empty()) {
        item.caption = rows.front().caption;
        before = rows.front().metadata_json;
      }
    }
    item.uri = file.path.string();
    item.sha256 = row.sha256;
    item.size_bytes = file.size_bytes;
    item.mtime_ns = file.mtime_ns;
    item.width = row.width;
    item.height = row.height;
    captions_.apply(task.texts, row.facts, before, item);
    writer.add(std::move(item), row.vector);
  }

  // A file that cannot be read now may be read later: its row stays. One that is broken or no
  // picture any more is not what its row says.
  void skip(const FoundFile& file, const Task& task, const Error& error) {
    skips_.add(file.path.string(), error);
    if (task.id == 0) return;
    if (error.kind() == Kind::kIo || error.kind() == Kind::kNotFound) return;
    broken_.push_back(task.id);
  }

  void remove(const std::vector<std::int64_t>& vanished) {
    std::vector<std::int64_t> ids = broken_;
    std::copy_if(vanished.begin(), vanished.end(), std::back_inserter(ids),
                 [&](std::int64_t id) { return !claimed_.contains(id); });
    if (!ids.empty()) outcome_.counts.removed = store_.remove(ids);
  }

  void add(const IndexCounts& counts) {
    outcome_.counts.added += counts.added;
    outcome_.counts.moved += counts.moved;
    outcome_.counts.reused += counts.reused;
    outcome_.counts.updated += counts.updated;
  }

  Store& store_;
  LazyModel& model_;
  const IndexRequest& request_;
  CaptionSources captions_;
  Skips& skips_;
  Console& console_;
  Found found_;
  std::vector<std::string> emptied_;
  std::vector<std::int64_t> broken_;
  std::unordered_set<std::int64_t> claimed_;
  IndexOutcome outcome_;
};

}  // namespace

std::vector<std::string> normal_paths(const std::vector<std::string>& given) {
  std::vector<std::string> paths;
  for (const auto& path : given) {
    auto text = fs::path(path).lexically_normal().string();
    if (text.size() > 1 && text.ends_with('/')) text.pop_back();
    paths.push_back(std::move(text));
  }
  return paths;
}

IndexOutcome index_files(Store& store, LazyModel& model, const IndexRequest& request, Skips& skips,
                         Console& console) {
  return Pass(store, model, request, skips, console).run();
}

}  // namespace tandem::cli
