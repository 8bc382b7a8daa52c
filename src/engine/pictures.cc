#include "engine/pictures.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/files.h"
#include "core/sha256.h"
#include "engine/model.h"
#include "preprocess/transform.h"

namespace tandem {
namespace {

// Encoded files larger than this are refused before they are read; the decoder bounds the pixels.
constexpr std::size_t kMaxFileBytes = std::size_t{1} << 28;

// One picture on its way: written by one worker, then read by the computing thread.
struct Slot {
  PictureRow row;
  PictureSize size;
  std::vector<std::uint8_t> pixels;  // (height,width,3) of `size`
  bool done = false;
};

// A ring of slots between the workers, who claim pictures in order, and the computing thread, who
// takes them in order.
class Pipeline {
 public:
  Pipeline(const Model::Rep& model, const PictureSource& source, const PictureOptions& options)
      : model_(model),
        source_(source),
        options_(options),
        slots_(std::min(source.count, 3 * options.batch)) {
    const auto workers = std::min(static_cast<std::size_t>(model.threads), source.count);
    for (std::size_t i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
  }

  ~Pipeline() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  // The next `count` slots, once all are done. They stay this thread's until release().
  std::vector<Slot*> take(std::size_t count) {
    std::unique_lock lock(mutex_);
    std::vector<Slot*> taken;
    for (std::size_t i = 0; i < count; ++i) {
      auto& slot = slots_[(released_ + i) % slots_.size()];
      changed_.wait(lock, [&] { return slot.done; });
      taken.push_back(&slot);
    }
    return taken;
  }

  void release(std::size_t count) {
    {
      const std::lock_guard lock(mutex_);
      for (std::size_t i = 0; i < count; ++i) slots_[(released_ + i) % slots_.size()].done = false;
      released_ += count;
    }
    changed_.notify_all();
  }

 private:
  void work() {
    while (true) {
      std::size_t index = 0;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] {
          return closed_ || next_ == source_.count || next_ < released_ + slots_.size();
        });
        if (closed_ || next_ == source_.count) return;
        index = next_++;
      }
      auto& slot = slots_[index % slots_.size()];
      prepare(index, slot);
      {
        const std::lock_guard lock(mutex_);
        slot.done = true;
      }
      changed_.notify_all();
    }
  }

  // A thread's edge: nothing may escape, so every failure becomes the row's own.
  void prepare(std::size_t index, Slot& slot) const {
    slot.row = PictureRow{.index = index};
    try {
      fill(index, slot);
    } catch (const Error& e) {
      slot.row.error = e;
    } catch (const std::exception& e) {
      slot.row.error = Error(Kind::kInternal, source_.name(index) + ": " + e.what());
    }
  }

  void fill(std::size_t index, Slot& slot) const {
    const auto bytes = source_.read(index);
    if (options_.hash || options_.known) slot.row.sha256 = hex(sha256(bytes));
    if (options_.facts) slot.row.facts = picture_facts(bytes);
    if (options_.known && options_.known(slot.row.sha256)) {
      slot.row.known = true;
      return;
    }
    const auto image = decode_image(bytes, source_.name(index), model_.decode);
    const PictureSize shown = shown_size(image);
    slot.row.width = shown.width;
    slot.row.height = shown.height;
    const auto& config = model_.checkpoint.config.preprocess;
    slot.size = input_size(shown, config);
    slot.pixels.resize(slot.size.bytes());
    transform_image(image, config, slot.pixels);
  }

  const Model::Rep& model_;
  const PictureSource& source_;
  const PictureOptions& options_;
  std::vector<Slot> slots_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t next_ = 0;      // first picture no worker has claimed
  std::size_t released_ = 0;  // first picture not yet given back
  bool closed_ = false;
};

// Vectors of those slots that hold pixels, in order.
Matrix encode(const Model::Rep& model, std::span<Slot* const> slots) {
  const PreprocessConfig& config = model.checkpoint.config.preprocess;
  PixelBatch batch;
  batch.size_px = config.size_px;
  for (const auto* slot : slots) {
    if (slot->row.error || slot->row.known) continue;
    batch.pixels.insert(batch.pixels.end(), slot->pixels.begin(), slot->pixels.end());
    if (config.resize_mode == ResizeMode::kPatches) batch.sizes.push_back(slot->size);
    ++batch.count;
  }
  return batch.count == 0 ? Matrix() : model.encoder->encode_images(batch);
}

}  // namespace

PictureSource picture_files(std::vector<std::filesystem::path> paths) {
  PictureSource source;
  source.count = paths.size();
  const auto shared = std::make_shared<const std::vector<std::filesystem::path>>(std::move(paths));
  source.name = [shared](std::size_t i) { return (*shared)[i].string(); };
  source.read = [shared](std::size_t i) { return read_file((*shared)[i], kMaxFileBytes); };
  return source;
}

PixelBatch read_picture(const Model& model, const PictureSource& source, std::size_t i) {
  const auto image = decode_image(source.read(i), source.name(i), model.rep().decode);
  return model_input(image, model.rep().checkpoint.config.preprocess);
}

std::size_t embed_pictures(const Model& model, const PictureSource& source,
                           const PictureOptions& options,
                           const std::function<void(const PictureRow&)>& row) {
  if (source.count == 0) return 0;
  Pipeline pipeline(model.rep(), source, options);
  std::size_t given = 0;
  while (given < source.count && !(options.stop && options.stop())) {
    const auto count = std::min(options.batch, source.count - given);
    const auto slots = pipeline.take(count);
    const auto vectors = encode(model.rep(), slots);
    std::size_t next = 0;
    for (auto* slot : slots) {
      if (!slot->row.error && !slot->row.known) slot->row.vector = vectors.row(next++);
      row(slot->row);
    }
    pipeline.release(count);
    given += count;
  }
  return given;
}

}  // namespace tandem
