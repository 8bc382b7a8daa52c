#include "core/safetensors.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <optional>
#include <utility>

#include "core/byte_reader.h"
#include "core/error.h"
#include "core/files.h"
#include "core/json.h"

namespace tandem {
namespace {

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the reference's MAX_HEADER_SIZE
constexpr std::size_t kMaxTensors = 100'000;            // reliability.md §2
constexpr std::size_t kMaxRank = 8;                     // reliability.md §2
// A tensor is at most 5 values plus its shape; this bounds what a hostile header may make us
// allocate.
constexpr std::size_t kMaxHeaderValues = kMaxTensors * (5 + kMaxRank);
constexpr std::size_t kDataAlignment = 64;  // a cache line: mapped float rows start aligned
constexpr std::array kAllDTypes = {DType::kF64, DType::kF32, DType::kF16, DType::kBF16,
                                   DType::kI64, DType::kI32, DType::kI16, DType::kI8,
                                   DType::kU8,  DType::kBool};
// Real dtypes of the format that nothing here computes with.
constexpr std::array<std::string_view, 12> kForeignDTypes = {
    "U16",     "U32",         "U64",         "C64", "F8_E4M3", "F8_E5M2",
    "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F4",  "F6_E2M3", "F6_E3M2"};

// Where one tensor lies, as its header entry states.
struct Entry {
  std::string_view name;  // owned by the header's JSON value
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

class HeaderReader {
 public:
  HeaderReader(std::string_view text, std::string name) : name_(std::move(name)) {
    if (text.empty() || text.front() != '{') throw broken("", "the header does not start with '{'");
    header_ = json::parse(text, name_ + ": header", kMaxHeaderValues);
    if (header_.get_object().size() > kMaxTensors + 1) {
      throw broken("", fmt::format("more than {} tensors", kMaxTensors));
    }
  }

  std::map<std::string, std::string> metadata() const {
    std::map<std::string, std::string> result;
    const json::value* found = header_.get_object().if_contains("__metadata__");
    if (found == nullptr || found->is_null()) return result;
    if (!found->is_object()) throw broken("__metadata__", "expected an object of texts");
    for (const auto& member : found->get_object()) {
      if (!member.value().is_string()) throw broken("__metadata__", "expected an object of texts");
      const auto& text = member.value().get_string();
      result.emplace(std::string(member.key()), std::string(text.data(), text.size()));
    }
    return result;
  }

  // In file order. Checks every rule but the coverage of the data.
  std::vector<Entry> entries() const {
    std::vector<Entry> result;
    for (const auto& member : header_.get_object()) {
      const std::string_view key(member.key().data(), member.key().size());
      if (key != "__metadata__") result.push_back(entry(key, member.value()));
    }
    std::sort(result.begin(), result.end(), [](const Entry& a, const Entry& b) {
      return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
    });
    return result;
  }

  // Throws unless the tensors cover [0, data_bytes) without hole or overlap.
  void check_coverage(const std::vector<Entry>& sorted, std::uint64_t data_bytes) const {
    std::uint64_t covered = 0;
    for (const Entry& e : sorted) {
      if (e.begin != covered) {
        throw broken(e.name,
                     fmt::format("data_offsets begin at {}, but the tensors before end at {}: a {}",
                                 e.begin, covered, e.begin > covered ? "hole" : "overlap"));
      }
      covered = e.end;
    }
    if (covered == data_bytes) return;
    const char* meaning =
        covered > data_bytes ? "the file is cut short" : "trailing bytes are not allowed";
    throw broken("", fmt::format("the tensors take {} bytes, but {} follow the header: {}", covered,
                                 data_bytes, meaning));
  }

 private:
  Error broken(std::string_view tensor, std::string_view rule) const {
    const auto where =
        tensor.empty() ? std::string() : fmt::format(": tensor \"{}\"", tensor.substr(0, 200));
    return Error(Kind::kCorrupt,
                 fmt::format("{}{}: {}. Expected a valid safetensors file.", name_, where, rule));
  }

  Entry entry(std::string_view name, const json::value& v) const {
    const json::object* fields = v.if_object();
    if (fields == nullptr)
      throw broken(name, "expected an object with dtype, shape and data_offsets");
    Entry result;
    result.name = name;
    result.dtype = dtype(name, fields->if_contains("dtype"));
    const auto shape = integers(name, "shape", fields->if_contains("shape"));
    const auto offsets = integers(name, "data_offsets", fields->if_contains("data_offsets"));
    if (shape.size() > kMaxRank)
      throw broken(name, fmt::format("{} dimensions; at most {}", shape.size(), kMaxRank));
    if (offsets.size() != 2 || offsets[1] < offsets[0])
      throw broken(name, "data_offsets are not [begin, end]");
    result.begin = offsets[0];
    result.end = offsets[1];
    std::uint64_t bytes = dtype_bytes(result.dtype);
    for (const std::uint64_t side : shape) {
      if (__builtin_mul_overflow(bytes, side, &bytes))
        throw broken(name, "the product of its shape overflows");
      // A later 0 may hide a side that no signed number holds.
      if (side > INT64_MAX) throw broken(name, "a side of its shape is too large");
      result.shape.push_back(static_cast<std::int64_t>(side));
    }
    if (bytes != result.end - result.begin) {
      throw broken(name, fmt::format("dtype and shape need {} bytes, but data_offsets give {}",
                                     bytes, result.end - result.begin));
    }
    return result;
  }

