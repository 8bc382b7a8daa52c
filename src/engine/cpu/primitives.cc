#include "engine/cpu/primitives.h"

#include <fmt/format.h>

#include "core/error.h"

namespace tandem {
namespace {

using dnnl::memory;
using Tag = dnnl::memory::format_tag;

// Rows used to ask for the packed layout: a typical batch. The layout is then fixed for every M.
constexpr int kTypicalRows = 512;

// "ref…" are oneDNN's plain loops.
void refuse_reference(const Primitive& p, const std::string& what) {
  if (p.implementation.rfind("ref", 0) != 0) return;
  throw Error(Kind::kInternal,
              fmt::format("{}: oneDNN offers only \"{}\".", what, p.implementation));
}

void append_activation(dnnl::post_ops& ops, Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return;
    case Activation::kGelu:
      return ops.append_eltwise(dnnl::algorithm::eltwise_gelu_erf, 0, 0);
    case Activation::kQuickGelu:
      return ops.append_eltwise(dnnl::algorithm::eltwise_swish, 1.702F, 0);
    case Activation::kRelu:
      return ops.append_eltwise(dnnl::algorithm::eltwise_relu, 0, 0);
    case Activation::kGeluTanh:
      return ops.append_eltwise(dnnl::algorithm::eltwise_gelu_tanh, 0, 0);
    case Activation::kSilu:
      return ops.append_eltwise(dnnl::algorithm::eltwise_swish, 1.0F, 0);
  }
}

dnnl::primitive_attr attributes(const dnnl::post_ops& ops) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(
      dnnl::scratchpad_mode::user);  // the caller's memory: primitives are shared by threads
  attr.set_post_ops(ops);
  return attr;
}

}  // namespace

memory::data_type dnnl_type(Element type) {
  switch (type) {
    case Element::kF32:
      return memory::data_type::f32;
    case Element::kBf16:
      return memory::data_type::bf16;
    case Element::kI8:
      return memory::data_type::s8;
  }
  throw Error(Kind::kInternal, "dnnl_type: not a type");
}

AlignedBytes pack_weights(const dnnl::engine& engine, std::span<const float> values,
                          const memory::desc& layout, bool transposed) {
  const auto dims = layout.get_dims();
  const memory::desc plain(dims, memory::data_type::f32, transposed ? Tag::ab : Tag::ba);
  AlignedBytes packed(layout.get_size());
  memory from(plain, engine, const_cast<float*>(values.data()));
  memory to(layout, engine, packed.data());
  dnnl::stream stream(engine);
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
  return packed;
}

AlignedBytes pack_weights_int8(const dnnl::engine& engine, std::span<const std::int8_t> values,
                               const memory::desc& layout) {
  const memory::desc plain(layout.get_dims(), memory::data_type::s8, Tag::acb);
  AlignedBytes packed(layout.get_size());
  memory from(plain, engine, const_cast<std::int8_t*>(values.data()));
  memory to(layout, engine, packed.data());
  dnnl::stream stream(engine);
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
  return packed;
}

memory::desc PrimitiveCache::layout(int k, int n, Element type) {
  const std::unique_lock lock(mutex_);
  const auto key = std::tuple(k, n, type);
  if (const auto it = layouts_.find(key); it != layouts_.end()) return it->second;
  if (type == Element::kI8) {
    const memory::desc src({1, kTypicalRows, k}, dnnl_type(type), Tag::abc);
    const memory::desc weights({1, k, n}, dnnl_type(type), Tag::any);
    const memory::desc dst({1, kTypicalRows, n}, memory::data_type::f32, Tag::abc);
    return layouts_
        .emplace(key, dnnl::matmul::primitive_desc(engine_, src, weights, dst).weights_desc())
        .first->second;
  }
  const memory::desc src({kTypicalRows, k}, dnnl_type(type), Tag::ab);
  const memory::desc weights({k, n}, dnnl_type(type), Tag::any);
  const memory::desc dst({kTypicalRows, n}, dnnl_type(type), Tag::ab);
  return layouts_
      .emplace(key, dnnl::matmul::primitive_desc(engine_, src, weights, dst).weights_desc())
      .first->second;
}

const Primitive& PrimitiveCache::matmul(const MatmulShape& shape) {
  return find_or_make(matmuls_, shape, [this](const MatmulShape& s) {
    return s.type == Element::kI8 ? make_matmul_int8(s) : make_matmul(s);
  });
}

const Primitive& PrimitiveCache::conv(const ConvShape& shape) {
  return find_or_make(convs_, shape, [this](const ConvShape& s) { return make_conv(s); });
}

std::vector<std::string> PrimitiveCache::implementations() const {
  const std::shared_lock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [shape, primitive] : matmuls_) names.push_back(primitive->implementation);
  for (const auto& [shape, primitive] : convs_) names.push_back(primitive->implementation);
  return names;
}

