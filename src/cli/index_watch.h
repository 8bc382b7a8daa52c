// `tandem index --watch`: a store that follows its folders.
#pragma once

#include "cli/index_finish.h"
#include "cli/index_pass.h"
#include "data/folder_watch.h"

namespace tandem::cli {

// Until interrupted(): waits for changes, looks at the folders in which they are, and says what
// came of it. Graph and calibration are brought up to date when nothing happens for a while. A
// picture that cannot be read is told and does not end it; failures of the store do.
void follow_changes(Store& store, LazyModel& model, const IndexRequest& request, FolderWatch& watch,
                    const FinishOptions& finish, Console& console);

}  // namespace tandem::cli