  DType dtype(std::string_view name, const json::value* v) const {
    if (v == nullptr || !v->is_string()) throw broken(name, "dtype is missing or not a text");
    const std::string_view text(v->get_string().data(), v->get_string().size());
    for (const DType known : kAllDTypes) {
      if (dtype_name(known) == text) return known;
    }
    if (std::find(kForeignDTypes.begin(), kForeignDTypes.end(), text) != kForeignDTypes.end()) {
      throw Error(Kind::kUnsupported,
                  fmt::format("{}: tensor \"{}\": dtype {} is not supported. Convert it to F32, "
                              "F16, BF16 or I8.",
                              name_, name, text));
    }
    throw broken(name, fmt::format("unknown dtype \"{}\"", text.substr(0, 40)));
  }

  std::vector<std::uint64_t> integers(std::string_view name, std::string_view field,
                                      const json::value* v) const {
    const auto fail = [&] {
      return broken(name, fmt::format("{} is not a list of integers >= 0", field));
    };
    if (v == nullptr || !v->is_array()) throw fail();
    std::vector<std::uint64_t> result;
    for (const json::value& element : v->get_array()) {
      if (element.is_uint64()) {
        result.push_back(element.get_uint64());
      } else if (element.is_int64() && element.get_int64() >= 0) {
        result.push_back(static_cast<std::uint64_t>(element.get_int64()));
      } else {
        throw fail();
      }
    }
    return result;
  }

  std::string name_;
  json::value header_;
};

// Checks `header` against a data section of `data.size()` bytes and cuts the views.
SafeTensors assemble(std::string_view header, std::span<const std::byte> data,
                     const std::string& name) {
  const HeaderReader reader(header, name);
  SafeTensors result;
  result.metadata = reader.metadata();
  std::vector<Entry> entries = reader.entries();
  reader.check_coverage(entries, data.size());
  for (Entry& e : entries) {
    TensorView view{e.dtype, std::move(e.shape), data.subspan(e.begin, e.end - e.begin)};
    result.map.tensors.emplace(std::string(e.name), std::move(view));
  }
  return result;
}

std::uint64_t checked_header_bytes(std::uint64_t stated, std::uint64_t file_bytes,
                                   const std::string& name) {
  if (stated > kMaxHeaderBytes) {
    throw Error(Kind::kCorrupt,
                fmt::format("{}: a header of {} bytes; at most {}. Is this a safetensors file?",
                            name, stated, kMaxHeaderBytes));
  }
  if (stated > file_bytes - 8) {
    throw Error(Kind::kCorrupt,
                fmt::format("{}: a header of {} bytes in a file of {}. The file is cut short.",
                            name, stated, file_bytes));
  }
  return stated;
}

}  // namespace

SafeTensors read_safetensors(const std::filesystem::path& path) {
  const auto file = std::make_shared<const MappedFile>(path);
  const std::string name = path.string();
  const std::size_t size = file->bytes().size();
  // The header comes through read(): a file cut short meanwhile is an error then, never a SIGBUS.
  std::array<std::byte, 8> size_field{};
  if (size < size_field.size())
    throw Error(Kind::kCorrupt, name + ": too short for a safetensors file.");
  file->read(0, size_field);
  const std::uint64_t header_bytes =
      checked_header_bytes(ByteReader(size_field, name).u64("header size"), size, name);
  std::string header(header_bytes, '\0');
  file->read(8, std::as_writable_bytes(std::span(header)));
  SafeTensors result = assemble(header, file->bytes().subspan(8 + header_bytes), name);
  file->check_unchanged();
  for (auto& [tensor, view] : result.map.tensors) view.file = file->bytes();
  result.map.owners.push_back(file);
  return result;
}

SafeTensors parse_safetensors(std::span<const std::byte> bytes, const std::string& name) {
  ByteReader reader(bytes, name);
  const std::uint64_t header_bytes =
      checked_header_bytes(reader.u64("header size"), bytes.size(), name);
  const std::string_view header = reader.text(header_bytes, "header");
  return assemble(header, bytes.subspan(reader.position()), name);
}

void write_safetensors(const std::filesystem::path& path, const TensorMap& map,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<const std::pair<const std::string, TensorView>*> order;
  order.reserve(map.tensors.size());
  for (const auto& entry : map.tensors) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return dtype_bytes(a->second.dtype) > dtype_bytes(b->second.dtype);
  });
  json::object header;
  if (!metadata.empty()) {
    json::object& texts = header["__metadata__"].emplace_object();
    for (const auto& [key, text] : metadata) texts[key] = text;
  }
  std::uint64_t offset = 0;
  for (const auto* entry : order) {
    const TensorView& view = entry->second;
    if (static_cast<std::uint64_t>(view.count()) * dtype_bytes(view.dtype) != view.bytes.size()) {
      throw Error(Kind::kInternal,
                  fmt::format("write_safetensors: {}: shape and bytes differ", entry->first));
    }
    json::array shape(view.shape.begin(), view.shape.end());
    header[entry->first] = {{"dtype", std::string(dtype_name(view.dtype))},
                            {"shape", std::move(shape)},
                            {"data_offsets", {offset, offset + view.bytes.size()}}};
    offset += view.bytes.size();
  }
  std::string text = json::dump(header);
  text.append((kDataAlignment - (8 + text.size()) % kDataAlignment) % kDataAlignment, ' ');
  if (text.size() > kMaxHeaderBytes)
    throw Error(Kind::kInput, path.string() + ": the header would be too large.");

  AtomicFile file(path);
  std::array<std::byte, 8> size_field{};
  for (std::size_t i = 0; i < 8; ++i)
    size_field[i] = static_cast<std::byte>(text.size() >> (8 * i));
  file.write(size_field);
  file.write(text);
  for (const auto* entry : order) file.write(entry->second.bytes);
  file.commit();
}

}  // namespace tandem
