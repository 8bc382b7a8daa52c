#include "cli/index_watch.h"

#include <fmt/format.h>

#include "tandem/error.h"

#include "cli/interrupt.h"

namespace tandem::cli {
namespace {

void tell(const IndexCounts& counts, const Store& store, Console& console) {
  std::string line;
  const auto add = [&](const char* what, std::uint64_t count) {
    if (count > 0)
      line += fmt::format("{}{} {}", line.empty() ? "" : ", ", what, with_thousands(count));
  };
  add("added", counts.added);
  add("moved", counts.moved);
  add("reused", counts.reused);
  add("updated", counts.updated);
  add("removed", counts.removed);
  if (!line.empty())
    console.out(fmt::format("{}: {} pictures", line, with_thousands(store.size())));
}

}  // namespace

void follow_changes(Store& store, LazyModel& model, const IndexRequest& request, FolderWatch& watch,
                    const FinishOptions& finish, Console& console) {
  console.finish();  // who reads along learns of each change when it is stored
  console.note(fmt::format("watching {} folder{}. Ctrl-C ends it.", with_thousands(watch.folders()),
                           watch.folders() == 1 ? "" : "s"));
  bool fresh = true;  // graph and calibration
  while (!interrupted()) {
    const auto changes = watch.wait({});
    if (interrupted()) break;
    for (const auto& folder : changes.unmounted)
      console.warn(escape(folder) + " was unmounted: its rows are kept, and it is not watched.");
    if (!changes.any()) {
      if (!fresh) finish_store(store, model, finish, console);
      fresh = true;
      continue;
    }
    auto part = request;
    if (!changes.lost) part.paths = changes.paths;
    if (part.paths.empty()) continue;
    // What is gone from a folder that is watched has been removed by someone.
    part.prune = true;
    Skips skips(console);
    const auto outcome = index_files(store, model, part, skips, console);
    tell(outcome.counts, store, console);
    console.finish();
    fresh = false;
  }
  console.note("stopped: everything that was told is stored.");
}

}  // namespace tandem::cli
