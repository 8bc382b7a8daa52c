// The contrastive loss's options; the loss itself is in contrastive_loss.h (torch).
#pragma once

namespace tandem {

// What two different records of one group in a batch are to each other. All three equal open_clip's
// ClipLoss when every group is distinct.
enum class EqualGroups {
  kNegatives,  // pushed apart, as open_clip does
  kMasked,     // left out of each other's softmax
  kPositives,  // both right: the target is shared evenly between them
};

}  // namespace tandem
