#include "data/npy.h"

#include <array>
#include <cassert>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <optional>

#include "core/byte_reader.h"
#include "core/error.h"
#include "core/tensor.h"

namespace tandem {
namespace {

// file    := magic:"\x93NUMPY" major:u8 minor:u8 header_bytes:(u16 in version 1, else u32) header
// data header  := a Python dict literal with 'descr', 'fortran_order' and 'shape', spaces, '\n';
// data begins at 64 x n
constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kPreambleBytes = 10;
constexpr std::size_t kHeaderBytes = 128 - kPreambleBytes;  // room for any row count

std::string header_text(NpyDType dtype, std::size_t rows, std::size_t cols) {
  const char* descr = dtype == NpyDType::kF16 ? "<f2" : "<f4";
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}, {}), }}",
                                 descr, rows, cols);
  text.resize(kHeaderBytes - 1, ' ');
  return text + '\n';
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<std::uint64_t> shape;
};

// Reads the few kinds of Python literals that NumPy writes in its header.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  Header parse() {
    std::optional<std::string> descr;
    std::optional<bool> fortran_order;
    std::optional<std::vector<std::uint64_t>> shape;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !descr) {
        descr = quoted();
      } else if (key == "fortran_order" && !fortran_order) {
        fortran_order = boolean();
      } else if (key == "shape" && !shape) {
        shape = tuple();
      } else {
        throw broken();
      }
      if (!accept(',') && peek() != '}') throw broken();
    }
    if (peek() != '\0' || !descr || !fortran_order || !shape) throw broken();
    return {*descr, *fortran_order, *shape};
  }

 private:
  char peek() {
    while (!text_.empty() && (text_.front() == ' ' || text_.front() == '\n'))
      text_.remove_prefix(1);
    return text_.empty() ? '\0' : text_.front();
  }
  bool accept(char c) {
    if (peek() != c || text_.empty()) return false;
    text_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!accept(c)) throw broken();
  }
  std::string quoted() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') throw broken();
    const std::size_t end = text_.find(quote, 1);
    if (end == std::string_view::npos) throw broken();
    const std::string result(text_.substr(1, end - 1));
    text_.remove_prefix(end + 1);
    return result;
  }
  bool boolean() {
    peek();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(0, word.size()) != word) continue;
      text_.remove_prefix(word.size());
      return value;
    }
    throw broken();
  }
  std::vector<std::uint64_t> tuple() {
    std::vector<std::uint64_t> sides;
    expect('(');
    while (!accept(')')) {
      peek();
      std::uint64_t side = 0;
      const auto result = std::from_chars(text_.data(), text_.data() + text_.size(), side);
      if (result.ec != std::errc()) throw broken();
      text_.remove_prefix(static_cast<std::size_t>(result.ptr - text_.data()));
      sides.push_back(side);
      if (!accept(',') && peek() != ')') throw broken();
    }
    return sides;
  }
  Error broken() const {
    return Error(Kind::kCorrupt,
                 name_ + ": the header is malformed. Expected what numpy.save writes.");
  }

  std::string_view text_;
  const std::string& name_;
};

Header read_header(ByteReader& reader, const std::string& name) {
  if (reader.text(kMagic.size(), "magic") != kMagic) {
    throw Error(Kind::kCorrupt, name + ": is not a .npy file. Expected what numpy.save writes.");
  }
  const std::uint8_t major = reader.u8("version");
  reader.skip(1, "version");
  if (major < 1 || major > 3)
    throw Error(Kind::kUnsupported, fmt::format("{}: .npy version {}.", name, major));
  const std::uint64_t bytes = major == 1 ? reader.u16("header size") : reader.u32("header size");
  return HeaderParser(reader.text(bytes, "header"), name).parse();
}

DType tensor_dtype(NpyDType dtype) { return dtype == NpyDType::kF32 ? DType::kF32 : DType::kF16; }

// What stands behind the header.
struct Layout {
  NpyDType dtype = NpyDType::kF32;
  std::uint64_t rows = 0;
  std::uint64_t cols = 0;
  std::span<const std::byte> values;
};

