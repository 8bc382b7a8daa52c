#include "engine/model.h"

#include <algorithm>
#include <cmath>

#include "tandem/error.h"

#include "core/threads.h"
#include "engine/pictures.h"
#include "engine/tokenizers.h"

namespace tandem {
namespace {

// Texts tokenised and encoded at a time: bounds memory, long enough to sort by length well.
constexpr std::size_t kTextBatch = 2048;

// exp of the learned temperature; CLIP caps it at 100 (paper, section 2.5), SigLIP does not.
double read_logit_scale(const Checkpoint& checkpoint) {
  const double fallback = checkpoint.config.init_logit_scale;
  const double log_scale = checkpoint.weights.contains("logit_scale")
                               ? to_float(checkpoint.weights.at("logit_scale")).at(0)
                               : fallback;
  if (checkpoint.config.init_logit_bias) return std::exp(log_scale);
  return std::min(std::exp(log_scale), 100.0);
}

std::optional<double> read_logit_bias(const Checkpoint& checkpoint) {
  if (!checkpoint.weights.contains("logit_bias")) return checkpoint.config.init_logit_bias;
  return to_float(checkpoint.weights.at("logit_bias")).at(0);
}

TokenBatch tokenise(const Tokenizer& tokenizer, std::span<const std::string> texts, int threads) {
  std::vector<std::vector<std::int32_t>> encoded(texts.size());
  const auto encode = [&](std::size_t i) { encoded[i] = tokenizer.encode(texts[i]); };
  // 64: below this, starting threads costs more than it brings.
  parallel_for(texts.size(), texts.size() < 64 ? 1 : static_cast<std::size_t>(threads), encode);
  TokenBatch batch;
  for (const auto& ids : encoded) batch.add(ids);
  return batch;
}

}  // namespace

std::string space_fingerprint(const Checkpoint& checkpoint, PictureReading reading,
                              int merge_tokens) {
  std::string print = checkpoint.fingerprint();
  if (reading == PictureReading::kReference) print += "-reference";
  if (merge_tokens > 0) print += "-merge" + std::to_string(merge_tokens);
  return print;
}

Model load_model(const std::string& name, const LoadOptions& options, const std::string& device,
                 const EncoderFactory& make_encoder) {
  const auto assets = options.assets.empty() ? default_assets() : options.assets;
  auto rep = std::make_shared<Model::Rep>();
  rep->row = find_model(name, {assets, options.hub_cache});
  rep->checkpoint = load_checkpoint(rep->row.folder);
  rep->tokenizer = load_tokenizer(rep->checkpoint.config, rep->row.folder, assets);
  rep->threads = options.threads > 0 ? options.threads : static_cast<int>(available_threads());
  rep->precision = options.precision.value_or(default_precision(rep->checkpoint.weights));
  if (options.reading == PictureReading::kReference) {
    rep->decode.alpha = Alpha::kDrop;
    rep->decode.exif_orientation = false;
  }
  if (options.fast_jpeg) rep->decode.short_side_px = 2 * rep->checkpoint.config.preprocess.size_px;
  rep->logit_scale = read_logit_scale(rep->checkpoint);
  rep->logit_bias = read_logit_bias(rep->checkpoint);
  rep->merge_tokens = options.merge_tokens;
  rep->encoder = make_encoder(rep->checkpoint, {.precision = rep->precision,
                                                .threads = rep->threads,
                                                .device = device,
                                                .merge_tokens = rep->merge_tokens,
                                                .captions = options.captions});
  return Model(std::move(rep));
}

Model Model::load(const std::string& name, const LoadOptions& options) {
  return load_model(name, options, "cpu", make_cpu_encoder);
}

Matrix Model::embed_images(const std::vector<std::filesystem::path>& pictures) const {
  Matrix out(pictures.size(), static_cast<std::size_t>(width()));
  embed_pictures(*this, picture_files(pictures), {}, [&](const PictureRow& row) {
    if (row.error) throw *row.error;
    std::copy(row.vector.begin(), row.vector.end(), out.row(row.index).begin());
  });
  return out;
}

Matrix Model::embed_texts(const std::vector<std::string>& texts) const {
  Matrix out(texts.size(), static_cast<std::size_t>(width()));
  for (std::size_t begin = 0; begin < texts.size(); begin += kTextBatch) {
    const auto count = std::min(kTextBatch, texts.size() - begin);
    const auto some = std::span(texts).subspan(begin, count);
    const auto vectors =
        rep_->encoder->encode_texts(tokenise(*rep_->tokenizer, some, rep_->threads));
    std::copy(vectors.values.begin(), vectors.values.end(), out.row(begin).begin());
  }
  return out;
}

const std::string& Model::name() const { return rep_->row.name; }
std::string Model::fingerprint() const {
  const bool reference = !rep_->decode.exif_orientation;
  return space_fingerprint(rep_->checkpoint,
                           reference ? PictureReading::kReference : PictureReading::kAsSeen,
                           rep_->merge_tokens);
}
int Model::width() const { return rep_->checkpoint.config.embed_dim; }
double Model::logit_scale() const { return rep_->logit_scale; }
std::optional<double> Model::logit_bias() const { return rep_->logit_bias; }
Precision Model::precision() const { return rep_->precision; }
std::string Model::describe() const { return rep_->encoder->describe(); }

std::filesystem::path default_assets() {
  std::error_code ignored;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  return program.parent_path().parent_path() / "share" / "tandem";
}

}  // namespace tandem
