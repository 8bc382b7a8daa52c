// `tandem index --reembed`: a collection's items for another model, while its own vectors serve.
#pragma once

#include <string>

#include "cli/index_finish.h"
#include "cli/lazy_model.h"

namespace tandem::cli {

struct ReembedRequest {
  std::string to;             // a collection on this machine
  bool drop_missing = false;  // remove the rows whose pictures cannot be read or have changed
  bool json = false;
};

// Computes what has no vector of `model` yet, from the files; then switches, unless a picture was
// missing, unreadable or changed: those are told, and the collection stays as it is until they are
// back, or are dropped. What is computed is kept: another run goes on. Returns the exit code.
int reembed(const ReembedRequest& request, LazyModel& model, const FinishOptions& finish,
            Console& console);

}  // namespace tandem::cli
