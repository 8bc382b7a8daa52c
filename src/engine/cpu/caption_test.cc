#include "engine/caption_golden.h"

namespace tandem {
namespace {

class CpuCaptions : public testing::TestWithParam<const char*> {};

TEST_P(CpuCaptions, ScoresEqualOpenClipsInFloat32) {
  // Logits are stored with six decimals and reach 4; five blocks.
  EXPECT_LT(caption_error(GetParam(), make_cpu_encoder, {.threads = 1, .captions = true}), 2e-5);
}

TEST_P(CpuCaptions, ScoresStayCloseInBf16) {
  if (!cpu_has_bf16()) GTEST_SKIP() << "no bf16 on this CPU";
  const EncoderOptions options{.precision = Precision::kBf16, .threads = 1, .captions = true};
  EXPECT_LT(caption_error(GetParam(), make_cpu_encoder, options), 0.05);
}

INSTANTIATE_TEST_SUITE_P(OpenClip, CpuCaptions,
                         testing::Values("tiny-coca", "tiny-coca-no-pooler"));

}  // namespace
}  // namespace tandem
