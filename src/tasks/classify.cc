#include "tandem/classify.h"

#include "tasks/metrics.h"
#include "tasks/zero_shot.h"

namespace tandem {

Labels labels(std::vector<std::string> names, std::vector<std::string> templates) {
  return {std::move(names), std::move(templates)};
}

std::vector<std::vector<ScoredLabel>> classify(const Model& model, const Matrix& images,
                                               const Labels& labels) {
  const auto embed = [&](const std::vector<std::string>& texts) {
    return model.embed_texts(texts);
  };
  const auto scores = cosines(images, class_embeddings(embed, labels.names, labels.templates));
  std::vector<std::vector<ScoredLabel>> out(images.rows);
  for (std::size_t i = 0; i < images.rows; ++i) {
    const auto shares = probabilities(scores.row(i), model.logit_scale(), model.logit_bias());
    for (const auto label : top_k(scores.row(i), labels.names.size()))
      out[i].push_back({label, shares[label]});
  }
  return out;
}

}  // namespace tandem
