#include "engine/encoder.h"

#include <ATen/core/grad_mode.h>
#include <algorithm>
#include <fmt/format.h>
#include <numeric>
#include <torch/version.h>

#include "core/error.h"
#include "engine/torch/backend.h"
#include "model/caption.h"
#include "model/weights.h"

namespace tandem {
namespace {

constexpr int kImagePiece = 256;
constexpr int kTextPiece = 512;

// A checkpoint's tensors, converted when asked for.
class CheckpointWeights : public TorchWeights {
 public:
  CheckpointWeights(const TensorMap& map, at::Device device) : map_(map), device_(device) {}

  at::Tensor get(const std::string& name, at::ScalarType dtype) override {
    const TensorView& view = map_.at(name);
    const std::vector<float> values = to_float(view);
    at::Tensor t = at::empty(view.shape, at::kFloat);
    std::copy(values.begin(), values.end(), t.data_ptr<float>());
    return t.to(device_, dtype);
  }
  at::Device device() const override { return device_; }

 private:
  const TensorMap& map_;
  at::Device device_;
};

TorchBackendOptions backend_options(const EncoderOptions& options) {
  TorchBackendOptions o;
  o.compute = options.precision == Precision::kBf16 ? at::kBFloat16 : at::kFloat;
  try {
    o.device = at::Device(options.device);
  } catch (const c10::Error&) {
    throw Error(Kind::kInput,
                fmt::format("device {}: unknown. Expected cpu, cuda or cuda:N.", options.device));
  }
  if (o.device.is_cuda() && !at::hasCUDA()) {
    throw Error(Kind::kUnsupported,
                fmt::format("device {}: this libtorch has no CUDA. Use cpu.", options.device));
  }
  return o;
}

class TorchEncoder : public Encoder {
 public:
  TorchEncoder(const Checkpoint& checkpoint, const EncoderOptions& options)
      : config_(checkpoint.config),
        options_(backend_options(options)),
        source_(checkpoint.weights, options_.device),
        loader_(source_, options_.compute),
        clip_(loader_, config_, options.captions) {}

  Matrix encode_images(const PixelBatch& pixels) const override {
    check_pictures(config_, pixels);
    Matrix out(pixels.count, config_.embed_dim);
    for (int begin = 0; begin < pixels.count; begin += kImagePiece) {
      const PixelBatch piece = pixels.part(begin, std::min(begin + kImagePiece, pixels.count));
      at::NoGradGuard guard;
      TorchBackend backend(config_.preprocess, options_);
      copy_unit_rows(clip_.image().run(backend, piece), out, begin);
    }
    return out;
  }

  Matrix encode_texts(const TokenBatch& tokens) const override {
    check_texts(config_, tokens);
    Matrix out(tokens.count(), config_.embed_dim);
    for (int begin = 0; begin < tokens.count(); begin += kTextPiece) {
      TokenBatch piece;
      const int end = std::min(begin + kTextPiece, tokens.count());
      for (int i = begin; i < end; ++i) {
        const std::size_t at = tokens.offsets[i];
        piece.add(std::span(tokens.ids).subspan(at, tokens.offsets[i + 1] - at));
      }
      at::NoGradGuard guard;
      TorchBackend backend(config_.preprocess, options_);
      copy_unit_rows(clip_.text().run(backend, piece), out, begin);
    }
    return out;
  }

  std::unique_ptr<CaptionSession> begin_caption(const PixelBatch& picture,
                                                int /*threads*/) const override {
    return std::make_unique<Captions>(*this, picture);
  }

  std::string describe() const override {
    return fmt::format("libtorch {} {} {}", TORCH_VERSION, options_.device.str(),
                       options_.compute == at::kFloat ? "fp32" : "bf16");
  }

 private:
  class Captions final : public CaptionSession {
   public:
    Captions(const TorchEncoder& encoder, const PixelBatch& picture)
        : encoder_(encoder),
          backend_(encoder.config_.preprocess, encoder.options_),
          pass_(backend_, encoder.clip_, picture) {}

    Matrix next(std::span<const std::int32_t> parents, std::span<const std::int32_t> ids) override {
      check_next(encoder_.config_, parents, ids, texts_, length_);
      const at::NoGradGuard guard;
      const at::Tensor scores = pass_.next(parents, ids).to(at::kCPU, at::kFloat).contiguous();
      texts_ = static_cast<int>(scores.size(0));
      ++length_;
      Matrix out(scores.size(0), scores.size(1));
      std::copy_n(scores.const_data_ptr<float>(), scores.numel(), out.values.data());
      return out;
    }

   private:
    const TorchEncoder& encoder_;
    at::NoGradGuard guard_;  // while the picture is read
    TorchBackend backend_;
    CaptionPass<TorchBackend> pass_;
    int texts_ = 0;
    int length_ = 0;
  };

  static void copy_unit_rows(const at::Tensor& x, Matrix& out, int row) {
    const at::Tensor rows = x.to(at::kCPU, at::kFloat).contiguous();
    const at::Tensor unit =
        (rows / rows.norm(2, {1}, /*keepdim=*/true).clamp_min(1e-12)).contiguous();
    std::copy_n(unit.const_data_ptr<float>(), unit.numel(), out.row(row).data());
  }

  ModelConfig config_;
  TorchBackendOptions options_;
  CheckpointWeights source_;
  TorchLoader loader_;
  Clip<TorchBackend> clip_;
};

}  // namespace

std::unique_ptr<Encoder> make_torch_encoder(const Checkpoint& checkpoint,
                                            const EncoderOptions& options) {
  if (options.merge_tokens > 0)
    throw Error(Kind::kUnsupported, "--merge-tokens: only on the CPU. Leave --device out.");
  if (options.captions) check_writes_captions(checkpoint);
  check_weights(weight_table(checkpoint.config), checkpoint.weights, checkpoint.name);
  return std::make_unique<TorchEncoder>(checkpoint, options);
}

}  // namespace tandem
