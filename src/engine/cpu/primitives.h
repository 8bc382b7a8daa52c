// oneDNN primitives made once for each shape and kept: creating one costs about a millisecond,
// running one should cost nothing but its arithmetic. Safe to share between threads.
#pragma once

#include <compare>
#include <dnnl.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "engine/cpu/buffers.h"
#include "engine/cpu/kernels.h"
#include "model/config.h"

namespace tandem {

dnnl::memory::data_type dnnl_type(Element type);

// What a matrix product computes: dst (M,N) = src (M,K) * W + bias [+ dst] [activation]. The key of
// its primitive. kI8: src * W is an exact product of integers, times a scale for each row of src
// and each column of W before the bias; all of these enter as Primitive::post_operands.
struct MatmulShape {
  int m = 0;
  int k = 0;
  int n = 0;
  Element type = Element::kF32;  // of src and W
  Element dst = Element::kF32;
  bool bias = false;
  bool add = false;  // add what dst holds
  Activation activation = Activation::kNone;
  int threads = 1;
  auto operator<=>(const MatmulShape&) const = default;
};

// Packs float weights given as (out,in) rows, or (in,out) when `transposed`, into `layout`.
AlignedBytes pack_weights(const dnnl::engine& engine, std::span<const float> values,
                          const dnnl::memory::desc& layout, bool transposed);

// Integer weights, given as (out, depth) rows, into a layout of kI8.
AlignedBytes pack_weights_int8(const dnnl::engine& engine, std::span<const std::int8_t> values,
                               const dnnl::memory::desc& layout);

// dst (B,OH,OW,out) = conv(src (B,H,W,in)) + bias [+ residual] [activation]; all NHWC. The key of
// its primitive.
struct ConvShape {
  int batch = 0;
  int height = 0;
  int width = 0;
  int in = 0;
  int out = 0;
  int kernel = 1;
  int stride = 1;
  int padding = 0;
  Element type = Element::kF32;
  bool add = false;
  Activation activation = Activation::kNone;
  int groups = 1;
  int threads = 1;
  int out_height() const { return (height + 2 * padding - kernel) / stride + 1; }
  int out_width() const { return (width + 2 * padding - kernel) / stride + 1; }
  auto operator<=>(const ConvShape&) const = default;
};

struct Primitive {
  dnnl::primitive primitive;
  dnnl::memory::desc src, weights, dst, bias;
  std::size_t scratch_bytes = 0;
  // kI8: row scales (1,M,1), column scales (1,1,N), bias (1,1,N) where there is one; each with its
  // argument index.
  std::vector<std::pair<int, dnnl::memory::desc>> post_operands;
  std::string implementation;  // oneDNN's name, e.g. "brg:avx512_core_amx"
};

class PrimitiveCache {
 public:
  PrimitiveCache() : engine_(dnnl::engine::kind::cpu, 0) {}
  const dnnl::engine& engine() const { return engine_; }

  // How the weights of every (K,N) product of this type are packed: what oneDNN prefers for a
  // typical batch.
  dnnl::memory::desc layout(int k, int n, Element type);

  // The calling thread's OpenMP thread count must be shape.threads. Throws kInternal if only
  // oneDNN's reference implementation, hundreds of times slower, is left.
  const Primitive& matmul(const MatmulShape& shape);
  const Primitive& conv(const ConvShape& shape);
  // The names of all implementations made so far.
  std::vector<std::string> implementations() const;

 private:
  template <typename Shape, typename Make>
  const Primitive& find_or_make(std::map<Shape, std::unique_ptr<Primitive>>& made,
                                const Shape& shape, Make make);
  std::unique_ptr<Primitive> make_matmul(const MatmulShape& s);
  std::unique_ptr<Primitive> make_matmul_int8(const MatmulShape& s);
  std::unique_ptr<Primitive> make_conv(const ConvShape& s) const;

  dnnl::engine engine_;
  mutable std::shared_mutex mutex_;
  std::map<std::tuple<int, int, Element>, dnnl::memory::desc> layouts_;
  std::map<MatmulShape, std::unique_ptr<Primitive>> matmuls_;
  std::map<ConvShape, std::unique_ptr<Primitive>> convs_;
};

}  // namespace tandem
