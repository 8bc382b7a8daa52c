// What a store needs at the end of a run beside its rows: the graph, the calibration, and what is
// measured of them.
#pragma once

#include <functional>
#include <string>

#include "cli/console.h"
#include "cli/lazy_model.h"
#include "index/store.h"

namespace tandem::cli {

struct FinishOptions {
  std::size_t threads = 0;  // 0: one per core
  std::filesystem::path assets;
  std::function<bool()> stop;
};

// Brings them up to date where they are missing or too much has changed; one line on stderr about
// each that took time. What is not done when it is stopped is done the next time.
void finish_store(Store& store, LazyModel& model, const FinishOptions& options, Console& console);

}  // namespace tandem::cli
