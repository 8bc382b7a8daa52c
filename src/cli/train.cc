// `tandem-torch train`: a training run from its config.
#include <fmt/format.h>
#include <malloc.h>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/model_flags.h"
#include "core/files.h"
#include "core/json.h"
#include "train/recall.h"
#include "train/trainer.h"

namespace tandem::cli {
namespace {

std::vector<RecallSet> open_validation(const TrainConfig& config) {
  const auto& text = config.model.text;
  const auto tokenizer =
      make_clip_tokenizer(read_text_file(config.vocabulary), {.context_length = text.context_length,
                                                              .vocab_size = text.vocab_size,
                                                              .stop_at_end_of_text = text.causal});
  std::vector<RecallSet> sets;
  for (const auto& [name, shards] : config.validation)
    sets.emplace_back(name, shards, *tokenizer, config.model.preprocess);
  return sets;
}

json::object to_json(const StepReport& report) {
  return {{"step", report.step},
          {"samples", report.samples},
          {"loss", report.loss},
          {"lr", report.lr},
          {"scale", report.scale},
          {"grad_norm", report.grad_norm},
          {"samples_per_second", report.samples_per_second},
          {"wait_share", report.wait_share}};
}

std::string to_line(const StepReport& report, std::int64_t total) {
  const double rate = std::max(report.samples_per_second, 1e-9);
  const auto left = std::chrono::seconds(
      static_cast<std::int64_t>(static_cast<double>(total - report.samples) / rate));
  return fmt::format("{}/{}  loss {:.4f}  lr {:.2e}  scale {:.1f}  {:.0f} pairs/s  {} left",
                     with_thousands(static_cast<std::uint64_t>(report.samples)),
                     with_thousands(static_cast<std::uint64_t>(total)), report.loss, report.lr,
                     report.scale, report.samples_per_second, duration_text(left));
}

TrainCallbacks callbacks_of(const TrainConfig& config, const std::vector<RecallSet>& sets,
                            const OutputFlags& output, Console& console) {
  TrainCallbacks callbacks;
  callbacks.stop = &stop_flag();
  callbacks.log = Log([&console](LogLevel level, std::string_view message) {
    if (level == LogLevel::kWarning) console.warn(message);
    if (level == LogLevel::kInfo) console.note(message);
  });
  callbacks.on_step = [&console, &config, json = output.json](const StepReport& report) {
    if (json) console.out(json::dump(to_json(report)));
    if (!json) console.note(to_line(report, config.samples));
  };
  callbacks.validate = [&console, &sets, json = output.json](const Encoder& encoder) {
    Measurements all;
    for (const auto& set : sets) all.merge(set.measure(encoder));
    for (const auto& [name, value] : all) {
      if (json) console.out(json::dump(json::object{{"measure", name}, {"value", value}}));
      if (!json) console.note(fmt::format("  {}  {:.1f} %", name, 100 * value));
    }
    return all;
  };
  return callbacks;
}

}  // namespace

int run_train(Context& context, Arguments arguments) {
  OutputFlags output;
  std::vector<std::string> words;
  Options options("train",
                  "train a model from captioned pictures, as its config says. Ctrl-C stops after "
                  "the step; the same command goes "
                  "on from there, and ends with the same weights as a run that was never stopped.");
  options.example("tandem train assets/mini/train.json",
                  "weights, metrics and report.html below the folder that the config names");
  options.words("CONFIG", words, "a training config (JSON); docs/train.md explains every key", 1,
                1);
  if (!parse_or_help(options, output, context, arguments)) return kDone;
  // Large tensors come and go every step: keep their pages instead of asking the kernel each time.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, -1);
  auto config = read_train_config(words[0]);
  if (!std::filesystem::exists(config.vocabulary)) {
    config.vocabulary = assets_folder({}, context) / "vocab" / config.vocabulary.filename();
  }
  const auto sets = open_validation(config);
  const auto end = run_training(config, callbacks_of(config, sets, output, context.console));
  if (end == TrainEnd::kStopped) {
    context.console.note("stopped: the state is saved. Run it again to go on.");
    return kInterruptedExitCode;
  }
  context.console.note("finished: " + escape((config.out / "model").string()) + ", report " +
                       escape((config.out / "report.html").string()));
  return kDone;
}

}  // namespace tandem::cli
