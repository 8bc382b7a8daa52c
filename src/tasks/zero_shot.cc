#include "tasks/zero_shot.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "tandem/error.h"

#include "preprocess/templates.h"
#include "tasks/metrics.h"

namespace tandem {
namespace {

void normalise(std::span<float> row) {
  double sum = 0;
  for (const float v : row) sum += static_cast<double>(v) * v;
  const double length = std::sqrt(sum);
  if (length == 0) return;
  for (float& v : row) v = static_cast<float>(v / length);
}

}  // namespace

Matrix class_embeddings(const EmbedTexts& embed, const std::vector<std::string>& names,
                        const std::vector<std::string>& templates) {
  if (names.empty())
    throw Error(
        Kind::kInput,
        "cannot classify without labels. Expected at least one. Give some with --labels cat,dog.");
  if (templates.empty())
    throw Error(
        Kind::kInput,
        "cannot classify without templates. Expected at least one, such as \"a photo of a {}.\".");
  std::vector<std::string> texts;
  texts.reserve(names.size() * templates.size());
  for (const auto& name : names) {
    for (const auto& one : templates) texts.push_back(apply_template(one, name));
  }
  const auto vectors = embed(texts);
  Matrix classes(names.size(), vectors.cols);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto from = vectors.row(i);
    const auto to = classes.row(i / templates.size());
    for (std::size_t e = 0; e < from.size(); ++e) to[e] += from[e];
  }
  for (std::size_t i = 0; i < classes.rows; ++i) normalise(classes.row(i));
  return classes;
}

Matrix cosines(const Matrix& images, const Matrix& texts) {
  if (images.cols != texts.cols) {
    throw Error(Kind::kInput, "cannot compare vectors of width " + std::to_string(images.cols) +
                                  " and " + std::to_string(texts.cols) +
                                  ". Expected both from the same model.");
  }
  Matrix out(images.rows, texts.rows);
  for (std::size_t i = 0; i < images.rows; ++i) {
    const auto a = images.row(i);
    for (std::size_t j = 0; j < texts.rows; ++j) {
      const auto b = texts.row(j);
      float sum = 0;
      for (std::size_t e = 0; e < a.size(); ++e) sum += a[e] * b[e];
      out.row(i)[j] = sum;
    }
  }
  return out;
}

std::vector<float> probabilities(std::span<const float> cosines, double scale,
                                 std::optional<double> bias) {
  if (bias) {
    std::vector<float> out;
    for (const float c : cosines)
      out.push_back(static_cast<float>(1 / (1 + std::exp(-(scale * c + *bias)))));
    return out;
  }
  if (cosines.empty()) return {};
  const double best = *std::max_element(cosines.begin(), cosines.end());
  std::vector<double> shares;
  double sum = 0;
  for (const float c : cosines) {
    shares.push_back(std::exp(scale * (c - best)));  // best subtracted: exp cannot overflow
    sum += shares.back();
  }
  std::vector<float> out;
  for (const double share : shares) out.push_back(static_cast<float>(share / sum));
  return out;
}

std::vector<std::size_t> class_ranks(const Matrix& cosines, std::span<const std::size_t> own) {
  assert(own.size() == cosines.rows);
  std::vector<std::size_t> ranks;
  for (std::size_t i = 0; i < cosines.rows; ++i) {
    std::vector<bool> right(cosines.cols);
    right[own[i]] = true;
    ranks.push_back(rank_of_first(cosines.row(i), right));
  }
  return ranks;
}

}  // namespace tandem
