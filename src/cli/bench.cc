// `tandem bench`: the processor's ceiling, and how near a model comes to it.
#include <algorithm>
#include <chrono>
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/model_flags.h"
#include "cli/table.h"
#include "core/json.h"
#include "core/rng.h"
#include "engine/cpu/gemm_bench.h"
#include "engine/model.h"

namespace tandem::cli {
namespace {

struct Flags {
  ModelFlags model;
  OutputFlags output;
  std::vector<std::string> words;
  int batch = 32;
  int tokens = 10;
  int runs = 30;
  std::string only;
};

Options declare(Flags& flags) {
  Options options("bench",
                  "measure what the processor can do. gemm: the rate of plain matrix products at a "
                  "model's shapes, the ceiling. "
                  "model: the model itself, in turns with those products, and the share of the "
                  "ceiling it reaches.");
  options.example("tandem bench gemm", "ViT-B/32's shapes, in the default precision");
  options.example("tandem bench model --model DIR --precision fp32 --batch 32",
                  "pictures and texts a second, share of the ceiling");
  options.words("gemm|model", flags.words, "what to measure", 1, 1);
  options.group("Measurement");
  options.number("--batch", "B", flags.batch, "pictures or texts at once (default: 32)", 1);
  options.number("--tokens", "T", flags.tokens, "tokens a text (default: 10)", 2);
  options.number("--runs", "N", flags.runs, "timed runs, of which the median counts (default: 30)",
                 1);
  options.choice("--only", {"images", "texts"}, flags.only, "measure one tower (model)");
  flags.model.model.clear();
  add_model_options(options, flags.model);
  return options;
}

// ViT-B/32's config is the default of every field.
ModelConfig config_of(const Flags& flags, const Context& context) {
  if (flags.model.model.empty()) return {};
  return load_checkpoint(find_model(flags.model.model, model_places(flags.model, context)).folder)
      .config;
}

Precision precision_of(const ModelFlags& flags) {
  if (flags.precision == "fp32") return Precision::kFp32;
  if (flags.precision == "int8") return Precision::kInt8;
  return flags.precision == "bf16" || cpu_has_bf16() ? Precision::kBf16 : Precision::kFp32;
}

int bench_products(const Flags& flags, Context& context) {
  const auto config = config_of(flags, context);
  auto shapes =
      counts_images(config) ? image_shapes(config, flags.batch) : std::vector<GemmShape>();
  for (const auto& shape : text_shapes(config, flags.batch * flags.tokens)) shapes.push_back(shape);
  const auto precision = precision_of(flags.model);
  const auto rates = bench_gemm(
      shapes, {.precision = precision, .threads = flags.model.threads, .runs = flags.runs});
  if (flags.output.json) {
    for (const auto& rate : rates) {
      const auto& s = rate.shape;
      context.console.out(json::dump(json::object{{"m", s.m},
                                                  {"k", s.k},
                                                  {"n", s.n},
                                                  {"count", s.count},
                                                  {"precision", precision_name(precision)},
                                                  {"gflops", rate.gflops},
                                                  {"best_gflops", rate.best_gflops},
                                                  {"implementation", rate.implementation}}));
    }
    return kDone;
  }
  Table table({{.title = "m", .align = Align::kRight},
               {.title = "k", .align = Align::kRight},
               {.title = "n", .align = Align::kRight},
               {.title = "times", .align = Align::kRight},
               {.title = "GFLOP/s", .align = Align::kRight, .style = Style::kBold},
               {.title = "best", .align = Align::kRight},
               {.title = "kernel"}});
  for (const auto& rate : rates) {
    const auto& s = rate.shape;
    table.add({std::to_string(s.m), std::to_string(s.k), std::to_string(s.n),
               std::to_string(s.count), fmt::format("{:.0f}", rate.gflops),
               fmt::format("{:.0f}", rate.best_gflops), rate.implementation});
  }
  table.print(context.console);
  context.console.out(fmt::format("{}: {:.0f} GFLOP/s over a forward pass",
                                  precision_name(precision), weighted_rate(rates)));
  return kDone;
}

// Seconds of each timed run; the first two do not count.
template <typename Work>
std::vector<double> run_seconds(int runs, const Work& work) {
  std::vector<double> seconds;
  for (int i = 0; i < runs + 2 && !interrupted(); ++i) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    if (i >= 2)
      seconds.push_back(
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  if (seconds.empty()) seconds.push_back(0);
  return seconds;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

struct Speed {
  std::string what;
  double per_second = 0;
  double gflops = 0;
  double ceiling = 0;           // plain products, weights in the caches; 0: unknown
  double pass_ceiling = 0;      // plain products in a pass's order, weights from memory
  std::vector<double> seconds;  // of each run
};

void measure_ceilings(const Model& model, const Flags& flags, const std::vector<GemmShape>& shapes,
                      Speed& speed) {
  const GemmBenchOptions options{model.precision(), model.rep().threads, flags.runs};
  speed.ceiling = weighted_rate(bench_gemm(shapes, options));
  speed.pass_ceiling = bench_pass(shapes, options);
}

Speed image_speed(const Model& model, const Flags& flags) {
  const auto& config = model.rep().checkpoint.config;
  PixelBatch pixels;
  pixels.count = flags.batch;
  pixels.size_px = config.preprocess.size_px;
  pixels.pixels.resize(static_cast<std::size_t>(flags.batch) * pixels.size_px * pixels.size_px * 3);
  Rng rng(1);
  for (auto& value : pixels.pixels) value = static_cast<std::uint8_t>(rng.next());
  Speed speed{.what = "pictures"};
  speed.seconds =
      run_seconds(flags.runs, [&] { (void)model.rep().encoder->encode_images(pixels); });
  const double seconds = median(speed.seconds);
  speed.per_second = flags.batch / seconds;
  if (!counts_images(config)) return speed;
  speed.gflops = image_flops(config, flags.batch) / seconds / 1e9;
  measure_ceilings(model, flags, image_shapes(config, flags.batch), speed);
  return speed;
}

Speed text_speed(const Model& model, const Flags& flags) {
  const auto& config = model.rep().checkpoint.config;
  const int tokens = std::min(flags.tokens, config.text.context_length);
  TokenBatch batch;
  Rng rng(2);
  for (int i = 0; i < flags.batch; ++i) {
    std::vector<std::int32_t> ids(static_cast<std::size_t>(tokens));
    for (auto& id : ids)
      id = static_cast<std::int32_t>(
          rng.below(static_cast<std::uint64_t>(config.text.vocab_size - 2)));
    ids.back() = config.text.vocab_size - 1;
    batch.add(ids);
  }
  Speed speed{.what = "texts"};
  speed.seconds = run_seconds(flags.runs, [&] { (void)model.rep().encoder->encode_texts(batch); });
  const double seconds = median(speed.seconds);
  speed.per_second = flags.batch / seconds;
  const std::vector<int> lengths(static_cast<std::size_t>(flags.batch), tokens);
  speed.gflops = text_flops(config, lengths) / seconds / 1e9;
  measure_ceilings(model, flags, text_shapes(config, flags.batch * tokens), speed);
  return speed;
}

int bench_model(Flags flags, Context& context) {
  if (flags.model.model.empty()) flags.model.model = "mini";
  const auto model = load(flags.model, context);
  if (!flags.output.json)
    context.console.out(
        fmt::format("{}: {}, {} at once", escape(model.name()), model.describe(), flags.batch));
  std::vector<Speed> speeds;
  if (flags.only != "texts") speeds.push_back(image_speed(model, flags));
  if (flags.only != "images") speeds.push_back(text_speed(model, flags));
  for (const auto& speed : speeds) {
    if (flags.output.json) {
      context.console.out(json::dump(
          json::object{{"model", model.name()},
                       {"engine", model.describe()},
                       {"what", speed.what},
                       {"batch", flags.batch},
                       {"per_second", speed.per_second},
                       {"gflops", speed.gflops},
                       {"gemm_gflops", speed.ceiling},
                       {"pass_gflops", speed.pass_ceiling},
                       {"seconds", json::array(speed.seconds.begin(), speed.seconds.end())}}));
    } else if (speed.ceiling > 0) {
      context.console.out(fmt::format(
          "{:<9} {:.0f} a second; {:.0f} GFLOP/s, {:.0f} % of the {:.0f} that plain products "
          "reach; "
          "{:.0f} % of their {:.0f} with weights from memory",
          speed.what, speed.per_second, speed.gflops, 100 * speed.gflops / speed.ceiling,
          speed.ceiling, 100 * speed.gflops / speed.pass_ceiling, speed.pass_ceiling));
    } else {
      context.console.out(fmt::format("{:<9} {:.0f} a second", speed.what, speed.per_second));
    }
  }
  return interrupted() ? kInterruptedExitCode : kDone;
}

}  // namespace

int run_bench(Context& context, Arguments arguments) {
  Flags flags;
  auto options = declare(flags);
  if (!parse_or_help(options, flags.output, context, arguments)) return kDone;
  if (flags.words[0] == "gemm") return bench_products(flags, context);
  if (flags.words[0] == "model") return bench_model(flags, context);
  throw UsageError("bench " + flags.words[0] + ": expected gemm or model.");
}

}  // namespace tandem::cli
