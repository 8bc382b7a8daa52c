#include "core/npz.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>

#include "core/byte_reader.h"
#include "core/error.h"
#include "core/files.h"
#include "core/zip.h"

namespace tandem {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::string_view kSuffix = ".npy";
constexpr std::size_t kMaxHeader = 10'000;  // numpy.load's max_header_size
constexpr std::size_t kMaxRank = 8;         // as in safetensors

struct Header {
  DType dtype = DType::kF32;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
};

[[noreturn]] void malformed(const std::string& where) {
  throw Error(Kind::kCorrupt,
              where + ": the array's header is malformed. Expected what numpy.save writes.");
}

// What is left of a header, read piece by piece.
class Cursor {
 public:
  Cursor(std::string_view text, const std::string& where) : text_(text), where_(where) {}
  bool accept(std::string_view piece) {
    if (!text_.starts_with(piece)) return false;
    text_.remove_prefix(piece.size());
    return true;
  }
  void expect(std::string_view piece) {
    if (!accept(piece)) malformed(where_);
  }
  std::string until(char end) {
    const std::size_t at = text_.find(end);
    if (at == std::string_view::npos || at == 0) malformed(where_);
    const std::string result(text_.substr(0, at));
    text_.remove_prefix(at);
    return result;
  }
  std::int64_t number() {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    const auto digits = static_cast<std::size_t>(end - text_.data());
    // Python has no number that begins with 0, but 0.
    if (error != std::errc() || value < 0 || (text_[0] == '0' && digits > 1) || text_[0] == '-')
      malformed(where_);
    text_.remove_prefix(digits);
    return value;
  }
  // "()", "(3,)", "(3, 4)" …
  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> sides;
    expect("(");
    if (accept(")")) return sides;
    sides.push_back(number());
    if (accept(",)")) return sides;
    do {
      expect(", ");
      sides.push_back(number());
      if (sides.size() > kMaxRank)
        throw Error(Kind::kUnsupported, fmt::format("{}: over {} dimensions.", where_, kMaxRank));
    } while (!accept(")"));
    return sides;
  }
  std::string_view rest() const { return text_; }

 private:
  std::string_view text_;
  const std::string& where_;
};

DType dtype_of(const std::string& descr, const std::string& where) {
  struct Row {
    std::string_view descr;
    DType dtype;
  };
  constexpr std::array<Row, 11> kRows = {{{"<f4", DType::kF32},
                                          {"<f2", DType::kF16},
                                          {"|V2", DType::kBF16},
                                          {"<V2", DType::kBF16},
                                          {"<f8", DType::kF64},
                                          {"<i8", DType::kI64},
                                          {"<i4", DType::kI32},
                                          {"<i2", DType::kI16},
                                          {"|i1", DType::kI8},
                                          {"|u1", DType::kU8},
                                          {"|b1", DType::kBool}}};
  for (const Row& row : kRows) {
    if (row.descr == descr) return row.dtype;
  }
  throw Error(Kind::kUnsupported,
              fmt::format("{}: dtype \"{}\". Expected little-endian floats or integers.", where,
                          descr.substr(0, 20)));
}

Header parse_header(std::string_view text, const std::string& where) {
  Cursor in(text, where);
  Header header;
  in.expect("{'descr': '");
  const std::string descr = in.until('\'');
  in.expect("', 'fortran_order': ");
  header.fortran_order = in.accept("True");
  if (!header.fortran_order) in.expect("False");
  in.expect(", 'shape': ");
  header.shape = in.tuple();
  in.expect(", }");
  const std::string_view rest = in.rest();
  if (rest.empty() || rest.back() != '\n' || rest.find_first_not_of(' ') != rest.size() - 1)
    malformed(where);
  header.dtype = dtype_of(descr, where);
  return header;
}

