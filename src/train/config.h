// A training run as a person writes it: JSON, unknown keys refused.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "model/config.h"
#include "train/augment.h"
#include "train/captions.h"
#include "train/contrastive.h"
#include "train/schedule.h"
#include "train/shard_set.h"

namespace tandem {

struct AdamWConfig {
  double beta1 = 0.9;
  double beta2 = 0.98;  // open_clip's defaults for ViT: 0.98 and 1e-6
  double eps = 1e-6;
  double weight_decay = 0.2;
};

struct TrainConfig {
  ModelConfig model;
  std::filesystem::path vocabulary = "assets/vocab/bpe_simple_vocab_16e6.txt";
  std::filesystem::path init;  // a checkpoint to start from; empty: fresh weights
  std::filesystem::path out = "runs/train";

  std::vector<ShardSource> train;
  std::map<std::string, std::vector<std::string>> validation;  // name -> shards
  bool cache_pictures = false;  // decode once and keep (width*height*4 bytes a picture)
  CaptionConfig captions;
  AugmentConfig augment;

  int batch_size = 256;
  std::int64_t samples = 0;  // how many pairs to see, in all
  ScheduleConfig schedule;
  AdamWConfig optimiser;
  double grad_clip = 0;  // largest norm of all gradients; 0: none
  double ema = 0;        // decay a step of the averaged weights; 0: none
  EqualGroups equal_groups = EqualGroups::kMasked;
  bool bf16 = false;
  std::uint64_t seed = 0;
  // Parts of a batch computed at the same time, each on `threads` threads and with batch norm
  // statistics of its own, as in data-parallel training. Two replicas of one thread beat one of
  // two: nothing waits inside a step.
  int replicas = 1;
  int threads = 0;         // of a replica's matrix products; 0: the cores shared out
  int loader_threads = 1;  // of decoding and augmentation; the numbers do not depend on it
  std::int64_t log_steps = 20;
  std::int64_t checkpoint_steps = 1000;
  double checkpoint_seconds = 600;
  std::int64_t validate_steps = 1000;

  json::value source;  // as read, for the checkpoint and the report
};

// `where` names the file in messages. Throws kInput for unknown keys (with the closest known one)
// and impossible values, kCorrupt for wrong types.
TrainConfig parse_train_config(const json::value& v, const std::string& where);
TrainConfig read_train_config(const std::filesystem::path& path);

// What a resumed run must share with the one it continues: everything that changes the weights but
// the length and shape of the schedule.
std::string config_hash(const TrainConfig& config);

}  // namespace tandem
