// Reads little-endian fields from hostile bytes. Every read is checked and throws kCorrupt naming
// the field.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tandem {

class ByteReader {
 public:
  // `name` is used in messages (a path). Borrows the bytes.
  ByteReader(std::span<const std::byte> bytes, std::string name);

  std::uint8_t u8(std::string_view field);
  std::uint16_t u16(std::string_view field);
  std::uint32_t u32(std::string_view field);
  std::uint64_t u64(std::string_view field);
  std::span<const std::byte> take(std::uint64_t count, std::string_view field);
  std::string_view text(std::uint64_t count, std::string_view field);
  void skip(std::uint64_t count, std::string_view field);

  std::size_t position() const { return position_; }
  std::size_t remaining() const { return bytes_.size() - position_; }

 private:
  std::span<const std::byte> bytes_;
  std::string name_;
  std::size_t position_ = 0;
};

// a*b, throwing kCorrupt ("… overflows") instead of wrapping.
std::uint64_t checked_mul(std::uint64_t a, std::uint64_t b, std::string_view what);
std::uint64_t checked_add(std::uint64_t a, std::uint64_t b, std::string_view what);

}  // namespace tandem
