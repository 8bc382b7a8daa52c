// Token merging (Bolya et al. 2023, "Token Merging: Your ViT But Faster"): after the attention of
// each block, the most alike rows of a picture become one, so that later blocks have less to do. An
// approximation, and off unless asked for.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/config.h"

namespace tandem {

// Whether the tower's forward pass can merge: OpenCLIP's ViT pooled at its class token.
bool merges_tokens(const VisionConfig& vision);

// What one block's merge does to the rows of a picture.
struct MergePlan {
  // Rows kept, in order, and rows that become part of one: source -> destination.
  std::vector<std::int32_t> kept;
  struct Edge {
    std::int32_t from;
    std::int32_t to;
  };
  std::vector<Edge> merged;
};

// Bipartite soft matching (paper, section 3.1): rows at even places look for their most similar row
// at odd places, and the `count` closest pairs are merged. `keys`: (length, width), each a key
// averaged over the heads; row 0, the class token, is never merged away. Ties go to the lower row.
MergePlan plan_merge(std::span<const float> keys, int length, int width, int count);

// How many rows of `length` a block may merge when asked for `wanted`: at most half, without the
// class token.
int mergeable(int length, int wanted);

}  // namespace tandem
