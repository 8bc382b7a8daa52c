// Encoder on the CPU backend. A batch is cut into pieces that fit the nearest caches; with enough
// pieces each thread runs its own from end to end (nothing waits at every operation), otherwise
// threads share each operation.
#include <algorithm>
#include <cassert>
#include <cmath>
#include <fmt/format.h>
#include <memory>
#include <mutex>
#include <numeric>
#include <omp.h>
#include <optional>
#include <vector>

#include "core/error.h"
#include "core/threads.h"
#include "engine/cpu/backend.h"
#include "engine/cpu/instruction_set.h"
#include "engine/encoder.h"
#include "engine/quantize.h"
#include "model/caption.h"
#include "model/quantised.h"
#include "model/weights.h"

namespace tandem {
namespace {

static_assert(Backend<CpuBackend>);

// Rows of a piece: enough for matrix products to run at full speed, few enough that a block's
// hidden layer (rows x 3072 bf16) stays in a core's second-level cache.
constexpr int kPieceRows = 400;
// Below this many rows a thread, threads share operations instead.
constexpr int kSharedRows = 48;
// Ragged batches differ in row count: their products are rounded up to a multiple of this.
constexpr int kRaggedRowMultiple = 32;

// Restores the calling thread's OpenMP setting.
class OpenMpThreads {
 public:
  explicit OpenMpThreads(int threads) : before_(omp_get_max_threads()) {
    omp_set_num_threads(threads);
  }
  ~OpenMpThreads() { omp_set_num_threads(before_); }
  OpenMpThreads(const OpenMpThreads&) = delete;
  OpenMpThreads& operator=(const OpenMpThreads&) = delete;

 private:
  int before_;
};

// How many pieces a batch is cut into. 1: one pass that all threads share; otherwise a multiple of
// `threads`.
int piece_count(int rows, int items, int threads) {
  if (items < threads || rows < threads * kSharedRows)
    return (rows + kPieceRows * threads - 1) / (kPieceRows * threads);
  const int whole = kPieceRows * threads;
  return std::min(items, threads * std::max(1, (rows + whole / 2) / whole));
}

class CpuEncoder final : public Encoder {
 public:
  // type: of all that is not integers.
  CpuEncoder(const Checkpoint& checkpoint, Precision precision, Element type, int threads,
             const EncoderOptions& options)
      : config_(checkpoint.config),
        precision_(precision),
        type_(type),
        threads_(threads),
        merge_tokens_(options.merge_tokens),
        kernels_(best_kernels()),
        normalise_(normalise_table(checkpoint.config.preprocess)),
        weights_(checkpoint.weights) {
    if (options.captions) load_all();
  }

  Matrix encode_images(const PixelBatch& pixels) const override;
  Matrix encode_texts(const TokenBatch& tokens) const override;
  std::unique_ptr<CaptionSession> begin_caption(const PixelBatch& picture,
                                                int threads) const override;
  std::string describe() const override;

 private:
  using Towers = Clip<CpuBackend>;
  class Captions;

  // A tower is packed when it is first needed: a program that reads pictures never touches the
  // weights of texts.
  const ImageTower<CpuBackend>& image() const {
    return clip_ ? clip_->image() : tower(image_, text_);
  }
  const TextTower<CpuBackend>& text() const { return clip_ ? clip_->text() : tower(text_, image_); }
  template <typename Tower, typename Other>
  const Tower& tower(std::optional<Tower>& wanted, const std::optional<Other>& other) const;
  void load_all() {
    CpuLoader loader(weights_, config_.preprocess, type_, cache_);
    clip_.emplace(loader, config_, /*captions=*/true);
  }
  std::unique_ptr<CpuBackend> acquire() const;
  void release(std::unique_ptr<CpuBackend> backend) const;
  // Calls body(backend, piece) for every piece, on as many threads as there are pieces to share.
  template <typename Body>
  void run_pieces(std::size_t pieces, int row_multiple, const Body& body) const;
  int rows_an_image() const {
    if (config_.vision.family == VisionFamily::kNaflex) return config_.preprocess.max_patches;
    return config_.vision.grid() * config_.vision.grid() * (config_.vision.is_resnet() ? 4 : 1) + 1;
  }