Layout read_layout(std::span<const std::byte> bytes, const std::string& name) {
  ByteReader reader(bytes, name);
  const Header header = read_header(reader, name);
  if (header.descr != "<f4" && header.descr != "<f2") {
    throw Error(Kind::kUnsupported,
                fmt::format("{}: dtype {}. Expected <f4 or <f2 (float32, float16).", name,
                            header.descr.substr(0, 20)));
  }
  if (header.fortran_order || header.shape.size() != 2) {
    throw Error(Kind::kUnsupported,
                fmt::format("{}: {} dimensions{}. Expected 2 in C order.", name,
                            header.shape.size(), header.fortran_order ? " in Fortran order" : ""));
  }
  Layout layout;
  layout.dtype = header.descr == "<f4" ? NpyDType::kF32 : NpyDType::kF16;
  layout.rows = header.shape[0];
  layout.cols = header.shape[1];
  if (layout.cols == 0 && layout.rows > 0)
    throw Error(Kind::kUnsupported, name + ": rows without values.");
  const std::uint64_t needed =
      checked_mul(checked_mul(layout.rows, layout.cols, name + ": shape"),
                  dtype_bytes(tensor_dtype(layout.dtype)), name + ": shape");
  if (needed != reader.remaining()) {
    throw Error(Kind::kCorrupt,
                fmt::format("{}: {} x {} values need {} bytes, but {} follow the header.", name,
                            layout.rows, layout.cols, needed, reader.remaining()));
  }
  layout.values = reader.take(needed, "data");
  return layout;
}

// One dimension stands for both: their product fits in memory, each of them need not fit in a
// signed number.
Matrix to_matrix(const Layout& layout) {
  Matrix matrix;
  matrix.rows = layout.rows;
  matrix.cols = layout.cols;
  matrix.values = to_float({tensor_dtype(layout.dtype),
                            {static_cast<std::int64_t>(layout.rows * layout.cols)},
                            layout.values});
  return matrix;
}

}  // namespace

NpyWriter::NpyWriter(const std::filesystem::path& path, std::size_t cols, NpyDType dtype)
    : file_(path), cols_(cols), dtype_(dtype) {
  file_.write(kMagic);
  file_.write(std::string_view("\x01\x00", 2));
  constexpr std::array kSize = {static_cast<std::byte>(kHeaderBytes & 0xFF),
                                static_cast<std::byte>(kHeaderBytes >> 8)};
  file_.write(kSize);
  file_.write(header_text(dtype_, 0, cols_));
}

void NpyWriter::add(std::span<const float> row) {
  if (row.size() != cols_) {
    throw Error(Kind::kInternal,
                fmt::format("a row of {} values for a file of {} columns", row.size(), cols_));
  }
  if (dtype_ == NpyDType::kF32) {
    file_.write(std::as_bytes(row));
  } else {
    std::vector<std::uint16_t> halves(row.size());
    for (std::size_t i = 0; i < row.size(); ++i) halves[i] = float_to_half(row[i]);
    file_.write(std::as_bytes(std::span<const std::uint16_t>(halves)));
  }
  ++rows_;
}

void NpyWriter::finish() {
  file_.write_at(kPreambleBytes, bytes_of(header_text(dtype_, rows_, cols_)));
  file_.commit();
}

NpyReader::NpyReader(const std::filesystem::path& path) : file_(path) {
  const auto layout = read_layout(file_.bytes(), path.string());
  rows_ = layout.rows;
  cols_ = layout.cols;
  dtype_ = layout.dtype;
  values_ = layout.values;
}

Matrix NpyReader::read(std::uint64_t first, std::uint64_t count) const {
  assert(first <= rows_ && count <= rows_ - first);
  const std::uint64_t row_bytes = cols_ * dtype_bytes(tensor_dtype(dtype_));
  const auto some = values_.subspan(first * row_bytes, count * row_bytes);
  auto matrix = to_matrix({dtype_, count, cols_, some});
  drop_pages(some, file_.bytes());
  return matrix;
}

Matrix read_npy(const std::filesystem::path& path) {
  const MappedFile file(path);
  return parse_npy(file.bytes(), path.string());
}

Matrix parse_npy(std::span<const std::byte> bytes, const std::string& name) {
  return to_matrix(read_layout(bytes, name));
}

}  // namespace tandem
