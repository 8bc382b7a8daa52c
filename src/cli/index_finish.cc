#include "cli/index_finish.h"

#include <fmt/format.h>

#include "index/collection.h"
#include "preprocess/templates.h"
#include "tasks/relevance.h"

namespace tandem::cli {
namespace {

constexpr std::size_t kCardQueries = 100;
// Below this it is done in an instant, and a line about it would only be noise.
constexpr std::size_t kWorthTelling = 1'000;

// Large collections are searched by a graph. What is added stays when this is interrupted: searches
// then take longer.
void update_graph(Collection& collection, const FinishOptions& given, Console& console) {
  using Done = GraphReport::Done;
  std::unique_ptr<Progress> progress;
  std::size_t before = 0;
  GraphOptions options;
  options.threads = given.threads;
  options.stop = given.stop;
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
      "graph of {} vectors: recall@10 {:.3f}, a search {:.1f} ms (p99 {:.1f}), {:.2f} KB an item",
      with_thousands(report.rows), card.recall_at_10, card.p50_ms, card.p99_ms,
      card.bytes_per_item / 1e3));
}

void update_calibration(Store& store, LazyModel& model, const FinishOptions& options,
                        Console& console) {
  const auto rows = store.size();
  if (rows == 0 || stored_calibration(store)) return;
  const auto captions = load_labels(options.assets / "prompts" / "null_captions.txt");
  const auto& loaded = model.get();
  calibrate(
      store, [&](const std::vector<std::string>& texts) { return loaded.embed_texts(texts); },
      captions);
  if (rows < kWorthTelling) return;
  console.note(
      fmt::format("calibrated on {} items: searches know what is relevant", with_thousands(rows)));
}

}  // namespace

void finish_store(Store& store, LazyModel& model, const FinishOptions& options, Console& console) {
  if (auto* collection = dynamic_cast<Collection*>(&store))
    update_graph(*collection, options, console);
  if (!options.stop()) update_calibration(store, model, options, console);
}

}  // namespace tandem::cli
