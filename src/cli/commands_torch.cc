// The commands of `tandem-torch`: those that compute, on libtorch.
#include "cli/command.h"

namespace tandem::cli {

std::span<const Command> commands() {
  static constexpr Command kCommands[] = {
      {"classify", "name what pictures show, with any words as labels", run_classify},
      {"caption", "write a sentence about each picture", run_caption},
      {"embed", "turn pictures and texts into vectors (.npy)", run_embed},
      {"index", "build or refresh a searchable collection of pictures", run_index},
      {"import", "bring vectors made elsewhere into a collection", run_import},
      {"search", "find pictures by words, by another picture, or both", run_search},
      {"train", "train a model from captioned pictures", run_train},
      {"eval", "measure a model on captioned pictures", run_eval},
  };
  return kCommands;
}

}  // namespace tandem::cli
