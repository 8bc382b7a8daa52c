#include "serve/batcher.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "engine/model.h"

namespace tandem::serve {
namespace {

enum class What { kTexts, kPictures };

// Of a caller that gives more than fits into the queue: it waits for a part before it gives the
// next.
constexpr std::size_t kPartTexts = 256;
// After a batch its callers are answered and the same clients ask anew: haste would compute for the
// first of them alone, and the others by halves. So the next batch is gathered as long as requests
// keep coming, a small share of the time that the last one took.
constexpr std::chrono::microseconds kGatherStep{500};
constexpr std::chrono::milliseconds kGatherMost{5};
constexpr double kGatherShare = 1.0 / 16;

struct Entry {
  enum class State { kWaiting, kRunning, kDone, kLate };
  What what = What::kTexts;
  TokenBatch tokens;
  const PixelBatch* pictures = nullptr;  // [count), the caller's
  std::size_t count = 0;
  std::size_t cost = 0;  // tokens or pictures
  Clock::time_point since;
  Clock::time_point deadline;
  State state = State::kWaiting;
  Matrix result;
  std::exception_ptr error;
  std::condition_variable changed;
};

PixelBatch joined(const std::vector<Entry*>& batch) {
  PixelBatch all;
  for (const auto* entry : batch) {
    for (std::size_t i = 0; i < entry->count; ++i) {
      const auto& one = entry->pictures[i];
      all.size_px = one.size_px;
      all.count += one.count;
      all.pixels.insert(all.pixels.end(), one.pixels.begin(), one.pixels.end());
      all.sizes.insert(all.sizes.end(), one.sizes.begin(), one.sizes.end());
    }
  }
  return all;
}

TokenBatch joined_texts(const std::vector<Entry*>& batch) {
  TokenBatch all;
  for (const auto* entry : batch) {
    const auto& offsets = entry->tokens.offsets;
    for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
      const auto begin = static_cast<std::size_t>(offsets[i]);
      const auto end = static_cast<std::size_t>(offsets[i + 1]);
      all.add(std::span(entry->tokens.ids).subspan(begin, end - begin));
    }
  }
  return all;
}

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// How much fits into batch_time, by the batches so far.
class Pace {
 public:
  Pace(std::size_t least, std::size_t most) : least_(least), most_(most) {}
  void learn(std::size_t cost, double seconds) {
    const double now = static_cast<double>(cost) / std::max(seconds, 1e-6);
    // Small batches run slower than large ones: the best that was seen fades slowly.
    per_s_ = now > per_s_ ? now : 0.95 * per_s_ + 0.05 * now;
  }
  std::size_t most(std::chrono::milliseconds time) const {
    if (per_s_ == 0) return most_;
    const double fits = per_s_ * static_cast<double>(time.count()) / 1e3;
    return std::clamp(static_cast<std::size_t>(fits), least_, most_);
  }

 private:
  std::size_t least_;
  std::size_t most_;
  double per_s_ = 0;
};

}  // namespace

struct Batcher::Rep {
  Rep(Model the_model, const BatcherOptions& the_options, Metrics& metrics)
      : model(std::move(the_model)),
        options(the_options),
        waiting_level(metrics.level("tandem_queue_waiting", "Texts and pictures in the queue.")),
        late(metrics.counter("tandem_queue_late_total",
                             "Requests whose deadline passed in the queue.")),
        refused(
            metrics.counter("tandem_queue_refused_total", "Requests that found the queue full.")),
        queue_seconds(
            metrics.seconds("tandem_stage_seconds", "Time a stage took.", "stage=\"queue\"")),
        tokenize_seconds(
            metrics.seconds("tandem_stage_seconds", "Time a stage took.", "stage=\"tokenize\"")),
        compute_seconds(
            metrics.seconds("tandem_stage_seconds", "Time a stage took.", "stage=\"compute\"")),
        text_sizes(metrics.sizes("tandem_batch_size", "Items computed at once.", "kind=\"text\"")),
        picture_sizes(
            metrics.sizes("tandem_batch_size", "Items computed at once.", "kind=\"picture\"")),
        text_pace(256, the_options.max_tokens),
        picture_pace(1, the_options.max_pictures),
        thread([this] { live(); }) {}

