#include "serve/service.h"

#include <algorithm>
#include <atomic>
#include <fmt/format.h>
#include <mutex>
#include <thread>

#include "tandem/error.h"

#include "core/files.h"
#include "core/sha256.h"
#include "core/threads.h"
#include "engine/model.h"
#include "serve/picture_source.h"
#include "serve/preview_cache.h"

namespace tandem::serve {
namespace {

// Source: reliability.md section 2.
constexpr std::size_t kMostTextBytes = 64 << 10;
constexpr std::size_t kPreviewCacheBytes = std::size_t{64} << 20;
// Pictures of this machine's owner may be larger than what strangers send.
constexpr std::size_t kMostStoredBytes = std::size_t{256} << 20;
constexpr std::int64_t kMostStoredPixels = 89'478'485;
// How often a collection is asked whether it was re-embedded.
constexpr std::chrono::seconds kBetweenLooks{1};

// "pictures" of dir/pictures.tandem/ and of pgvector://host/db/pictures?x=y.
std::string name_of(const std::string& location) {
  auto text =
      location.substr(0, is_database(location) ? location.find_first_of("?#") : location.size());
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  if (!is_database(location)) {
    std::error_code ignored;
    const auto whole = std::filesystem::absolute(text, ignored);
    const auto name = whole.filename();
    return name.extension() == ".tandem" ? name.stem().string() : name.string();
  }
  return text.substr(text.rfind('/') + 1);
}

// Each stage of a request waits anew, as long as the whole may wait in one: a request of many parts
// is slow, not late.
Clock::time_point stage_deadline(const Request& request) {
  return Clock::now() + (request.deadline - request.received);
}

struct ShelfState {
  std::shared_ptr<const Shelf> shelf;
  Clock::time_point looked;
};

}  // namespace

struct Service::Rep {
  explicit Rep(ServiceOptions the_options)
      : options(std::move(the_options)),
        decoders(options.decoders),
        previews(kPreviewCacheBytes),
        decode_seconds(
            metrics.seconds("tandem_stage_seconds", "Time a stage took.", "stage=\"decode\"")) {
    metrics.gauge(
        "tandem_decoder_crashes", "Decoding processes that died and were replaced.",
        [](const void* of) {
          return static_cast<double>(static_cast<const Decoders*>(of)->crashes());
        },
        &decoders);
    for (const auto& name : options.models) add_model(options.load_model(name));
    for (const auto& location : options.collections) add_shelf(location);
    calibrator = std::thread([this] { calibrate_shelves(); });
  }

  ~Rep() {
    stopping = true;
    calibrator.join();
  }

  std::shared_ptr<const ServedModel> add_model(Model model) {
    auto fingerprint = model.fingerprint();
    const std::lock_guard lock(mutex);
    for (const auto& known : models) {
      if (known->fingerprint == fingerprint) return known;
    }
    auto name = model.name();
    const auto same_name = [&](const auto& known) { return known->name == name; };
    // Two builds of one name: the later one is known by its fingerprint too.
    if (std::any_of(models.begin(), models.end(), same_name))
      name += "@" + fingerprint.substr(0, 8);
    auto templates =
        options.templates_of ? options.templates_of(model) : std::vector<std::string>{};
    auto batcher = std::make_unique<Batcher>(model, options.batcher, metrics);
    models.push_back(std::make_shared<const ServedModel>(ServedModel{
        name, std::move(model), std::move(fingerprint), std::move(templates), std::move(batcher)}));
    return models.back();
  }

  // The model that made a collection, loaded by now.
  std::shared_ptr<const ServedModel> model_for(const StoreMeta& meta, const std::string& location) {
    {
      const std::lock_guard lock(mutex);
      for (const auto& known : models) {
        if (known->fingerprint == meta.fingerprint) return known;
      }
    }
    auto model = options.load_model(meta.model_name);
    if (model.fingerprint() != meta.fingerprint) {
      throw Error(Kind::kInput,
                  fmt::format("{} was made with {} {}, and the model of that name is {} now. "
                              "Expected the same weights: give them with --model, or index anew.",
                              location, meta.model_name, meta.fingerprint.substr(0, 12),
                              model.fingerprint().substr(0, 12)));
    }
    return add_model(std::move(model));
  }

  void add_shelf(const std::string& location) {
    Shelf shelf;
    shelf.name = free_name(name_of(location));
    shelf.location = location;
    shelf.store = open_store(location, OpenMode::kRead, {});
    const auto meta = shelf.store->meta();
    shelf.model = model_for(meta, location);
    shelf.writable = options.writable;
    if (options.writable) {
      shelf.store.reset();
      shelf.store = open_store(location, OpenMode::kWrite, meta);
    }
    if (auto stored = stored_calibration(*shelf.store)) {
      shelf.calibration = std::make_shared<const Calibration>(*std::move(stored));
    }
    shelves.push_back({std::make_shared<const Shelf>(std::move(shelf)), Clock::now()});
  }

