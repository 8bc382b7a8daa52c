// Queries that are not the keys' own rows, keys that nobody sees, and rows made of tables: what
// CoCa, attentional pooling and other bidirectional towers need beside backend.cc.
#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstring>

#include "engine/cpu/backend.h"

namespace tandem {
namespace {

// A copy of those key and value rows of a segment's head that may be seen, one after the other.
struct VisibleRows {
  VisibleRows(const CpuTensor& qkv, int row, int length, std::size_t column, int head)
      : qkv_(qkv), row_(row), length_(length), column_(column), head_(head) {}

  // Fills `to` with rows of keys, then of values; returns how many of each. hidden: rows of qkv.
  int copy(std::span<const std::int32_t> hidden, std::byte* to) const {
    const std::size_t bytes = head_ * element_bytes(qkv_.type);
    const std::size_t width = qkv_.columns / 3;
    int count = 0;
    for (int j = 0; j < length_; ++j) {
      if (std::binary_search(hidden.begin(), hidden.end(), row_ + j)) continue;
      std::memcpy(to + count * bytes, qkv_.at(row_ + j, width + column_), bytes);
      std::memcpy(to + (length_ + count) * bytes, qkv_.at(row_ + j, 2 * width + column_), bytes);
      ++count;
    }
    return count;
  }

 private:
  const CpuTensor& qkv_;
  int row_;
  int length_;
  std::size_t column_;
  int head_;
};

}  // namespace

CpuTensor CpuBackend::cross_attention(const Tensor& q, const Segments& q_segments, const Tensor& k,
                                      const Tensor& v, const Segments& segments, int heads) {
  assert(q_segments.count() == segments.count());
  const int head = q.columns / heads;
  Tensor out = tensor(q.rows, q.columns, q.type);
  const std::size_t floats = kernels_.attention_scratch(segments.max_length, head);
  const auto attend =
      q.type == Element::kF32 ? kernels_.pool_attention_f32 : kernels_.pool_attention_bf16;
  const Buffer scratch = pool_.take(floats * sizeof(float) * threads_);
  std::atomic<int> next_scratch = 0;
  const auto unit_of = [&](int s, std::size_t column) {
    AttentionUnit unit;
    unit.k = k.at(segments.offsets[s], column);
    unit.v = v.at(segments.offsets[s], column);
    unit.stride = k.columns;
    unit.length = segments.offsets[s + 1] - segments.offsets[s];
    unit.head = head;
    return unit;
  };
  split(static_cast<std::size_t>(segments.count()) * heads,
        [&](std::size_t begin, std::size_t end) {
          float* own = static_cast<float*>(scratch.data()) + floats * next_scratch++;
          for (std::size_t i = begin; i < end; ++i) {
            const int s = static_cast<int>(i) / heads;
            const std::size_t column = i % heads * head;
            AttentionUnit unit = unit_of(s, column);
            for (int r = q_segments.offsets[s]; r < q_segments.offsets[s + 1]; ++r) {
              unit.q = q.at(r, column);
              unit.out = out.at(r, column);
              attend(unit, own);
            }
          }
        });
  return out;
}

// Rows before the first hidden one are plain causal attention; each later row asks on its own.
CpuTensor CpuBackend::masked_attention(const Tensor& qkv, const Segments& segments, int heads,
                                       std::span<const std::int32_t> hidden) {
  const int width = qkv.columns / 3;
  const int head = width / heads;
  Tensor out = tensor(qkv.rows, width, qkv.type);
  const bool f32 = qkv.type == Element::kF32;
  const auto attend = f32 ? kernels_.attention_f32 : kernels_.attention_bf16;
  const auto ask = f32 ? kernels_.pool_attention_f32 : kernels_.pool_attention_bf16;
  const std::size_t floats = kernels_.attention_scratch(segments.max_length, head);
  const std::size_t copies = 2 * element_bytes(qkv.type) * segments.max_length * head;
  const std::size_t each = floats * sizeof(float) + (copies + 63) / 64 * 64;
  const Buffer scratch = pool_.take(each * threads_);
  std::atomic<int> next_scratch = 0;
  const auto run = [&](int segment, std::size_t column, std::byte* own) {
    const int row = segments.offsets[segment];
    const int length = segments.offsets[segment + 1] - row;
    const auto first = std::ranges::lower_bound(hidden, row);
    const int plain = first == hidden.end() ? length : std::min(length, *first - row);
    AttentionUnit unit;
    unit.q = qkv.at(row, column);
    unit.k = qkv.at(row, width + column);
    unit.v = qkv.at(row, 2 * width + column);
    unit.out = out.at(row, column);
    unit.stride = qkv.columns;
    unit.out_stride = width;
    unit.length = plain;
    unit.head = head;
    unit.causal = true;
    if (plain > 0) attend(unit, reinterpret_cast<float*>(own));
    if (plain == length) return;
    std::byte* rows = own + floats * sizeof(float);
    VisibleRows(qkv, row, length, column, head).copy(hidden, rows);
    unit.k = rows;
    unit.v = rows + static_cast<std::size_t>(length) * head * element_bytes(qkv.type);
    unit.stride = head;
    unit.length = plain;
    for (int r = row + plain; r < row + length; ++r) {
      if (!std::binary_search(hidden.begin(), hidden.end(), r)) ++unit.length;
      unit.q = qkv.at(r, column);
      unit.out = out.at(r, column);
      ask(unit, reinterpret_cast<float*>(own));
    }
  };
  split(static_cast<std::size_t>(segments.count()) * heads,
        [&](std::size_t begin, std::size_t end) {
          std::byte* own = static_cast<std::byte*>(scratch.data()) + each * next_scratch++;
          for (std::size_t i = begin; i < end; ++i)
            run(static_cast<int>(i) / heads, i % heads * head, own);
        });
  return out;
}

CpuTensor CpuBackend::repeat_rows(const Table& table, int count) {
  const int rows = static_cast<int>(table.rows);
  const int columns = static_cast<int>(table.width);
  Tensor out = tensor(count * rows, columns, Element::kF32);
  for (int i = 0; i < out.rows; ++i) {
    std::copy_n(table.row(i % rows), columns, out.f32(i));
  }
  return out;
}

CpuTensor CpuBackend::append_row(const Tensor& x, const Segments& segments, const Table& row,
                                 const Table& positions, int place) {
  assert(x.type == Element::kF32);
  Tensor out = tensor(segments.rows() + segments.count(), x.columns, Element::kF32);
  for (int s = 0; s < segments.count(); ++s) {
    const int begin = segments.offsets[s];
    const int length = segments.offsets[s + 1] - begin;
    std::copy_n(x.f32(begin), static_cast<std::size_t>(length) * x.columns, out.f32(begin + s));
    kernels_.add(row.row(0), positions.row(place), out.f32(begin + s + length), x.columns);
  }
  return out;
}

CpuTensor CpuBackend::embed_tokens(const TokenBatch& tokens, const Table& embedding) {
  const int columns = static_cast<int>(embedding.width);
  Tensor out = tensor(static_cast<int>(tokens.ids.size()), columns, Element::kF32);
  for (int r = 0; r < out.rows; ++r) std::copy_n(embedding.row(tokens.ids[r]), columns, out.f32(r));
  return out;
}

CpuTable CpuLoader::constant(std::vector<float> values, int width) const {
  CpuTable table;
  table.owned = std::move(values);
  table.data = table.owned.data();
  table.width = width;
  table.rows = table.owned.size() / width;
  return table;
}

}  // namespace tandem
