// Runs tandem_train_tool as a process, kills it without warning, and runs it again.
#include <csignal>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <spawn.h>
#include <string>
#include <sys/wait.h>
#include <thread>

#include "core/files.h"
#include "core/json.h"
#include "core/rng.h"
#include "train/test_shard.h"

extern char** environ;

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr int kSteps = 14;

// Batch norm, patchless image tower, bf16, two replicas, two loader threads, averaged weights: all
// the state there is.
std::string config_text(const fs::path& folder, const std::string& out) {
  return fmt::format(
      R"({{"out": "{0}/{1}",
  "model": {{"model_cfg": {{"embed_dim": 16,
    "vision_cfg": {{"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 32}},
    "text_cfg": {{"context_length": 16, "vocab_size": 600, "width": 32, "heads": 2, "layers": 2}}}},
    "preprocess_cfg": {{"size": 32}}}},
  "data": {{"train": [{{"shards": ["{0}/train.tar"], "weight": 1.5}}], "cache_pictures": true,
    "augment": {{"scale": [0.8, 1.1], "rotation_deg": 10, "recolour": 0.5, "ground_tint": 0.3, "jitter": 0.1}}}},
  "batch_size": 8, "samples": {2}, "schedule": {{"lr": 1e-3, "warmup_steps": 3}}, "grad_clip": 1, "ema": 0.9,
  "precision": "bf16", "replicas": 2, "threads": 1, "loader_threads": 2, "seed": 5, "log_steps": 1,
  "checkpoint_steps": 2, "validate_steps": 1000}})",
      folder.string(), out, kSteps * 8);
}

pid_t start(const fs::path& config) {
  std::string tool = TRAIN_TOOL;
  std::string path = config.string();
  char* arguments[] = {tool.data(), path.data(), nullptr};
  pid_t pid = 0;
  EXPECT_EQ(posix_spawn(&pid, tool.c_str(), nullptr, nullptr, arguments, environ), 0);
  return pid;
}

int wait_for(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return status;
}

// Step -> loss, gradient norm and learning rate as written.
std::map<std::int64_t, std::string> trace(const fs::path& metrics) {
  std::map<std::int64_t, std::string> losses;
  if (!fs::exists(metrics)) return losses;
  const std::string text = read_text_file(metrics);
  for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos;
       begin = end + 1) {
    const json::value v = json::parse(text.substr(begin, end - begin), metrics.string());
    if (const auto* loss = v.get_object().if_contains("loss")) {
      losses[v.at("step").as_int64()] =
          json::dump(*loss) + " " + json::dump(v.at("grad_norm")) + " " + json::dump(v.at("lr"));
    }
  }
  return losses;
}

class Resume : public testing::Test {
 protected:
  Resume() : folder_(fs::temp_directory_path() / fmt::format("tandem-resume-{}", ::getpid())) {
    fs::create_directories(folder_);
    write_test_shard(folder_ / "train.tar", 40);
  }
  ~Resume() override { fs::remove_all(folder_); }
  fs::path config(const std::string& out) {
    write_file_atomically(folder_ / (out + ".json"), config_text(folder_, out));
    return folder_ / (out + ".json");
  }
  fs::path folder_;
};

TEST_F(Resume, TraceAndModelAfterKillsEqualTheUninterruptedRun) {
  ASSERT_EQ(wait_for(start(config("whole"))), 0);
  const auto whole = trace(folder_ / "whole/metrics.jsonl");
  ASSERT_EQ(whole.size(), static_cast<std::size_t>(kSteps));

  Rng rng(std::random_device{}());
  const fs::path again = config("killed");
  std::size_t seen = 0;
  for (int kills = 0; kills < 3; ++kills) {
    const pid_t pid = start(again);
    const std::size_t until = std::min<std::size_t>(kSteps - 1, seen + 1 + rng.below(5));
    while (trace(folder_ / "killed/metrics.jsonl").size() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    kill(pid, SIGKILL);
    wait_for(pid);
    seen = trace(folder_ / "killed/metrics.jsonl").size();
  }
  ASSERT_EQ(wait_for(start(again)), 0);
  EXPECT_EQ(trace(folder_ / "killed/metrics.jsonl"), whole);
  EXPECT_EQ(read_file(folder_ / "killed/model/open_clip_model.safetensors"),
            read_file(folder_ / "whole/model/open_clip_model.safetensors"));
}

TEST_F(Resume, InterruptSavesAndRunningAgainFinishes) {
  const fs::path path = config("interrupted");
  const pid_t pid = start(path);
  while (trace(folder_ / "interrupted/metrics.jsonl").empty()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  kill(pid, SIGINT);
  EXPECT_EQ(wait_for(pid), 0);
  EXPECT_FALSE(fs::is_empty(folder_ / "interrupted/checkpoints"));
  EXPECT_EQ(wait_for(start(path)), 0);
  EXPECT_EQ(trace(folder_ / "interrupted/metrics.jsonl").size(), static_cast<std::size_t>(kSteps));
}

TEST_F(Resume, AnotherConfigInTheSameFolderIsRefused) {
  ASSERT_EQ(wait_for(start(config("whole"))), 0);
  std::string other = config_text(folder_, "whole");
  other.replace(other.find("\"seed\": 5"), 9, "\"seed\": 6");
  write_file_atomically(folder_ / "other.json", other);
  EXPECT_NE(wait_for(start(folder_ / "other.json")), 0);
}

}  // namespace
}  // namespace tandem
