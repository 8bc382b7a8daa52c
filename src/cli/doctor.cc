// `tandem doctor`: is this machine, and this installation, as it should be?
#include <fmt/format.h>
#include <fstream>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/model_flags.h"
#include "cli/self_test.h"
#include "core/json.h"
#include "core/threads.h"
#include "engine/cpu/gemm_bench.h"
#include "engine/cpu/instruction_set.h"
#include "engine/registry.h"

namespace tandem::cli {
namespace {

// Largest difference to open_clip's fp32 vectors that is only rounding; least cosine in bf16
// (DESIGN, "Same numbers").
constexpr double kMaxDifference = 2e-5;
constexpr double kLeastCosine = 0.9995;

struct Finding {
  std::string topic;
  std::string text;
  bool good = true;
};

struct Processor {
  std::string name = "unknown";
  std::string features;
};

// The features that matter here, in the order kernels prefer them.
Processor read_processor() {
  static constexpr std::string_view kRelevant[] = {
      "avx2",        "fma",         "f16c",     "avx512f",  "avx512bw",
      "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "sha_ni"};
  Processor processor;
  std::ifstream info("/proc/cpuinfo");
  std::string line;
  while (std::getline(info, line)) {
    const auto colon = line.find(": ");
    if (colon == std::string::npos) continue;
    if (line.starts_with("model name")) processor.name = line.substr(colon + 2);
    if (!line.starts_with("flags")) continue;
    const auto flags = " " + line.substr(colon + 2) + " ";
    for (const auto feature : kRelevant) {
      if (flags.find(" " + std::string(feature) + " ") != std::string::npos)
        processor.features += (processor.features.empty() ? "" : " ") + std::string(feature);
    }
    break;
  }
  return processor;
}

Finding equality(Precision precision, int threads) {
  Finding finding{.topic = precision == Precision::kFp32 ? "equality fp32" : "equality bf16"};
  const auto got = run_self_test(precision, threads);
  if (precision == Precision::kFp32) {
    finding.good = got.max_difference <= kMaxDifference;
    finding.text = fmt::format("largest difference to open_clip {:.1e} (at most {:.0e})",
                               got.max_difference, kMaxDifference);
  } else {
    finding.good = got.least_cosine >= kLeastCosine;
    finding.text = fmt::format("least cosine to open_clip {:.6f} (at least {})", got.least_cosine,
                               kLeastCosine);
  }
  finding.text += "; " + got.engine;
  return finding;
}

Finding ceiling(Precision precision, int threads) {
  const auto rates = bench_gemm(image_shapes(ModelConfig{}, 8),
                                {.precision = precision, .threads = threads, .runs = 5});
  std::string kernels;
  bool reference = false;
  for (const auto& rate : rates) {
    reference = reference || rate.implementation.starts_with("ref");
    if (kernels.find(rate.implementation) == std::string::npos)
      kernels += (kernels.empty() ? "" : ", ") + rate.implementation;
  }
  return {.topic = precision == Precision::kFp32 ? "speed fp32" : "speed bf16",
          .text = fmt::format("{:.0f} GFLOP/s in matrix products of ViT-B/32's shapes; {}",
                              weighted_rate(rates), kernels),
          .good = !reference};
}

Finding models(const ModelPlaces& places) {
  Finding finding{.topic = "models"};
  try {
    std::size_t absent = 0;
    for (const auto& row : list_models(places)) {
      if (!row.installed && row.hub) ++absent;
      if (!row.installed && row.hub) continue;
      finding.text +=
          (finding.text.empty() ? "" : ", ") + row.name + (row.installed ? "" : " (missing)");
      finding.good = finding.good && (row.installed || row.name != "mini");
    }
    finding.text += fmt::format(" in {}; {} more can be pulled", places.assets.string(), absent);
  } catch (const Error& e) {
    finding.good = false;
    finding.text = e.what();
  }
  return finding;
}

std::vector<Finding> examine(const ModelFlags& flags, const Context& context) {
  const auto processor = read_processor();
  const int threads = flags.threads > 0 ? flags.threads : static_cast<int>(available_threads());
  std::vector<Finding> findings;
  findings.push_back({"processor", processor.name});
  findings.push_back({"features", processor.features});
  findings.push_back({"kernels", "oneDNN uses " + cpu_instruction_set() +
                                     (cpu_has_bf16() ? "; bf16 is native"
                                                     : "; no native bf16: fp32 is the default")});
  findings.push_back({"threads", std::to_string(threads)});
  findings.push_back(equality(Precision::kFp32, threads));
  if (cpu_has_bf16()) findings.push_back(equality(Precision::kBf16, threads));
  findings.push_back(ceiling(Precision::kFp32, threads));
  if (cpu_has_bf16()) findings.push_back(ceiling(Precision::kBf16, threads));
  findings.push_back(models(model_places(flags, context)));
  return findings;
}

}  // namespace

int run_doctor(Context& context, Arguments arguments) {
  OutputFlags output;
  ModelFlags flags;
  Options options("doctor",
                  "check this machine and this installation: processor, kernels, equality with "
                  "open_clip on a tiny built-in "
                  "model, speed of matrix products, models. Takes a few seconds.");
  options.example("tandem doctor", "exit code 1 when something is not as it should be");
  options.group("Check");
  options.number("--threads", "N", flags.threads, "threads to check with (default: one per core)",
                 1);
  options.text("--assets", "DIR", flags.assets,
               "where models and prompts are (default: TANDEM_ASSETS, or as installed)");
  if (!parse_or_help(options, output, context, arguments)) return kDone;
  bool good = true;
  auto& console = context.console;
  for (const auto& finding : examine(flags, context)) {
    good = good && finding.good;
    if (output.json) {
      console.out(json::dump(
          json::object{{"topic", finding.topic}, {"good", finding.good}, {"text", finding.text}}));
    } else {
      console.out(console.styled(finding.good ? "ok  " : "BAD ",
                                 finding.good ? Style::kGreen : Style::kRed) +
                  console.styled(fmt::format("{:<15}", finding.topic), Style::kDim) +
                  escape(finding.text));
    }
  }
  if (!good)
    console.error("doctor: what is marked BAD is not as it should be. See docs/doctor.md.");
  return good ? kDone : kFailed;
}

}  // namespace tandem::cli
