// One pass of `tandem index`: a store brought in line with files.
#pragma once

#include <string>
#include <vector>

#include "cli/captions.h"
#include "cli/console.h"
#include "cli/index_writer.h"
#include "cli/lazy_model.h"
#include "cli/skips.h"
#include "index/store.h"

namespace tandem::cli {

struct IndexRequest {
  std::vector<std::string> paths;  // pictures and folders, lexically normal
  CaptionSources::Options captions;
  bool facts = true;        // EXIF
  bool prune = false;       // also remove the rows of folders that are empty now
  bool utf8_names = false;  // the store takes no other names
};

struct IndexOutcome {
  IndexCounts counts;
  std::size_t seen = 0;       // pictures found
  std::size_t remaining = 0;  // of them, in the store now
  bool stopped = false;       // interrupted(); what was added is kept
};

// "./many/" and "many" are one place: rows are known by their path as it is written.
std::vector<std::string> normal_paths(const std::vector<std::string>& given);

// Looks at everything below request.paths. Throws as scan_pictures and the store do.
IndexOutcome index_files(Store& store, LazyModel& model, const IndexRequest& request, Skips& skips,
                         Console& console);

}  // namespace tandem::cli