  ~Rep() {
    {
      const std::lock_guard lock(mutex);
      closing = true;
    }
    some.notify_one();
    thread.join();
  }

  // Waits until `entry` is computed.
  void run(Entry& entry) {
    std::unique_lock lock(mutex);
    if (waiting > 0 && waiting + entry.count > options.max_waiting) {
      refused.add();
      throw HttpError(429, "overloaded", "too many texts and pictures are waiting", {}, 1);
    }
    entry.since = Clock::now();
    queue.push_back(&entry);
    add_waiting(static_cast<std::int64_t>(entry.count));
    some.notify_one();
    const auto moved = [&] { return entry.state != Entry::State::kWaiting; };
    if (!entry.changed.wait_until(lock, entry.deadline, moved)) {
      queue.erase(std::find(queue.begin(), queue.end(), &entry));
      add_waiting(-static_cast<std::int64_t>(entry.count));
      entry.state = Entry::State::kLate;
    }
    entry.changed.wait(lock, [&] { return entry.state != Entry::State::kRunning; });
    if (entry.state == Entry::State::kLate) {
      late.add();
      throw HttpError(503, "deadline_passed", "its turn did not come in time", {}, 1);
    }
    if (entry.error) std::rethrow_exception(entry.error);
  }

  void live() {
    std::unique_lock lock(mutex);
    double last_s = 0;  // the batch before took so long
    while (true) {
      gather(lock, last_s);
      some.wait(lock, [&] { return closing || !queue.empty(); });
      if (queue.empty()) return;
      const auto batch = next_batch();
      if (batch.empty()) continue;
      lock.unlock();
      const auto begin = Clock::now();
      compute(batch);
      last_s = seconds_since(begin);
      lock.lock();
      for (auto* entry : batch) {
        entry->state = Entry::State::kDone;
        entry->changed.notify_one();
      }
    }
  }

  // Waits while more comes, or until something does.
  void gather(std::unique_lock<std::mutex>& lock, double last_s) const {
    const auto share = std::chrono::duration<double>(last_s * kGatherShare);
    const auto most = std::min(std::chrono::duration_cast<Clock::duration>(share),
                               std::chrono::duration_cast<Clock::duration>(kGatherMost));
    const auto end = Clock::now() + most;
    while (!closing && Clock::now() + kGatherStep <= end) {
      const auto before = waiting;
      lock.unlock();
      std::this_thread::sleep_for(kGatherStep);
      lock.lock();
      if (waiting > 0 && waiting == before) return;
    }
  }

  // The first of the queue and those of its kind behind it that fit. Requires: the lock.
  std::vector<Entry*> next_batch() {
    std::vector<Entry*> batch;
    std::size_t cost = 0;
    bool full = false;
    const auto now = Clock::now();
    const auto take = [&](Entry* entry) {
      if (entry->deadline < now) {
        entry->state = Entry::State::kLate;
        entry->changed.notify_one();
        return true;
      }
      if (!batch.empty() && entry->what != batch.front()->what) return false;
      full = full || (!batch.empty() && cost + entry->cost > most(entry->what));
      if (full) return false;
      batch.push_back(entry);
      cost += entry->cost;
      entry->state = Entry::State::kRunning;
      queue_seconds.observe(std::chrono::duration<double>(now - entry->since).count());
      return true;
    };
    std::deque<Entry*> rest;
    std::int64_t gone = 0;
    for (auto* entry : queue) {
      const auto count = static_cast<std::int64_t>(entry->count);
      if (take(entry)) {
        gone += count;
      } else {
        rest.push_back(entry);
      }
    }
    queue.swap(rest);
    add_waiting(-gone);
    return batch;
  }

  std::size_t most(What what) const {
    return (what == What::kTexts ? text_pace : picture_pace).most(options.batch_time);
  }

  void add_waiting(std::int64_t by) {
    waiting = static_cast<std::size_t>(static_cast<std::int64_t>(waiting) + by);
    waiting_level.add(by);
  }

  void compute(const std::vector<Entry*>& batch) {
    try {
      give(batch, vectors(batch));
    } catch (...) {
      if (batch.size() == 1) {
        batch.front()->error = std::current_exception();
        return;
      }
      // One of them spoils it for all: each by itself.
      for (auto* entry : batch) compute({entry});
    }
  }

