#include "model/dialect.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"

namespace tandem {
namespace {

std::int64_t product(const std::vector<std::int64_t>& shape) {
  std::int64_t n = 1;
  for (const std::int64_t side : shape) n *= side;
  return n;
}

}  // namespace

const std::vector<Dialect>& dialects() {
  static const std::vector<Dialect> kDialects = {
      eva_dialect(),         // its single files would pass for open_clip's
      mobileclip_dialect(),  // so would these
      big_vision_dialect(),  // its folders have open_clip's configuration
      open_clip_dialect(),  hf_clip_dialect(), hf_siglip_dialect(),
  };
  return kDialects;
}

const Dialect* dialect_of(const std::filesystem::path& path) {
  for (const Dialect& dialect : dialects()) {
    if (dialect.recognises(path)) return &dialect;
  }
  return nullptr;
}

const TensorView& TensorRenamer::use(const std::string& from) {
  const auto it = from_.tensors.find(from);
  if (it == from_.tensors.end()) fail(from, "is missing. The file does not fit its configuration.");
  used_[from] = true;
  return it->second;
}

void TensorRenamer::fail(const std::string& tensor, const std::string& problem) const {
  throw Error(Kind::kCorrupt, fmt::format("{}: tensor \"{}\" {}", where_, tensor, problem));
}

void TensorRenamer::rename(const std::string& from, const std::string& to) {
  to_.tensors[to] = use(from);
}

void TensorRenamer::reshape(const std::string& from, const std::string& to,
                            std::vector<std::int64_t> shape) {
  TensorView view = use(from);
  if (view.count() != product(shape)) {
    fail(from, fmt::format("has shape [{}]. Expected {} values.", fmt::join(view.shape, ","),
                           product(shape)));
  }
  view.shape = std::move(shape);
  to_.tensors[to] = std::move(view);
}

void TensorRenamer::transpose(const std::string& from, const std::string& to) {
  const TensorView& view = use(from);
  if (view.shape.size() != 2)
    fail(from, fmt::format("has {} dimensions. Expected a matrix.", view.shape.size()));
  const auto rows = static_cast<std::size_t>(view.shape[0]);
  const auto columns = static_cast<std::size_t>(view.shape[1]);
  const std::size_t size = dtype_bytes(view.dtype);
  auto bytes = std::make_shared<std::vector<std::byte>>(view.bytes.size());
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c)
      std::copy_n(view.bytes.data() + (r * columns + c) * size, size,
                  bytes->data() + (c * rows + r) * size);
  }
  own(to, {view.dtype, {view.shape[1], view.shape[0]}, {}}, std::move(bytes));
}

void TensorRenamer::join(const std::vector<std::string>& from, const std::string& to) {
  const TensorView& first = use(from.at(0));
  if (first.shape.empty()) fail(from[0], "is a single number. Expected rows to join.");
  TensorView joined{first.dtype, first.shape, {}};
  joined.shape[0] = 0;
  auto bytes = std::make_shared<std::vector<std::byte>>();
  for (const std::string& name : from) {
    const TensorView& part = use(name);
    const bool fits = part.dtype == first.dtype && part.shape.size() == first.shape.size() &&
                      std::equal(part.shape.begin() + 1, part.shape.end(), first.shape.begin() + 1);
    if (!fits) {
      fail(name, fmt::format("is {} [{}]. Expected rows like those of \"{}\", {} [{}].",
                             dtype_name(part.dtype), fmt::join(part.shape, ","), from[0],
                             dtype_name(first.dtype), fmt::join(first.shape, ",")));
    }
    joined.shape[0] += part.shape[0];
    bytes->insert(bytes->end(), part.bytes.begin(), part.bytes.end());
  }
  own(to, std::move(joined), std::move(bytes));
}

void TensorRenamer::slice(const std::string& from, const std::string& to, std::int64_t begin,
                          std::int64_t end) {
  TensorView view = use(from);
  const std::int64_t rows = view.shape.empty() ? 0 : view.shape[0];
  if (begin < 0 || begin > end || end > rows)
    fail(from, fmt::format("has {} rows. Expected at least {}.", rows, end));
  const std::size_t row_bytes = rows == 0 ? 0 : view.bytes.size() / static_cast<std::size_t>(rows);
  view.bytes = view.bytes.subspan(static_cast<std::size_t>(begin) * row_bytes,
                                  static_cast<std::size_t>(end - begin) * row_bytes);
  if (!view.shape.empty()) view.shape[0] = end - begin;
  to_.tensors[to] = std::move(view);
}

void TensorRenamer::put(const std::string& to, std::vector<std::int64_t> shape,
                        std::vector<float> values) {
  to_.add_float(to, std::move(shape), std::move(values));
}

const TensorView& TensorRenamer::at(const std::string& from) { return use(from); }

bool TensorRenamer::has(const std::string& from) const { return from_.contains(from); }

void TensorRenamer::ignore(const std::string& from) {
  if (has(from)) used_[from] = true;
}

TensorMap TensorRenamer::take() {
  for (const auto& [name, view] : from_.tensors) {
    if (!used_.contains(name))
      fail(name, "is not part of this model. Another configuration was expected.");
  }
  to_.owners.insert(to_.owners.end(), from_.owners.begin(), from_.owners.end());
  return std::move(to_);
}

void TensorRenamer::own(const std::string& to, TensorView view,
                        std::shared_ptr<std::vector<std::byte>> bytes) {
  view.bytes = *bytes;
  to_.tensors[to] = std::move(view);
  to_.owners.push_back(std::move(bytes));
}

}  // namespace tandem