Header read_header(ByteReader& reader, const std::string& where) {
  if (reader.text(kMagic.size(), "magic") != kMagic)
    throw Error(Kind::kCorrupt, where + ": is not an array. Expected what numpy.save writes.");
  const std::uint8_t major = reader.u8("version");
  if (reader.u8("version") != 0 || major < 1 || major > 3)
    throw Error(Kind::kUnsupported, fmt::format("{}: .npy version {}.", where, major));
  const std::uint64_t bytes = major == 1 ? reader.u16("header size") : reader.u32("header size");
  if (bytes > kMaxHeader) malformed(where);
  return parse_header(reader.text(bytes, "header"), where);
}

// The contents of an array's file as a tensor. Sets `fortran` where the bytes are in that order.
TensorView parse_array(std::span<const std::byte> contents, const std::string& where,
                       bool& fortran) {
  ByteReader reader(contents, where);
  Header header = read_header(reader, where);
  std::uint64_t needed = dtype_bytes(header.dtype);
  for (const std::int64_t side : header.shape) {
    if (side == 0) throw Error(Kind::kUnsupported, where + ": an array without values.");
    needed = checked_mul(needed, static_cast<std::uint64_t>(side), where + ": shape");
  }
  if (needed != reader.remaining()) {
    throw Error(Kind::kCorrupt, fmt::format("{}: its shape needs {} bytes, but {} follow.", where,
                                            needed, reader.remaining()));
  }
  fortran = header.fortran_order && header.shape.size() > 1;
  return {header.dtype, std::move(header.shape), reader.take(needed, "data")};
}

// The same values with the last index running fastest.
std::shared_ptr<std::vector<std::byte>> c_order(const TensorView& view) {
  const std::size_t size = dtype_bytes(view.dtype);
  auto out = std::make_shared<std::vector<std::byte>>(view.bytes.size());
  const std::size_t rank = view.shape.size();
  std::vector<std::size_t> stride(rank, 1);  // in the file: the first index runs fastest
  for (std::size_t d = 1; d < rank; ++d)
    stride[d] = stride[d - 1] * static_cast<std::size_t>(view.shape[d - 1]);
  std::vector<std::int64_t> index(rank, 0);
  std::size_t from = 0;
  for (std::size_t to = 0; to < out->size(); to += size) {
    std::copy_n(view.bytes.data() + from * size, size, out->data() + to);
    for (std::size_t d = rank; d-- > 0;) {
      from += stride[d];
      if (++index[d] < view.shape[d]) break;
      from -= stride[d] * static_cast<std::size_t>(view.shape[d]);
      index[d] = 0;
    }
  }
  return out;
}

void add_array(const ZipEntry& entry, const std::string& where, TensorMap& map) {
  std::string name = entry.name;
  if (!name.ends_with(kSuffix) || name.size() == kSuffix.size()) {
    throw Error(Kind::kUnsupported,
                fmt::format("{}: entry \"{}\" is not a .npy array.", where, name));
  }
  name.resize(name.size() - kSuffix.size());
  const std::string array = where + ": " + name;
  std::span<const std::byte> contents = entry.packed;
  const auto own = [&](std::shared_ptr<std::vector<std::byte>> bytes) {
    contents = *bytes;
    map.owners.push_back(std::move(bytes));
  };
  if (entry.deflated) {
    own(std::make_shared<std::vector<std::byte>>(unpack(entry, where)));
  } else {
    check_stored(entry, where);
  }
  bool fortran = false;
  TensorView view = parse_array(contents, array, fortran);
  if (fortran) {
    own(c_order(view));
    view.bytes = contents;
  }
  map.tensors.emplace(std::move(name), std::move(view));
}

}  // namespace

TensorMap read_npz(const std::filesystem::path& path) {
  auto file = std::make_shared<MappedFile>(path);
  file->check_unchanged();
  TensorMap map = parse_npz(file->bytes(), path.string());
  map.owners.push_back(std::move(file));
  return map;
}

TensorMap parse_npz(std::span<const std::byte> bytes, const std::string& where) {
  TensorMap map;
  for (const ZipEntry& entry : parse_zip(bytes, where)) add_array(entry, where, map);
  return map;
}

}  // namespace tandem
