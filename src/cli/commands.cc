// The commands of `tandem`.
#include "cli/command.h"

namespace tandem::cli {

std::span<const Command> commands() {
  static constexpr Command kCommands[] = {
      {"classify", "name what pictures show, with any words as labels", run_classify},
      {"caption", "write a sentence about each picture", run_caption},
      {"embed", "turn pictures and texts into vectors (.npy)", run_embed},
      {"index", "build or refresh a searchable collection of pictures", run_index},
      {"import", "bring vectors made elsewhere into a collection", run_import},
      {"export", "write a collection's vectors as other software reads them", run_export},
      {"search", "find pictures by words, by another picture, or both", run_search},
      {"serve", "search, embed and classify over HTTP, with a page to search on", run_serve},
      {"decode-worker", "", run_decode_worker},
      {"train", "train a model from captioned pictures", run_train},
      {"eval", "measure a model on captioned pictures", run_eval},
      {"models", "list the models, or describe one", run_models},
      {"pull", "fetch a model from the hub", run_pull},
      {"convert", "write a model as other software lays models out", run_convert},
      {"quantize", "write a smaller, faster copy of a model, and measure it", run_quantize},
      {"doctor", "check this machine: processor, kernels, equality, speed", run_doctor},
      {"bench", "measure what the processor can do", run_bench},
  };
  return kCommands;
}

}  // namespace tandem::cli
