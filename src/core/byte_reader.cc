#include "core/byte_reader.h"

#include <cstring>
#include <fmt/format.h>
#include <utility>

#include "core/error.h"

namespace tandem {
namespace {

template <typename T>
T read_little_endian(std::span<const std::byte> bytes) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value |
                           (static_cast<T>(std::to_integer<std::uint8_t>(bytes[i])) << (8 * i)));
  }
  return value;
}

}  // namespace

ByteReader::ByteReader(std::span<const std::byte> bytes, std::string name)
    : bytes_(bytes), name_(std::move(name)) {}

std::uint8_t ByteReader::u8(std::string_view field) {
  return read_little_endian<std::uint8_t>(take(1, field));
}

std::uint16_t ByteReader::u16(std::string_view field) {
  return read_little_endian<std::uint16_t>(take(2, field));
}

std::uint32_t ByteReader::u32(std::string_view field) {
  return read_little_endian<std::uint32_t>(take(4, field));
}

std::uint64_t ByteReader::u64(std::string_view field) {
  return read_little_endian<std::uint64_t>(take(8, field));
}

std::span<const std::byte> ByteReader::take(std::uint64_t count, std::string_view field) {
  if (count > remaining()) {
    throw Error(Kind::kCorrupt,
                fmt::format("{}: {} needs {} bytes at offset {}, but only {} are left. "
                            "The file is damaged or cut short.",
                            name_, field, count, position_, remaining()));
  }
  const auto result = bytes_.subspan(position_, static_cast<std::size_t>(count));
  position_ += static_cast<std::size_t>(count);
  return result;
}

std::string_view ByteReader::text(std::uint64_t count, std::string_view field) {
  const auto bytes = take(count, field);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void ByteReader::skip(std::uint64_t count, std::string_view field) { take(count, field); }

std::uint64_t checked_mul(std::uint64_t a, std::uint64_t b, std::string_view what) {
  std::uint64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) {
    throw Error(Kind::kCorrupt, fmt::format("{} overflows: {} x {}", what, a, b));
  }
  return result;
}

std::uint64_t checked_add(std::uint64_t a, std::uint64_t b, std::string_view what) {
  std::uint64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) {
    throw Error(Kind::kCorrupt, fmt::format("{} overflows: {} + {}", what, a, b));
  }
  return result;
}

}  // namespace tandem