  ModelConfig config_;
  Precision precision_;
  Element type_;
  int threads_;
  int merge_tokens_;
  const Kernels& kernels_;
  NormaliseTable normalise_;
  mutable PrimitiveCache cache_;
  std::optional<Towers> clip_;  // for captions: everything
  mutable std::mutex load_mutex_;
  mutable TensorMap weights_;  // until both towers are packed
  mutable std::optional<ImageTower<CpuBackend>> image_;
  mutable std::optional<TextTower<CpuBackend>> text_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<CpuBackend>> idle_;
};

template <typename Tower, typename Other>
const Tower& CpuEncoder::tower(std::optional<Tower>& wanted,
                               const std::optional<Other>& other) const {
  const std::lock_guard lock(load_mutex_);
  if (wanted) return *wanted;
  const OpenMpThreads setting(threads_);
  CpuLoader loader(weights_, config_.preprocess, type_, cache_);
  wanted.emplace(loader, config_);
  if (other) weights_ = {};
  return *wanted;
}

std::unique_ptr<CpuBackend> CpuEncoder::acquire() const {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto backend = std::move(idle_.back());
      idle_.pop_back();
      return backend;
    }
  }
  return std::make_unique<CpuBackend>(cache_, normalise_, kernels_, type_);
}

void CpuEncoder::release(std::unique_ptr<CpuBackend> backend) const {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(backend));
}

template <typename Body>
void CpuEncoder::run_pieces(std::size_t pieces, int row_multiple, const Body& body) const {
  const int workers = static_cast<int>(pieces) >= threads_ ? threads_ : 1;
  const int inner = threads_ / workers;
  const auto run = [&](std::size_t piece) {
    const OpenMpThreads setting(inner);
    auto backend = acquire();
    backend->prepare(inner, row_multiple);
    body(*backend, piece);
    release(std::move(backend));
  };
  parallel_for(pieces, workers, run);
}

Matrix CpuEncoder::encode_images(const PixelBatch& pixels) const {
  check_pictures(config_, pixels);
  Matrix out(pixels.count, config_.embed_dim);
  if (pixels.count == 0) return out;
  const std::size_t pieces = piece_count(pixels.count * rows_an_image(), pixels.count, threads_);
  const ImageTower<CpuBackend>& tower = image();
  const int row_multiple = pixels.sizes.empty() ? 1 : kRaggedRowMultiple;
  run_pieces(pieces, row_multiple, [&](CpuBackend& backend, std::size_t piece) {
    const std::size_t begin = pixels.count * piece / pieces;
    const std::size_t end = pixels.count * (piece + 1) / pieces;
    const PixelBatch part = pixels.part(static_cast<int>(begin), static_cast<int>(end));
    const auto vectors = merge_tokens_ > 0 ? tower.vit()->run_merged(backend, part, merge_tokens_)
                                           : tower.run(backend, part);
    backend.unit_rows(vectors, out.row(begin).data());
  });
  return out;
}

Matrix CpuEncoder::encode_texts(const TokenBatch& tokens) const {
  check_texts(config_, tokens);
  const int count = tokens.count();
  Matrix out(count, config_.embed_dim);
  if (count == 0) return out;
  const auto length = [&](int i) { return tokens.offsets[i + 1] - tokens.offsets[i]; };
  std::vector<int> order(count);
  std::iota(order.begin(), order.end(), 0);
  const auto ids = [&](int i) {
    return std::span(tokens.ids).subspan(tokens.offsets[i], length(i));
  };
  // Neighbours share the rows of their common beginning.
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return std::ranges::lexicographical_compare(ids(a), ids(b));
  });
  TokenBatch sorted;
  for (const int i : order) sorted.add(ids(i));
  const Segments shared = share_prefixes(sorted);
  const int rows = shared.rows();
  const std::size_t pieces = piece_count(rows, count, threads_);
  // Piece p takes the texts whose first row, in this order, falls into its share of the rows.
  std::vector<int> first(pieces + 1, count);
  first[0] = 0;
  std::int64_t row = 0;
  std::size_t piece = 0;
  for (int i = 0; i < count; ++i) {
    while (piece < static_cast<std::size_t>(row) * pieces / rows) first[++piece] = i;
    row += shared.offsets[i + 1] - shared.offsets[i];
  }
  const TextTower<CpuBackend>& tower = text();
  run_pieces(pieces, kRaggedRowMultiple, [&](CpuBackend& backend, std::size_t p) {
    if (first[p] == first[p + 1]) return;
    TokenBatch part;
    for (int i = first[p]; i < first[p + 1]; ++i) {
      part.add(ids(order[i]));
    }
    Matrix vectors(part.count(), out.cols);
    backend.unit_rows(tower.run_shared(backend, part), vectors.values.data());
    for (int i = first[p]; i < first[p + 1]; ++i) {
      std::copy_n(vectors.row(i - first[p]).data(), out.cols, out.row(order[i]).data());
    }
  });
  return out;
}

