// For processors without SHA instructions that Tandem knows.
#include "core/sha256_blocks.h"

namespace tandem {

Sha256Blocks sha256_blocks_native() { return nullptr; }

}  // namespace tandem
