#include "train/state.h"

#include <algorithm>
#include <fmt/format.h>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/json.h"
#include "core/safetensors.h"
#include "model/checkpoint.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kKept = 2;

fs::path checkpoints(const fs::path& out) { return out / "checkpoints"; }

// Whole checkpoints, oldest first: the step is zero-padded in the name.
std::vector<fs::path> whole_checkpoints(const fs::path& out) {
  std::vector<fs::path> found;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(checkpoints(out), none)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("step-")) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

void save_run(const fs::path& out, const RunState& state, const ModelConfig& model,
              const TensorMap& values, const TensorMap& optimiser) {
  const fs::path folder = checkpoints(out) / fmt::format("step-{:09}", state.step);
  const fs::path aside = checkpoints(out) / "writing";
  fs::remove_all(aside);
  fs::create_directories(aside);
  save_checkpoint(aside, model, values, DType::kF32);
  write_safetensors(aside / "optimiser.safetensors", optimiser, {});
  write_file_atomically(
      aside / "run.json",
      json::pretty(json::object{
          {"step", state.step}, {"config_hash", state.config_hash}, {"seconds", state.seconds}}));
  fs::remove_all(folder);
  fs::rename(aside, folder);
  sync_folder(checkpoints(out));
  std::vector<fs::path> all = whole_checkpoints(out);
  for (std::size_t i = 0; i + kKept < all.size(); ++i) fs::remove_all(all[i]);
}

std::optional<SavedRun> load_latest_run(const fs::path& out) {
  const std::vector<fs::path> all = whole_checkpoints(out);
  if (all.empty()) return std::nullopt;
  const fs::path& folder = all.back();
  const json::value v = json::read(folder / "run.json");
  const json::Reader r(v, (folder / "run.json").string());
  SavedRun run;
  run.state.step = r.integer("step");
  run.state.config_hash = r.text("config_hash");
  run.state.seconds = r.number("seconds");
  run.values = load_checkpoint(folder).weights;
  run.optimiser = read_safetensors(folder / "optimiser.safetensors").map;
  return run;
}

}  // namespace tandem
