// A row-major float matrix that owns its values: embeddings (B,E), scores (B,N).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace tandem {

struct Matrix {
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::vector<float> values;  // rows * cols

  Matrix() = default;
  Matrix(std::size_t r, std::size_t c) : rows(r), cols(c), values(r * c) {}

  std::span<float> row(std::size_t i) { return {values.data() + i * cols, cols}; }
  std::span<const float> row(std::size_t i) const { return {values.data() + i * cols, cols}; }
};

}  // namespace tandem
