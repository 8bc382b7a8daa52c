#include "train/trainer.h"

#include <ATen/Parallel.h>
#include <chrono>
#include <cmath>
#include <deque>
#include <fmt/format.h>
#include <optional>

#include "core/error.h"
#include "core/files.h"
#include "core/threads.h"
#include "engine/torch/backend.h"
#include "model/checkpoint.h"
#include "model/clip.h"
#include "model/weights.h"
#include "train/contrastive_loss.h"
#include "train/loader.h"
#include "train/metrics.h"
#include "train/parameters.h"
#include "train/report.h"
#include "train/state.h"
#include "train/team.h"

namespace tandem {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

constexpr float kMaxLogitScale = 4.605170185988092F;  // ln 100, CLIP paper section 2.5

TensorMap first_weights(const TrainConfig& config, const std::vector<WeightSpec>& table) {
  if (config.init.empty()) return initial_weights(table, Rng(config.seed).split(0x1417));
  Checkpoint checkpoint = load_checkpoint(config.init);
  check_weights(table, checkpoint.weights, config.init.string());
  return std::move(checkpoint.weights);
}

int thread_count(const TrainConfig& config) {
  if (config.threads > 0) return config.threads;
  return std::max(1, static_cast<int>(available_threads()) / config.replicas);
}

// One thread's share of every batch: its model on the shared weights, and the features it made
// last.
struct Replica {
  Replica(TrainParameters& parameters, int number, const TrainConfig& config,
          at::ScalarType compute)
      : loader(parameters.replica(number), compute), clip(loader, config.model) {}
  TorchLoader loader;
  Clip<TorchBackend> clip;
  at::Tensor images;  // (B/replicas,E), with its graph
  at::Tensor texts;
};

// Everything a run holds while it lasts.
class Run {
 public:
  Run(const TrainConfig& config, const TrainCallbacks& callbacks)
      : config_(config),
        callbacks_(callbacks),
        total_steps_(std::max<std::int64_t>(1, config.samples / config.batch_size)),
        table_(weight_table(config.model)),
        parameters_(table_, first_weights(config, table_), config.ema > 0, config.replicas),
        compute_(config.bf16 ? at::kBFloat16 : at::kFloat),
        logit_scale_(parameters_.replica(0).get("logit_scale", at::kFloat)),
        team_(config.replicas) {
    for (int i = 0; i < config.replicas; ++i) {
      replicas_.emplace_back(parameters_, i, config, compute_);
    }
    state_.config_hash = config_hash(config);
    resume();
    metrics_.emplace(config.out / "metrics.jsonl", state_.step);
  }

  TrainEnd run() {
    if (config_.model.preprocess.resize_mode == ResizeMode::kPatches) {
      throw Error(
          Kind::kUnsupported,
          "training: pictures that vary in proportions (NaFlex) are not supported. Expected "
          "a model whose pictures are all of one size.");
    }
    const ShardSet data(config_.train, config_.cache_pictures,
                        thread_count(config_) * config_.replicas);
    callbacks_.log.info(fmt::format("{} samples, {} an epoch. {}", data.size(), data.epoch_size(),
                                    data.skipped().summary(data.size())));
    const auto tokenizer = make_clip_tokenizer(read_text_file(config_.vocabulary),
                                               {.context_length = config_.model.text.context_length,
                                                .vocab_size = config_.model.text.vocab_size,
                                                .stop_at_end_of_text = config_.model.text.causal});
    BatchLoader batches(data, *tokenizer, config_, state_.step);
    begin_ = saved_ = reported_ = Clock::now();
    reported_step_ = state_.step;
    while (state_.step < total_steps_) {
      one_step(batches);
      const bool stop = callbacks_.stop != nullptr && callbacks_.stop->load();
      if (state_.step % config_.validate_steps == 0 && state_.step < total_steps_) validate();
      if (stop || checkpoint_due()) save();
      if (stop) return TrainEnd::kStopped;
    }
    validate();
    save();
    export_model(config_.out / "model");
    return TrainEnd::kFinished;
  }

 private:
  void resume() {
    const auto saved = load_latest_run(config_.out);
    if (!saved) return;
    if (saved->state.config_hash != state_.config_hash) {
      throw Error(Kind::kInput,
                  fmt::format("{}: holds a run of another config. Use another \"out\", or move it "
                              "away to begin anew.",
                              config_.out.string()));
    }
    parameters_.restore(saved->values, saved->optimiser);
    state_ = saved->state;
    earlier_seconds_ = state_.seconds;
    callbacks_.log.info(fmt::format("going on from step {}", state_.step));
  }

  void one_step(BatchLoader& batches) {
    const Clock::time_point asked = Clock::now();
    const TrainBatch batch = batches.next();
    waited_ += seconds_since(asked);
    parameters_.zero_grad();
    const double value = forward_backward(batch);
    const double lr = learning_rate(config_.schedule, state_.step, total_steps_);
    const double norm =
        parameters_.step(adamw(lr), config_.grad_clip, thread_count(config_) * config_.replicas);
    parameters_.clamp("logit_scale", 0, kMaxLogitScale);
    ++state_.step;
    if (!std::isfinite(value)) {
      throw Error(Kind::kInput, fmt::format("step {}: the loss is {}. Lower the learning rate.",
                                            state_.step, value));
    }
    if (state_.step % config_.log_steps == 0) report(value, lr, norm);
  }