  std::string free_name(const std::string& wanted) const {
    std::string name = wanted;
    const auto taken = [&](const ShelfState& state) { return state.shelf->name == name; };
    for (int i = 2; std::any_of(shelves.begin(), shelves.end(), taken); ++i) {
      name = fmt::format("{}-{}", wanted, i);
    }
    return name;
  }

  // Measures what was never measured, beside the requests.
  void calibrate_shelves() {
    for (std::size_t i = 0; i < shelves.size() && !options.null_captions.empty(); ++i) {
      const auto shelf = shelf_at(i);
      if (stopping || shelf->calibration != nullptr || shelf->store->size() == 0) continue;
      try {
        replace_calibration(i, *shelf);
      } catch (const std::exception&) {
        // Without one every row is shown: the search works.
      }
    }
  }

  void replace_calibration(std::size_t i, const Shelf& shelf) {
    // By parts: requests come in between, and so does the end.
    const EmbedTexts embed = [&](const std::vector<std::string>& texts) {
      Matrix all(texts.size(), static_cast<std::size_t>(shelf.model->model.width()));
      for (std::size_t begin = 0; begin < texts.size(); begin += options.max_batch_items) {
        if (stopping) throw Error(Kind::kInternal, "stopped");
        const auto count = std::min(options.max_batch_items, texts.size() - begin);
        const auto first = texts.begin() + static_cast<std::ptrdiff_t>(begin);
        const auto part =
            shelf.model->batcher->texts({first, first + static_cast<std::ptrdiff_t>(count)},
                                        Clock::now() + std::chrono::hours(1));
        std::copy(part.values.begin(), part.values.end(), all.row(begin).begin());
      }
      return all;
    };
    // Kept in the store where that may be written; measured at every start otherwise.
    auto measured = shelf.writable
                        ? calibrate(*shelf.store, embed, options.null_captions)
                        : measure_calibration(*shelf.store, embed, options.null_captions);
    const std::lock_guard lock(mutex);
    auto& state = shelves[i];
    if (state.shelf->model != shelf.model) return;  // re-embedded meanwhile
    auto changed = *state.shelf;
    changed.calibration = std::make_shared<const Calibration>(std::move(measured));
    state.shelf = std::make_shared<const Shelf>(std::move(changed));
  }

  std::shared_ptr<const Shelf> shelf_at(std::size_t i) const {
    const std::lock_guard lock(mutex);
    return shelves[i].shelf;
  }

  // The shelf as it is, with another model when it was re-embedded.
  std::shared_ptr<const Shelf> current(std::size_t i) {
    std::shared_ptr<const Shelf> shelf;
    {
      const std::lock_guard lock(mutex);
      auto& state = shelves[i];
      shelf = state.shelf;
      if (Clock::now() - state.looked < kBetweenLooks) return shelf;
      state.looked = Clock::now();
    }
    const auto meta = shelf->store->meta();
    if (meta.fingerprint == shelf->model->fingerprint) return shelf;
    const std::lock_guard one_at_a_time(reload_mutex);
    auto changed = *shelf_at(i);
    if (meta.fingerprint != changed.model->fingerprint) {
      changed.model = model_for(meta, changed.location);
      changed.calibration = nullptr;
      if (auto stored = stored_calibration(*changed.store)) {
        changed.calibration = std::make_shared<const Calibration>(*std::move(stored));
      }
    }
    const std::lock_guard lock(mutex);
    shelves[i].shelf = std::make_shared<const Shelf>(std::move(changed));
    return shelves[i].shelf;
  }

  DecodedPicture decode(const DecodeJob& job, const Request& request) {
    const auto began = Clock::now();
    auto picture = decoders.run(job, stage_deadline(request));
    decode_seconds.observe(std::chrono::duration<double>(Clock::now() - began).count());
    return picture;
  }

