// Numbers of a TIFF structure (EXIF blocks) of either byte order. Borrows the bytes; a read outside
// them gives nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace tandem {

// One entry of a directory: tag:u16 type:u16 n:u32 value:u32, the value itself where it fits in 4
// bytes, else its offset.
struct TiffEntry {
  std::uint16_t tag = 0;
  std::uint16_t type = 0;
  std::uint32_t count = 0;
  std::span<const std::byte> value;  // all of it; empty where it lies outside
};

class TiffReader {
 public:
  // With or without "Exif\0\0" before it. Nothing when it is no TIFF structure.
  static std::optional<TiffReader> open(std::span<const std::byte> exif) {
    if (exif.size() >= 6 && std::memcmp(exif.data(), "Exif\0\0", 6) == 0) exif = exif.subspan(6);
    if (exif.size() < 8) return {};
    const bool little = std::memcmp(exif.data(), "II*\0", 4) == 0;
    if (!little && std::memcmp(exif.data(), "MM\0*", 4) != 0) return {};
    return TiffReader(exif, little);
  }

  bool little() const { return little_; }
  std::size_t first_directory() const { return get(4, 4).value_or(0); }

  std::optional<std::uint32_t> get(std::size_t at, int size) const { return get(bytes_, at, size); }
  // The same within an entry's value.
  std::optional<std::uint32_t> get(std::span<const std::byte> bytes, std::size_t at,
                                   int size) const {
    if (at > bytes.size() || bytes.size() - at < static_cast<std::size_t>(size)) return {};
    std::uint32_t value = 0;
    for (int i = 0; i < size; ++i) {
      const std::size_t from = little_ ? at + size - 1 - i : at + i;
      value = value << 8 | std::to_integer<std::uint32_t>(bytes[from]);
    }
    return value;
  }

  // Calls visit(entry) for every entry of the directory at `at`, as far as it lies inside. Real
  // ones have some dozens; more than kMostEntries would only cost time.
  template <typename Visit>
  void each_entry(std::size_t at, const Visit& visit) const {
    const std::uint32_t count = std::min(get(at, 2).value_or(0), kMostEntries);
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::size_t entry = at + 2 + std::size_t{12} * i;
      if (!get(entry, 2) || !get(entry + 8, 4)) return;
      visit(read_entry(entry));
    }
  }

 private:
  static constexpr std::uint32_t kMostEntries = 1024;

  TiffReader(std::span<const std::byte> bytes, bool little) : bytes_(bytes), little_(little) {}

  TiffEntry read_entry(std::size_t at) const {
    TiffEntry entry{static_cast<std::uint16_t>(*get(at, 2)),
                    static_cast<std::uint16_t>(*get(at + 2, 2)),
                    *get(at + 4, 4),
                    {}};
    const std::uint64_t size = std::uint64_t{entry.count} * bytes_of(entry.type);
    const std::size_t from = size <= 4 ? at + 8 : *get(at + 8, 4);
    if (from <= bytes_.size() && size <= bytes_.size() - from)
      entry.value = bytes_.subspan(from, static_cast<std::size_t>(size));
    return entry;
  }

  // Of one value of a type; unknown types: 0.
  static std::uint64_t bytes_of(std::uint16_t type) {
    switch (type) {
      case 1:    // BYTE
      case 2:    // ASCII
      case 6:    // SBYTE
      case 7:    // UNDEFINED
      case 129:  // UTF-8 (EXIF 3.0)
        return 1;
      case 3:  // SHORT
      case 8:  // SSHORT
        return 2;
      case 4:  // LONG
      case 9:  // SLONG
        return 4;
      case 5:   // RATIONAL
      case 10:  // SRATIONAL
        return 8;
      default:
        return 0;
    }
  }

  std::span<const std::byte> bytes_;
  bool little_;
};

}  // namespace tandem