  // Every replica embeds its part; the loss sees the whole batch; every replica takes its gradients
  // back through its part. Returns the loss.
  double forward_backward(const TrainBatch& batch) {
    team_.run([&](int i) { embed_part(batch, i); });
    std::vector<at::Tensor> images;
    std::vector<at::Tensor> texts;
    for (const Replica& r : replicas_) {
      images.push_back(r.images.detach().requires_grad_());
      texts.push_back(r.texts.detach().requires_grad_());
    }
    const at::Tensor loss = contrastive_loss(at::cat(images), at::cat(texts), logit_scale_,
                                             batch.groups, config_.equal_groups);
    loss.backward();
    team_.run([&](int i) {
      replicas_[i].images.backward(images[i].grad());
      replicas_[i].texts.backward(texts[i].grad());
      replicas_[i].images.reset();
      replicas_[i].texts.reset();
    });
    return loss.item<float>();
  }

  void embed_part(const TrainBatch& batch, int i) {
    at::set_num_threads(thread_count(config_));  // a setting of each thread
    const int count = batch.pixels.count / config_.replicas;
    const PixelBatch pixels = batch.pixels.part(count * i, count * (i + 1));
    TokenBatch tokens;
    for (int t = count * i; t < count * (i + 1); ++t) {
      const std::size_t begin = batch.tokens.offsets[t];
      tokens.add(std::span(batch.tokens.ids).subspan(begin, batch.tokens.offsets[t + 1] - begin));
    }
    TorchBackend backend(config_.model.preprocess, {.compute = compute_, .training = true});
    TrainingPass pass{Rng(config_.seed + 2).split(state_.step).split(i)};
    replicas_[i].images = replicas_[i].clip.image().run(backend, pixels, &pass).to(at::kFloat);
    replicas_[i].texts = replicas_[i].clip.text().run(backend, tokens).to(at::kFloat);
  }

  AdamWStep adamw(double lr) const {
    AdamWStep s;
    s.lr = lr;
    s.beta1 = config_.optimiser.beta1;
    s.beta2 = config_.optimiser.beta2;
    s.eps = config_.optimiser.eps;
    s.weight_decay = config_.optimiser.weight_decay;
    s.step = state_.step + 1;
    // The average forgets the first steps faster, else it would begin as the random weights.
    s.average_decay = std::min(config_.ema, (1.0 + s.step) / (10.0 + s.step));
    return s;
  }

  void report(double loss, double lr, double norm) {
    StepReport r;
    r.step = state_.step;
    r.samples = state_.step * config_.batch_size;
    r.loss = loss;
    r.lr = lr;
    r.scale = std::exp(logit_scale_.item<float>());
    r.grad_norm = norm;
    const double seconds = seconds_since(reported_);
    r.samples_per_second =
        static_cast<double>((state_.step - reported_step_) * config_.batch_size) / seconds;
    r.wait_share = waited_ / seconds;
    reported_ = Clock::now();
    reported_step_ = state_.step;
    waited_ = 0;
    metrics_->add(r);
    if (callbacks_.on_step) callbacks_.on_step(r);
  }

  Checkpoint model() const {
    Checkpoint c;
    c.name = "training";
    c.config = config_.model;
    c.weights = parameters_.keeps_average() ? parameters_.averages() : parameters_.values();
    return c;
  }

  void validate() {
    if (!callbacks_.validate) return;
    const auto encoder = make_torch_encoder(
        model(), {.precision = config_.bf16 ? Precision::kBf16 : Precision::kFp32});
    ValidationPoint p{state_.step, state_.step * config_.batch_size, callbacks_.validate(*encoder)};
    metrics_->add(p);
    write_file_atomically(config_.out / "report.html",
                          html_report(config_, metrics_->steps(), metrics_->validations()));
    reported_ = Clock::now();
    reported_step_ = state_.step;
    waited_ = 0;
  }

  bool checkpoint_due() const {
    return state_.step % config_.checkpoint_steps == 0 ||
           seconds_since(saved_) >= config_.checkpoint_seconds;
  }

  void save() {
    state_.seconds = earlier_seconds_ + seconds_since(begin_);
    save_run(config_.out, state_, config_.model, parameters_.values(), parameters_.moments());
    saved_ = Clock::now();
  }

  void export_model(const std::filesystem::path& folder) const {
    std::filesystem::create_directories(folder);
    save_checkpoint(folder, config_.model, model().weights, DType::kF16,
                    {{"training_steps", std::to_string(state_.step)}});
  }

  const TrainConfig& config_;
  const TrainCallbacks& callbacks_;
  std::int64_t total_steps_;
  std::vector<WeightSpec> table_;
  TrainParameters parameters_;
  at::ScalarType compute_;
  at::Tensor logit_scale_;
  std::deque<Replica> replicas_;
  Team team_;
  RunState state_;
  std::optional<MetricsLog> metrics_;
  double earlier_seconds_ = 0;
  double waited_ = 0;
  std::int64_t reported_step_ = 0;
  Clock::time_point begin_, saved_, reported_;
};

}  // namespace

TrainEnd run_training(const TrainConfig& config, const TrainCallbacks& callbacks) {
  std::filesystem::create_directories(config.out);
  at::set_num_threads(thread_count(config));
  return Run(config, callbacks).run();
}

}  // namespace tandem