  ServiceOptions options;
  Metrics metrics;
  Decoders decoders;
  PreviewCache previews;
  Histogram& decode_seconds;
  mutable std::mutex mutex;  // guards models, and what shelves hold (not how many there are)
  std::mutex reload_mutex;
  std::vector<std::shared_ptr<const ServedModel>> models;
  std::vector<ShelfState> shelves;
  std::atomic<bool> draining = false;
  std::atomic<bool> stopping = false;
  std::thread calibrator;
};

Service::Service(ServiceOptions options) : rep_(std::make_unique<Rep>(std::move(options))) {}
Service::~Service() = default;

const ServiceOptions& Service::options() const { return rep_->options; }
Metrics& Service::metrics() { return rep_->metrics; }

std::vector<std::shared_ptr<const ServedModel>> Service::models() const {
  const std::lock_guard lock(rep_->mutex);
  return rep_->models;
}

std::shared_ptr<const ServedModel> Service::model(const std::string& name) const {
  for (auto& model : models()) {
    if (name.empty() || model->name == name) return model;
  }
  throw HttpError(404, "model_not_found",
                  "no model of that name is served; GET /v1/models lists them", "model");
}

std::vector<std::shared_ptr<const Shelf>> Service::shelves() const {
  const std::lock_guard lock(rep_->mutex);
  std::vector<std::shared_ptr<const Shelf>> all;
  for (const auto& state : rep_->shelves) all.push_back(state.shelf);
  return all;
}

std::shared_ptr<const Shelf> Service::shelf(const std::string& name) {
  for (std::size_t i = 0; i < rep_->shelves.size(); ++i) {
    if (name.empty() || rep_->shelf_at(i)->name == name) return rep_->current(i);
  }
  throw HttpError(404, "collection_not_found",
                  "no collection of that name is served; GET /v1/collections lists them",
                  "collection");
}

Matrix Service::embed_texts(const ServedModel& model, const std::vector<std::string>& texts,
                            const Request& request) {
  const auto most = rep_->options.max_batch_items;
  if (texts.size() > most) {
    throw HttpError(413, "too_large", fmt::format("expected at most {} inputs", most), "input");
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].size() <= kMostTextBytes) continue;
    throw HttpError(413, "too_large",
                    fmt::format("a text may have at most {} bytes", kMostTextBytes),
                    fmt::format("input[{}]", i));
  }
  return model.batcher->texts(texts, stage_deadline(request));
}

Matrix Service::embed_pictures(const ServedModel& model, const std::vector<Picture>& pictures,
                               const Request& request) {
  const auto most = rep_->options.max_batch_items;
  if (pictures.size() > most) {
    throw HttpError(413, "too_large", fmt::format("expected at most {} inputs", most), "input");
  }
  std::vector<PixelBatch> decoded(pictures.size());
  // As many at once as there are children: more would only wait for them.
  parallel_for(pictures.size(), rep_->options.decoders.processes, [&](std::size_t i) {
    try {
      decoded[i] = decode(model, pictures[i], request).input;
    } catch (const HttpError& error) {
      throw HttpError(error.status(), error.type(), error.what(), fmt::format("input[{}]", i),
                      error.retry_after_s());
    }
  });
  return model.batcher->pictures(decoded, stage_deadline(request));
}

DecodedPicture Service::decode(const ServedModel& model, const Picture& picture,
                               const Request& request) {
  const auto most = rep_->options.max_image_bytes;
  if (picture.bytes.size() > most) {
    throw HttpError(413, "too_large", fmt::format("a picture may have at most {} bytes", most));
  }
  DecodeJob job;
  job.picture = picture.bytes;
  job.decode = model.model.rep().decode;
  job.decode.max_pixels = rep_->options.max_pixels;
  job.region = picture.region;
  if (picture.region) job.decode.short_side_px = 0;  // its pixels are those of the file
  job.input = model.model.rep().checkpoint.config.preprocess;
  return rep_->decode(job, request);
}

std::vector<std::byte> Service::preview(const Shelf& shelf, const Item& item, int side_px,
                                        const Request& request) {
  const auto key = fmt::format("{} {} {}", item.sha256, side_px, item.uri);
  if (const auto kept = rep_->previews.find(key)) return *kept;
  const HttpError gone(404, "picture_gone", "the picture's file is not there, or has changed");
  if (item.kind != ItemKind::kPicture || item.uri.find("://") != std::string::npos) throw gone;
  std::vector<std::byte> bytes;
  try {
    bytes = read_file(item.uri, kMostStoredBytes);
  } catch (const Error&) {
    throw gone;
  }
  // Items that came over HTTP name their own uri: it shows what was sent, not other files.
  if (shelf.writable && hex(sha256(bytes)) != item.sha256) throw gone;
  DecodeJob job;
  job.picture = bytes;
  job.decode.max_pixels = kMostStoredPixels;
  job.decode.short_side_px = side_px;
  job.preview_side_px = side_px;
  auto preview = std::make_shared<const std::vector<std::byte>>(rep_->decode(job, request).preview);
  rep_->previews.add(key, preview);
  return *preview;
}

std::vector<std::byte> Service::picture_bytes(const std::string& source, const Request&) {
  return picture_from(
      source, {.max_bytes = rep_->options.max_image_bytes, .fetch_urls = rep_->options.fetch_urls});
}

bool Service::ready() const { return !rep_->draining; }
void Service::drain() { rep_->draining = true; }

}  // namespace tandem::serve
