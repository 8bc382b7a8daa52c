#include "engine/caption_golden.h"

namespace tandem {
namespace {

class TorchCaptions : public testing::TestWithParam<const char*> {};

TEST_P(TorchCaptions, ScoresEqualOpenClipsInFloat32) {
  // Logits are stored with six decimals and reach 4; five blocks.
  EXPECT_LT(caption_error(GetParam(), make_torch_encoder, {.captions = true}), 2e-5);
}

INSTANTIATE_TEST_SUITE_P(OpenClip, TorchCaptions,
                         testing::Values("tiny-coca", "tiny-coca-no-pooler"));

}  // namespace
}  // namespace tandem
