// Quantised weights, version 1. A matrix W (out,in) under NAME is I8, symmetric, one scale a row:
//   NAME         I8  (out,in)   whole numbers from -127 to 127
//   NAME_scale   F32 (out)      > 0;  W = NAME * NAME_scale
//   NORM.smooth  F32 (width)    > 0;  the norm's output is divided by it, and every matrix that
//                               reads that output was multiplied by it before it was rounded
// All else is as in any checkpoint. The file's metadata says "tandem_quantised": "int8 1".
// Smoothing: Xiao et al. 2023, SmoothQuant.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/tensor.h"

namespace tandem {

inline constexpr std::string_view kQuantisedKey = "tandem_quantised";
inline constexpr std::string_view kQuantisedScheme = "int8 1";

inline std::string scale_name(std::string_view matrix) { return std::string(matrix) + "_scale"; }
inline std::string smooth_name(std::string_view norm) { return std::string(norm) + ".smooth"; }

// Whether any tensor is in the form above.
bool is_quantised(const TensorMap& weights);

// Throws kUnsupported for a scheme other than kQuantisedScheme.
void check_quantised_scheme(const std::map<std::string, std::string>& metadata,
                            const std::string& where);

// The tensors as a model of floats would have them, by name and shape only: matrices are said to
// be F32 over their integers, scales and smoothing are gone. For checking; not to be read. Throws
// kCorrupt for a scale that is missing, of the wrong shape or dtype, not positive or not finite,
// for an integer below -127, and for a scale or smoothing of nothing.
TensorMap quantised_form(const TensorMap& weights, const std::string& where);

// The same weights as floats: what engines without integer products read. Tensors that are not
// quantised are shared, not copied.
TensorMap dequantised(const TensorMap& weights);

}  // namespace tandem
