// `tandem pull`: a model from the hub, into the cache that Hugging Face's tools share.
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/hub_environment.h"
#include "cli/interrupt.h"
#include "cli/model_flags.h"
#include "core/json.h"
#include "engine/hub.h"
#include "engine/registry.h"

namespace tandem::cli {
namespace {

constexpr std::uint64_t kMegabyte = 1'000'000;

struct Flags {
  OutputFlags output;
  ModelFlags model;
  std::string revision;
  bool offline = false;
  int retries = 5;
};

std::string megabytes(std::uint64_t bytes) {
  if (bytes == 0 || bytes >= 10 * kMegabyte) return with_thousands(bytes / kMegabyte) + " MB";
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / kMegabyte);
}

// Counts whole megabytes towards a total that is known once the first bytes come.
class Counter {
 public:
  explicit Counter(Console& console) : console_(console) {}
  void operator()(std::uint64_t have, std::uint64_t total) {
    if (!progress_) progress_ = console_.progress("MB", total / kMegabyte);
    const auto now = std::min(have, total) / kMegabyte;
    if (now > shown_) progress_->add(now - shown_);
    shown_ = std::max(shown_, now);
  }

 private:
  Console& console_;
  std::unique_ptr<Progress> progress_;
  std::uint64_t shown_ = 0;
};

void report(const ModelRow& row, const PullResult& result, const Flags& flags, Console& console) {
  std::uint64_t bytes = 0;
  for (const auto& file : result.files) bytes += file.size_bytes;
  if (flags.output.json) {
    json::array files;
    for (const auto& file : result.files) {
      files.push_back(json::object{
          {"name", file.name}, {"bytes", file.size_bytes}, {"was_here", file.was_here}});
    }
    console.out(json::dump(json::object{{"name", row.name},
                                        {"repository", row.hub->repository},
                                        {"commit", result.commit},
                                        {"folder", result.snapshot.string()},
                                        {"fetched_bytes", result.fetched_bytes},
                                        {"files", std::move(files)}}));
    return;
  }
  console.out(result.snapshot.string());
  console.note(result.fetched_bytes == 0
                   ? fmt::format("{} is here already: {} files, {}", escape(row.name),
                                 result.files.size(), megabytes(bytes))
                   : fmt::format("fetched {} of {}: {} files, {}", megabytes(result.fetched_bytes),
                                 escape(row.name), result.files.size(), megabytes(bytes)));
  if (!row.licence.empty()) console.note("licence: " + row.licence);
  console.note("use it with: --model " + escape(row.name));
}

int pull_model(const std::string& name, const Flags& flags, Context& context) {
  auto row = find_row(name, model_places(flags.model, context));
  if (!row.hub) {
    context.console.note(escape(name) + " is on this machine: nothing to fetch");
    return kDone;
  }
  if (context.hub.cache.empty()) {
    throw Error(Kind::kInput, "no place for models: HOME is not set. Name one with HF_HUB_CACHE.");
  }
  if (!flags.revision.empty()) {
    row.hub->revision = flags.revision;
    if (!is_revision(flags.revision))
      throw UsageError("--revision " + flags.revision + ": expected a branch, tag or commit.");
  }
  auto hub = context.hub;
  hub.offline = hub.offline || flags.offline;
  hub.retries = flags.retries;
  hub.stop = &stop_flag();
  if (!hub.offline) hub.token = read_hub_token();
  hub.log = Log([&](LogLevel, std::string_view text) { context.console.warn(escape(text)); });
  Counter counter(context.console);
  const auto result =
      pull({.name = *row.hub,
            .known = row.files,
            .check = [&](const std::filesystem::path& snapshot) { check_config(row, snapshot); },
            .came = [&](std::uint64_t have, std::uint64_t total) { counter(have, total); }},
           hub);
  context.console.clear_progress();
  if (result.interrupted) {
    context.console.note("stopped: what has come is kept; run it again to go on");
    return kInterruptedExitCode;
  }
  if (!flags.revision.empty()) row.name = "hf-hub:" + row.hub->repository + "@" + row.hub->revision;
  report(row, result, flags, context.console);
  return kDone;
}

}  // namespace

int run_pull(Context& context, Arguments arguments) {
  Flags flags;
  std::vector<std::string> words;
  Options options("pull",
                  "fetch a model from the hub, into the cache shared with Hugging Face's tools.");
  options.example("tandem pull vit-b-32-laion2b", "one of those that tandem models lists");
  options.example("tandem pull hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "any repository");
  options.words("NAME", words, "a name from `tandem models`, or hf-hub:ORG/REPO", 1, 1);
  options.group("Fetching");
  options.text("--revision", "R", flags.revision, "a branch, tag or commit (default: main)");
  options.flag("--offline", flags.offline, "only look whether it is here (HF_HUB_OFFLINE)");
  options.number("--retries", "N", flags.retries,
                 "tries in a row that may bring nothing (default: 5)", 0);
  options.text("--assets", "DIR", flags.model.assets,
               "where models and prompts are (default: TANDEM_ASSETS, or as installed)");
  if (!parse_or_help(options, flags.output, context, arguments)) return kDone;
  return pull_model(words[0], flags, context);
}

}  // namespace tandem::cli
