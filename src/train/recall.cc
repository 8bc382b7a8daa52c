#include "train/recall.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "data/webdataset.h"
#include "preprocess/image.h"

namespace tandem {

double recall_at(const Matrix& images, std::span<const std::int64_t> image_groups,
                 const Matrix& texts, std::span<const std::int64_t> text_groups, std::size_t k) {
  std::size_t hits = 0;
  std::vector<float> scores(images.rows);
  for (std::size_t t = 0; t < texts.rows; ++t) {
    float best = -2;  // of the right pictures
    for (std::size_t i = 0; i < images.rows; ++i) {
      float dot = 0;
      for (std::size_t e = 0; e < images.cols; ++e) dot += images.row(i)[e] * texts.row(t)[e];
      scores[i] = dot;
      if (image_groups[i] == text_groups[t]) best = std::max(best, dot);
    }
    std::size_t above = 0;
    for (std::size_t i = 0; i < images.rows; ++i) {
      above += image_groups[i] != text_groups[t] && scores[i] >= best;
    }
    hits += above < k;
  }
  return texts.rows == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(texts.rows);
}

RecallSet::RecallSet(std::string name, const std::vector<std::string>& shards,
                     const Tokenizer& tokenizer, const PreprocessConfig& preprocess)
    : name_(std::move(name)) {
  pixels_.size_px = preprocess.size_px;
  const std::size_t bytes = static_cast<std::size_t>(preprocess.size_px) * preprocess.size_px * 3;
  std::set<std::int64_t> seen;
  std::int64_t alone = -1;  // groups of records that have none
  for (const auto& path : expand_shards(shards)) {
    const MappedFile file(path);
    for (const auto& sample : index_shard(file.bytes(), path.string()).samples) {
      const Record record = read_sample(file.bytes(), sample);
      if (record.captions.empty()) continue;
      const std::int64_t group = record.group >= 0 ? record.group : alone--;
      const Image image = decode_image(record.image, record.key);
      pixels_.pixels.resize(bytes * (pixels_.count + 1));
      transform_image(image, preprocess,
                      std::span(pixels_.pixels).subspan(bytes * pixels_.count, bytes));
      ++pixels_.count;
      image_groups_.push_back(group);
      if (!seen.insert(group).second) continue;
      text_groups_.push_back(group);
      tokens_.add(tokenizer.encode(record.phrase.empty() ? record.captions[0] : record.phrase));
    }
  }
}

Measurements RecallSet::measure(const Encoder& encoder) const {
  const Matrix images = encoder.encode_images(pixels_);
  const Matrix texts = encoder.encode_texts(tokens_);
  Measurements m;
  for (const std::size_t k : {1, 5, 10}) {
    m[fmt::format("{} r@{}", name_, k)] = recall_at(images, image_groups_, texts, text_groups_, k);
  }
  return m;
}

}  // namespace tandem