template <typename Shape, typename Make>
const Primitive& PrimitiveCache::find_or_make(std::map<Shape, std::unique_ptr<Primitive>>& made,
                                              const Shape& shape, Make make) {
  {
    const std::shared_lock lock(mutex_);
    if (const auto it = made.find(shape); it != made.end()) return *it->second;
  }
  // Two threads may make the same one at the same time; the first to insert wins.
  auto primitive = make(shape);
  const std::unique_lock lock(mutex_);
  return *made.try_emplace(shape, std::move(primitive)).first->second;
}

std::unique_ptr<Primitive> PrimitiveCache::make_matmul(const MatmulShape& s) {
  const memory::desc src({s.m, s.k}, dnnl_type(s.type), Tag::ab);
  const memory::desc dst({s.m, s.n}, dnnl_type(s.dst), Tag::ab);
  const memory::desc bias({1, s.n}, memory::data_type::f32, Tag::ab);
  const memory::desc weights = layout(s.k, s.n, s.type);
  dnnl::post_ops ops;
  if (s.add) ops.append_sum(1.0F);
  append_activation(ops, s.activation);
  const auto attr = attributes(ops);
  const auto pd = s.bias ? dnnl::matmul::primitive_desc(engine_, src, weights, bias, dst, attr)
                         : dnnl::matmul::primitive_desc(engine_, src, weights, dst, attr);
  auto p = std::make_unique<Primitive>(Primitive{dnnl::matmul(pd),
                                                 src,
                                                 weights,
                                                 dst,
                                                 bias,
                                                 pd.scratchpad_desc().get_size(),
                                                 {},
                                                 pd.impl_info_str()});
  refuse_reference(*p, fmt::format("matrix product {}x{}x{}", s.m, s.k, s.n));
  return p;
}

// Three dimensions, of which the first is 1: as a plain matrix product, a scale for each row would
// fall to the reference implementation.
std::unique_ptr<Primitive> PrimitiveCache::make_matmul_int8(const MatmulShape& s) {
  const auto f32 = memory::data_type::f32;
  const memory::desc src({1, s.m, s.k}, memory::data_type::s8, Tag::abc);
  const memory::desc dst({1, s.m, s.n}, dnnl_type(s.dst), Tag::abc);
  const memory::desc weights = layout(s.k, s.n, s.type);
  const memory::desc rows({1, s.m, 1}, f32, Tag::abc);
  const memory::desc columns({1, 1, s.n}, f32, Tag::abc);
  dnnl::post_ops ops;
  std::vector<std::pair<int, memory::desc>> operands;
  const auto append = [&](dnnl::algorithm algorithm, const memory::desc& operand) {
    operands.emplace_back(DNNL_ARG_ATTR_MULTIPLE_POST_OP(ops.len()) | DNNL_ARG_SRC_1, operand);
    ops.append_binary(algorithm, operand);
  };
  append(dnnl::algorithm::binary_mul, rows);
  append(dnnl::algorithm::binary_mul, columns);
  if (s.bias) append(dnnl::algorithm::binary_add, columns);
  if (s.add) ops.append_sum(1.0F);
  append_activation(ops, s.activation);
  const dnnl::matmul::primitive_desc pd(engine_, src, weights, dst, attributes(ops));
  auto p = std::make_unique<Primitive>(Primitive{dnnl::matmul(pd),
                                                 src,
                                                 weights,
                                                 dst,
                                                 {},
                                                 pd.scratchpad_desc().get_size(),
                                                 std::move(operands),
                                                 pd.impl_info_str()});
  refuse_reference(*p, fmt::format("integer matrix product {}x{}x{}", s.m, s.k, s.n));
  return p;
}

std::unique_ptr<Primitive> PrimitiveCache::make_conv(const ConvShape& s) const {
  const auto type = dnnl_type(s.type);
  const memory::desc src({s.batch, s.in, s.height, s.width}, type, Tag::nhwc);
  memory::dims sides{s.out / s.groups, s.in / s.groups, s.kernel, s.kernel};
  if (s.groups > 1) sides.insert(sides.begin(), s.groups);
  const memory::desc weights(sides, type, Tag::any);
  const memory::desc bias({s.out}, memory::data_type::f32, Tag::a);
  const memory::desc dst({s.batch, s.out, s.out_height(), s.out_width()}, type, Tag::nhwc);
  dnnl::post_ops ops;
  if (s.add) ops.append_sum(1.0F);
  append_activation(ops, s.activation);
  const memory::dims strides{s.stride, s.stride};
  const memory::dims padding{s.padding, s.padding};
  const dnnl::convolution_forward::primitive_desc pd(
      engine_, dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, src,
      weights, bias, dst, strides, padding, padding, attributes(ops));
  auto p = std::make_unique<Primitive>(Primitive{dnnl::convolution_forward(pd),
                                                 src,
                                                 pd.weights_desc(),
                                                 dst,
                                                 bias,
                                                 pd.scratchpad_desc().get_size(),
                                                 {},
                                                 pd.impl_info_str()});
  refuse_reference(
      *p, fmt::format("convolution {}x{}x{}x{} to {}", s.batch, s.height, s.width, s.in, s.out));
  return p;
}

}  // namespace tandem