class CpuEncoder::Captions final : public CaptionSession {
 public:
  Captions(const CpuEncoder& encoder, const PixelBatch& picture, int threads)
      : encoder_(encoder),
        setting_(threads),
        backend_(prepared()),
        pass_(*backend_, *encoder.clip_, picture) {}

  Matrix next(std::span<const std::int32_t> parents, std::span<const std::int32_t> ids) override {
    check_next(encoder_.config_, parents, ids, texts_, length_);
    const CpuTensor scores = pass_.next(parents, ids);
    texts_ = scores.rows;
    ++length_;
    Matrix out(scores.rows, scores.columns);
    std::copy_n(scores.f32(), out.values.size(), out.values.data());
    return out;
  }

 private:
  std::unique_ptr<CpuBackend> prepared() const {
    auto backend = encoder_.acquire();
    backend->prepare(omp_get_max_threads(), 1);
    return backend;
  }
  const CpuEncoder& encoder_;
  OpenMpThreads setting_;
  std::unique_ptr<CpuBackend> backend_;
  CaptionPass<CpuBackend> pass_;
  int texts_ = 0;
  int length_ = 0;
};

std::unique_ptr<CaptionSession> CpuEncoder::begin_caption(const PixelBatch& picture,
                                                          int threads) const {
  check_pictures(config_, picture);
  assert(picture.count == 1 && clip_ && clip_->decoder() != nullptr);
  return std::make_unique<Captions>(*this, picture, threads > 0 ? threads : threads_);
}

std::string CpuEncoder::describe() const {
  const dnnl_version_t* v = dnnl_version();
  return fmt::format("onednn {}.{} {} {}, {} thread{}", v->major, v->minor, cpu_instruction_set(),
                     precision_name(precision_), threads_, threads_ == 1 ? "" : "s");
}

}  // namespace

std::unique_ptr<Encoder> make_cpu_encoder(const Checkpoint& checkpoint,
                                          const EncoderOptions& options) {
  if (options.device != "cpu") {
    throw Error(Kind::kUnsupported,
                fmt::format("--device {}: this program runs on the CPU. Expected \"cpu\", or "
                            "tandem-torch beside it.",
                            options.device));
  }
  if (options.precision == Precision::kBf16 && !cpu_has_bf16()) {
    throw Error(Kind::kUnsupported,
                fmt::format("--precision bf16: this CPU ({}) has no bf16 products. Use fp32.",
                            cpu_instruction_set()));
  }
  if (options.precision == Precision::kInt8 && !cpu_has_int8()) {
    throw Error(Kind::kUnsupported,
                fmt::format("--precision int8: this CPU ({}) has no int8 products. Use fp32.",
                            cpu_instruction_set()));
  }
  if (options.merge_tokens > 0 && !merges_tokens(checkpoint.config.vision)) {
    throw Error(
        Kind::kUnsupported,
        "--merge-tokens: only for OpenCLIP's vision transformers that pool their class token. "
        "Leave it out for this model.");
  }
  if (options.captions) check_writes_captions(checkpoint);
  const int threads = options.threads > 0 ? options.threads : static_cast<int>(available_threads());
  check_weights(weight_table(checkpoint.config), checkpoint.weights, checkpoint.name);
  const bool floats = options.precision == Precision::kFp32 || !cpu_has_bf16();
  const Element type = floats ? Element::kF32 : Element::kBf16;
  const OpenMpThreads setting(threads);
  Checkpoint suited = checkpoint;
  if (is_quantised(checkpoint.weights) && options.precision != Precision::kInt8)
    suited.weights = dequantised(checkpoint.weights);
  if (!is_quantised(checkpoint.weights) && options.precision == Precision::kInt8)
    suited.weights = quantise(checkpoint, {.threads = threads}).weights;
  return std::make_unique<CpuEncoder>(suited, options.precision, type, threads, options);
}

}  // namespace tandem