  Matrix vectors(const std::vector<Entry*>& batch) {
    const auto begin = Clock::now();
    const bool texts = batch.front()->what == What::kTexts;
    std::size_t count = 0;
    std::size_t cost = 0;
    for (const auto* entry : batch) {
      count += entry->count;
      cost += entry->cost;
    }
    const auto& encoder = *model.rep().encoder;
    auto out =
        texts ? encoder.encode_texts(joined_texts(batch)) : encoder.encode_images(joined(batch));
    const double seconds = seconds_since(begin);
    compute_seconds.observe(seconds);
    (texts ? text_sizes : picture_sizes).observe(static_cast<double>(count));
    (texts ? text_pace : picture_pace).learn(cost, seconds);
    return out;
  }

  static void give(const std::vector<Entry*>& batch, const Matrix& vectors) {
    std::size_t row = 0;
    for (auto* entry : batch) {
      entry->result = Matrix(entry->count, vectors.cols);
      const auto begin = vectors.values.begin() + static_cast<std::ptrdiff_t>(row * vectors.cols);
      std::copy_n(begin, entry->result.values.size(), entry->result.values.begin());
      row += entry->count;
    }
  }

  Model model;
  BatcherOptions options;
  Gauge& waiting_level;
  Counter& late;
  Counter& refused;
  Histogram& queue_seconds;
  Histogram& tokenize_seconds;
  Histogram& compute_seconds;
  Histogram& text_sizes;
  Histogram& picture_sizes;
  Pace text_pace;     // of the thread that computes
  Pace picture_pace;  // the same

  mutable std::mutex mutex;
  std::condition_variable some;
  std::deque<Entry*> queue;  // each on its caller's stack
  std::size_t waiting = 0;   // texts and pictures in it
  bool closing = false;
  std::thread thread;
};

Batcher::Batcher(Model model, const BatcherOptions& options, Metrics& metrics)
    : rep_(std::make_unique<Rep>(std::move(model), options, metrics)) {}

Batcher::~Batcher() = default;

Matrix Batcher::texts(const std::vector<std::string>& texts, Clock::time_point deadline) {
  const auto& rep = rep_->model.rep();
  Matrix out(texts.size(), static_cast<std::size_t>(rep_->model.width()));
  const auto part = std::min(kPartTexts, std::max<std::size_t>(1, rep_->options.max_waiting / 4));
  for (std::size_t begin = 0; begin < texts.size(); begin += part) {
    Entry entry;
    entry.count = std::min(part, texts.size() - begin);
    entry.deadline = deadline;
    const auto began = Clock::now();
    for (std::size_t i = begin; i < begin + entry.count; ++i) {
      entry.tokens.add(rep.tokenizer->encode(texts[i]));
    }
    rep_->tokenize_seconds.observe(seconds_since(began));
    check_texts(rep.checkpoint.config, entry.tokens);
    entry.cost = entry.tokens.ids.size();
    rep_->run(entry);
    std::copy(entry.result.values.begin(), entry.result.values.end(), out.row(begin).begin());
  }
  return out;
}

Matrix Batcher::pictures(const std::vector<PixelBatch>& pictures, Clock::time_point deadline) {
  Matrix out(pictures.size(), static_cast<std::size_t>(rep_->model.width()));
  const auto part =
      std::max<std::size_t>(1, std::min(rep_->options.max_pictures, rep_->options.max_waiting / 4));
  for (std::size_t begin = 0; begin < pictures.size(); begin += part) {
    Entry entry;
    entry.what = What::kPictures;
    entry.pictures = pictures.data() + begin;
    entry.count = std::min(part, pictures.size() - begin);
    entry.cost = entry.count;
    entry.deadline = deadline;
    for (std::size_t i = 0; i < entry.count; ++i) {
      check_pictures(rep_->model.rep().checkpoint.config, entry.pictures[i]);
    }
    rep_->run(entry);
    std::copy(entry.result.values.begin(), entry.result.values.end(), out.row(begin).begin());
  }
  return out;
}

std::size_t Batcher::waiting() const {
  const std::lock_guard lock(rep_->mutex);
  return rep_->waiting;
}

}  // namespace tandem::serve
