// Queries that are not the keys' own rows, keys that nobody sees, and rows made of tables.
#include <algorithm>
#include <vector>

#include "engine/torch/backend.h"

namespace tandem {
namespace {

// Rows of x (T,D) as (B,heads,L,D/heads): segments shorter than L repeat their last row.
at::Tensor padded_heads(const at::Tensor& x, const at::Tensor& pad, std::int64_t batch, int heads) {
  return x.index_select(0, pad).view({batch, -1, heads, x.size(1) / heads}).transpose(1, 2);
}

std::vector<std::int32_t> padded_rows(const Segments& s) {
  std::vector<std::int32_t> rows;
  for (int i = 0; i < s.count(); ++i) {
    const int length = s.offsets[i + 1] - s.offsets[i];
    for (int t = 0; t < s.max_length; ++t) rows.push_back(s.offsets[i] + std::min(t, length - 1));
  }
  return rows;
}

// For each of `rows` ragged rows, where padded_rows put it; 0 for rows in no segment.
std::vector<std::int32_t> places_in_padded(const Segments& s, std::int64_t rows) {
  std::vector<std::int32_t> places(rows);
  for (int i = 0; i < s.count(); ++i) {
    for (int r = s.offsets[i]; r < s.offsets[i + 1]; ++r)
      places[r] = i * s.max_length + r - s.offsets[i];
  }
  return places;
}

at::Tensor merged(const at::Tensor& y, const at::Tensor& places) {
  return y.transpose(1, 2).reshape({-1, y.size(1) * y.size(3)}).index_select(0, places);
}

}  // namespace

at::Tensor TorchBackend::cross_attention(const Tensor& q, const Segments& q_segments,
                                         const Tensor& k, const Tensor& v, const Segments& segments,
                                         int heads) {
  const std::int64_t batch = segments.count();
  at::Tensor valid = at::zeros({batch, 1, 1, segments.max_length}, at::kBool);
  for (int i = 0; i < segments.count(); ++i)
    valid[i].narrow(2, 0, segments.offsets[i + 1] - segments.offsets[i]).fill_(true);
  const at::Tensor keys = indices(padded_rows(segments));
  const at::Tensor y = at::scaled_dot_product_attention(
      padded_heads(q, indices(padded_rows(q_segments)), batch, heads),
      padded_heads(k, keys, batch, heads), padded_heads(v, keys, batch, heads),
      valid.to(q.device()));
  return merged(y, indices(places_in_padded(q_segments, q.size(0))));
}

at::Tensor TorchBackend::masked_attention(const Tensor& qkv, const Segments& segments, int heads,
                                          std::span<const std::int32_t> hidden) {
  const std::int64_t batch = segments.count();
  const std::int64_t length = segments.max_length;
  const std::vector<std::int32_t> rows = padded_rows(segments);
  at::Tensor seen = at::ones({batch, 1, 1, length}, at::kBool);
  auto* flags = seen.data_ptr<bool>();
  for (std::size_t i = 0; i < rows.size(); ++i)
    flags[i] = !std::binary_search(hidden.begin(), hidden.end(), rows[i]);
  const at::Tensor visible =
      at::logical_and(seen, at::ones({length, length}, at::kBool).tril()).to(qkv.device());
  const at::Tensor pad = indices(rows);
  const std::int64_t width = qkv.size(1) / 3;
  const auto part = [&](int i) {
    return padded_heads(qkv.narrow(1, i * width, width), pad, batch, heads);
  };
  const at::Tensor y = at::scaled_dot_product_attention(part(0), part(1), part(2), visible);
  return merged(y, indices(places_in_padded(segments, qkv.size(0))));
}

at::Tensor TorchBackend::repeat_rows(const Table& table, int count) {
  return table.repeat({count, 1});
}

at::Tensor TorchBackend::append_row(const Tensor& x, const Segments& segments, const Table& row,
                                    const Table& positions, int place) {
  const at::Tensor last = row.view({1, -1}) + positions.narrow(0, place, 1);
  std::vector<std::int32_t> rows;
  for (int i = 0; i < segments.count(); ++i) {
    for (int r = segments.offsets[i]; r < segments.offsets[i + 1]; ++r) rows.push_back(r);
    rows.push_back(segments.rows());
  }
  return at::cat({x.narrow(0, 0, segments.rows()), last}, 0).index_select(0, indices(rows));
}

at::Tensor TorchBackend::embed_tokens(const TokenBatch& tokens, const Table& table) {
  return at::embedding(table, indices(tokens.ids));
}

at::Tensor TorchLoader::constant(std::vector<float> values, int width) {
  const at::Tensor rows = at::tensor(values).view({-1, width});
  return rows.to(weights_.device());
}

}  // namespace tandem
