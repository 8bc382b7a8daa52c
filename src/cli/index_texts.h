// Lines of text as items of a store, so that pictures can ask for texts.
#pragma once

#include <string>
#include <vector>

#include "cli/console.h"
#include "cli/index_writer.h"
#include "cli/lazy_model.h"
#include "index/store.h"

namespace tandem::cli {

// The item of a text: its uri is "text:" and its hash, so that each text is there once.
Item text_item(const std::string& text);

// Adds the lines of `file` that the store lacks; empty ones and repetitions are passed over. Texts
// that are in no file any more stay. Counts what was added and what was there. Stops when
// interrupted(). Throws kNotFound, kIo, kInput (a line that is not UTF-8, naming it).
void index_texts(Store& store, LazyModel& model, const std::string& file, IndexCounts& counts,
                 Console& console);

}  // namespace tandem::cli
