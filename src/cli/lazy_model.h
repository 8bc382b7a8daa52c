// A model whose identity is known before it is loaded, so that work which turns out to be nothing
// costs no loading.
#pragma once

#include <optional>
#include <string>

#include "cli/model_flags.h"
#include "index/store.h"

namespace tandem::cli {

class LazyModel {
 public:
  // `remembered`: what memory() gave for this or another model before; then unchanged weights need
  // not be read to know their fingerprint. Throws what load() throws for a model that is not there,
  // and hands over to tandem-torch as it does.
  LazyModel(const ModelFlags& flags, const Context& context,
            const std::optional<std::string>& remembered);

  const StoreMeta& meta() const { return meta_; }
  // To be kept with a collection as the note kModelNote: fingerprint, and size and date of the
  // files that it stands for.
  const std::string& memory() const { return memory_; }

  // Loads it at the first call. Throws kInput if its files have changed since meta().
  const Model& get();
  bool loaded() const { return model_.has_value(); }

 private:
  ModelFlags flags_;
  const Context& context_;
  StoreMeta meta_;
  std::string memory_;
  std::optional<Model> model_;
};

inline constexpr const char* kModelNote = "model_files";

}  // namespace tandem::cli
