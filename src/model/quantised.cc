#include "model/quantised.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"

namespace tandem {
namespace {

constexpr std::string_view kScale = "_scale";
constexpr std::string_view kSmooth = ".smooth";

[[noreturn]] void fail(const std::string& where, std::string_view tensor,
                       const std::string& problem) {
  throw Error(Kind::kCorrupt, fmt::format("{}: tensor \"{}\" {}", where, tensor, problem));
}

bool is_matrix(const TensorView& view) { return view.dtype == DType::kI8; }

// Whose scale or smoothing a tensor is; empty: it is neither. "logit_scale" ends like one.
std::string_view owner_of(const TensorMap& weights, std::string_view name) {
  if (name.ends_with(kSmooth)) return name.substr(0, name.size() - kSmooth.size());
  if (!name.ends_with(kScale)) return {};
  const auto matrix = name.substr(0, name.size() - kScale.size());
  return weights.contains(matrix) ? matrix : std::string_view{};
}

// Positive finite numbers of the given count.
void check_scales(const TensorMap& weights, const std::string& name, std::int64_t count,
                  const std::string& where) {
  const auto it = weights.tensors.find(name);
  if (it == weights.tensors.end())
    fail(where, name, "is missing. Quantise the model again with \"tandem quantize\".");
  const TensorView& view = it->second;
  const bool fits = view.dtype == DType::kF32 && view.shape == std::vector<std::int64_t>{count};
  if (!fits) {
    fail(where, name,
         fmt::format("is {} [{}]. Expected F32 [{}].", dtype_name(view.dtype),
                     fmt::join(view.shape, ","), count));
  }
  for (const float x : to_float(view)) {
    if (!(x > 0) || !std::isfinite(x))
      fail(where, name, fmt::format("holds {}. Expected positive, finite numbers.", x));
  }
}

void check_matrix(const TensorMap& weights, const std::string& name, const std::string& where) {
  const TensorView& view = weights.at(name);
  if (view.shape.size() != 2) {
    fail(where, name,
         fmt::format("is I8 with {} dimensions. Only matrices are quantised.", view.shape.size()));
  }
  check_scales(weights, scale_name(name), view.shape[0], where);
  const bool lowest = std::any_of(view.bytes.begin(), view.bytes.end(),
                                  [](std::byte b) { return b == std::byte{0x80}; });
  if (lowest) fail(where, name, "holds -128. Expected integers from -127 to 127.");
}

// values (rows, columns) with row r multiplied by scales[r].
std::vector<float> scaled_rows(const TensorView& view, const std::vector<float>& scales) {
  std::vector<float> values = to_float(view);
  const std::size_t columns = scales.empty() ? 0 : values.size() / scales.size();
  for (std::size_t r = 0; r < scales.size(); ++r) {
    for (std::size_t c = 0; c < columns; ++c) values[r * columns + c] *= scales[r];
  }
  return values;
}

}  // namespace

bool is_quantised(const TensorMap& weights) {
  return std::any_of(weights.tensors.begin(), weights.tensors.end(),
                     [](const auto& entry) { return is_matrix(entry.second); });
}

void check_quantised_scheme(const std::map<std::string, std::string>& metadata,
                            const std::string& where) {
  const auto it = metadata.find(std::string(kQuantisedKey));
  if (it == metadata.end() || it->second == kQuantisedScheme) return;
  throw Error(Kind::kUnsupported,
              fmt::format("{}: quantised as \"{}\". This version reads \"{}\". Quantise the "
                          "original model again with \"tandem quantize\".",
                          where, it->second, kQuantisedScheme));
}

TensorMap quantised_form(const TensorMap& weights, const std::string& where) {
  TensorMap form;
  form.owners = weights.owners;
  for (const auto& [name, view] : weights.tensors) {
    if (is_matrix(view)) {
      check_matrix(weights, name, where);
      form.tensors[name] = {DType::kF32, view.shape, {}};
      continue;
    }
    const auto owner = owner_of(weights, name);
    if (owner.empty()) {
      form.tensors[name] = view;
    } else if (name.ends_with(kSmooth)) {
      const std::string gain = std::string(owner) + ".weight";
      if (!weights.contains(gain)) fail(where, name, "smooths a norm that is not in the file.");
      check_scales(weights, name, weights.at(gain).count(), where);
    } else if (!is_matrix(weights.at(owner))) {
      fail(where, name, fmt::format("scales \"{}\", which is not I8.", owner));
    }
  }
  return form;
}

TensorMap dequantised(const TensorMap& weights) {
  TensorMap out;
  out.owners = weights.owners;
  for (const auto& [name, view] : weights.tensors) {
    if (is_matrix(view)) {
      out.add_float(name, view.shape, scaled_rows(view, to_float(weights.at(scale_name(name)))));
    } else if (owner_of(weights, name).empty() && !out.contains(name)) {
      out.tensors[name] = view;
    }
  }
  for (const auto& [name, view] : weights.tensors) {
    if (!name.ends_with(kSmooth)) continue;
    const auto smooth = to_float(view);
    for (const char* part : {".weight", ".bias"}) {
      const std::string norm = std::string(owner_of(weights, name)) + part;
      if (!weights.contains(norm)) continue;
      std::vector<float> values = to_float(weights.at(norm));
      for (std::size_t i = 0; i < values.size(); ++i) values[i] /= smooth.at(i);
      const auto shape = weights.at(norm).shape;
      out.tensors.erase(norm);
      out.add_float(norm, shape, std::move(values));
    }
  }
  return out;
}

}  // namespace tandem
