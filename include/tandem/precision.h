// The number formats a model can compute in.
#pragma once

namespace tandem {

enum class Precision { kFp32, kBf16, kInt8 };

}  // namespace tandem
