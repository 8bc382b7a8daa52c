#include "engine/cpu/instruction_set.h"

#include <dnnl.hpp>

#include "core/error.h"
#include "engine/encoder.h"
#include "model/quantised.h"

namespace tandem {
namespace {

// In the order of what a CPU can do for us. oneDNN's values are bit sets: each level contains the
// ones below.
enum class Level { kNone, kAvx2, kAvx512, kVnni, kBf16, kAmx };

Level level() {
  using Isa = dnnl::cpu_isa;
  const auto has = [](Isa wanted) {
    const auto bits = static_cast<unsigned>(wanted);
    return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & bits) == bits;
  };
  if (has(Isa::avx512_core_amx)) return Level::kAmx;
  if (has(Isa::avx512_core_bf16)) return Level::kBf16;
  if (has(Isa::avx512_core_vnni)) return Level::kVnni;
  if (has(Isa::avx512_core)) return Level::kAvx512;
  if (has(Isa::avx2)) return Level::kAvx2;
  return Level::kNone;
}

}  // namespace

std::string cpu_instruction_set() {
  switch (level()) {
    case Level::kAmx:
      return "avx512_core_amx";
    case Level::kBf16:
      return "avx512_core_bf16";
    case Level::kVnni:
      return "avx512_core_vnni";
    case Level::kAvx512:
      return "avx512_core";
    case Level::kAvx2:
      return "avx2";
    case Level::kNone:
      return "below avx2";
  }
  return "";
}

const Kernels& best_kernels() {
  switch (level()) {
    case Level::kAmx:
      return amx_kernels();
    case Level::kBf16:
      return avx512_bf16_kernels();
    case Level::kVnni:
    case Level::kAvx512:
      return avx512_kernels();
    case Level::kAvx2:
      return avx2_kernels();
    case Level::kNone:
      break;
  }
  throw Error(Kind::kUnsupported, "this CPU lacks AVX2 with FMA, which the engine needs.");
}

bool cpu_has_bf16() { return level() >= Level::kBf16; }

bool cpu_has_int8() { return level() >= Level::kVnni; }

Precision default_precision(const TensorMap& weights) {
  if (cpu_has_int8() && is_quantised(weights)) return Precision::kInt8;
  return cpu_has_bf16() ? Precision::kBf16 : Precision::kFp32;
}

std::string_view precision_name(Precision precision) {
  switch (precision) {
    case Precision::kFp32:
      return "fp32";
    case Precision::kBf16:
      return "bf16";
    case Precision::kInt8:
      return "int8";
  }
  return "";
}

}  // namespace tandem
