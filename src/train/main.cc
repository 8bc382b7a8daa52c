// tandem_train_tool CONFIG: a training run with validation by recall, for the recipe of `mini` and
// for tests. The command `tandem train` is in cli.
#include <atomic>
#include <csignal>
#include <cstdio>
#include <fmt/format.h>
#include <malloc.h>

#include "core/error.h"
#include "core/files.h"
#include "train/recall.h"
#include "train/trainer.h"

namespace {

std::atomic<bool> g_stop = false;  // signal handlers reach nothing but globals

int train(const char* path) {
  using namespace tandem;
  const TrainConfig config = read_train_config(path);
  const auto tokenizer = make_clip_tokenizer(read_text_file(config.vocabulary),
                                             {.context_length = config.model.text.context_length,
                                              .vocab_size = config.model.text.vocab_size,
                                              .stop_at_end_of_text = config.model.text.causal});
  std::vector<RecallSet> sets;
  for (const auto& [name, shards] : config.validation) {
    sets.emplace_back(name, shards, *tokenizer, config.model.preprocess);
  }
  TrainCallbacks callbacks;
  callbacks.stop = &g_stop;
  callbacks.log = Log([](LogLevel, std::string_view m) { fmt::print(stderr, "{}\n", m); });
  callbacks.on_step = [](const StepReport& r) {
    fmt::print(
        stderr,
        "step {} samples {} loss {:.4f} lr {:.2e} scale {:.1f} norm {:.2f} {:.0f}/s wait {:.0f}%\n",
        r.step, r.samples, r.loss, r.lr, r.scale, r.grad_norm, r.samples_per_second,
        100 * r.wait_share);
  };
  callbacks.validate = [&](const Encoder& encoder) {
    Measurements all;
    for (const RecallSet& set : sets) all.merge(set.measure(encoder));
    for (const auto& [name, value] : all) fmt::print(stderr, "  {} {:.1f}%", name, 100 * value);
    fmt::print(stderr, "\n");
    return all;
  };
  const TrainEnd end = run_training(config, callbacks);
  fmt::print(stderr, "{}\n",
             end == TrainEnd::kFinished ? "finished" : "stopped; run again to go on");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: tandem_train_tool CONFIG\n");
    return 2;
  }
  // Large tensors come and go every step: keep their pages instead of asking the kernel each time.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, -1);
  std::signal(SIGINT, [](int) { g_stop = true; });
  std::signal(SIGTERM, [](int) { g_stop = true; });
  try {
    return train(argv[1]);
  } catch (const tandem::Error& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
}
