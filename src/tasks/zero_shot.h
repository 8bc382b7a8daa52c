// Zero-shot classification: classes are texts, a picture's class is the nearest. Radford et al.
// 2021, section 3.1.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tandem/matrix.h"

namespace tandem {

// Texts to (N,E) unit rows: Model::embed_texts, or a stand-in.
using EmbedTexts = std::function<Matrix(const std::vector<std::string>&)>;

// (N,E): row i is the mean of the unit embeddings of every template with names[i] filled in,
// normalised again, as open_clip's build_zero_shot_classifier. Throws kInput without names or
// templates.
Matrix class_embeddings(const EmbedTexts& embed, const std::vector<std::string>& names,
                        const std::vector<std::string>& templates);

// (B,N): cosine of each picture with each text. Throws kInput when the widths differ.
Matrix cosines(const Matrix& images, const Matrix& texts);

// softmax(scale * cosine) of one row of cosines: which of these fits best. With a bias (SigLIP,
// Zhai et al. 2023, section 3.2) sigmoid(scale * cosine + bias) of each: whether it fits.
std::vector<float> probabilities(std::span<const float> cosines, double scale,
                                 std::optional<double> bias = {});

// For each row of `cosines` (B,N) the place, from 0, of its own class among the N; equal scores
// count against it.
std::vector<std::size_t> class_ranks(const Matrix& cosines, std::span<const std::size_t> own);

}  // namespace tandem
