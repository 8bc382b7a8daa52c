#include "data/tar.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

namespace tandem {
namespace {

constexpr std::uint64_t kBlock = 512;
// Long names and pax headers are copied; real ones are below a few kilobytes.
constexpr std::uint64_t kMaxExtensionBytes = 1 << 20;

// header := name:100 mode:8 uid:8 gid:8 size:12 mtime:12 checksum:8 type:1 link:100 magic:6
// version:2 user:32 group:32
//           major:8 minor:8 prefix:155 pad:12
std::string_view field(std::string_view header, std::size_t offset, std::size_t size) {
  const std::string_view raw = header.substr(offset, size);
  return raw.substr(0, std::min(raw.find('\0'), raw.size()));
}

std::optional<std::uint64_t> octal(std::string_view text) {
  const auto begin = std::min(text.find_first_not_of(' '), text.size());
  const auto end = text.find_last_not_of(' ') + 1;
  if (begin >= end) return 0;  // an empty field counts as 0
  std::uint64_t value = 0;
  const auto result = std::from_chars(text.data() + begin, text.data() + end, value, 8);
  if (result.ec != std::errc() || result.ptr != text.data() + end) return std::nullopt;
  return value;
}

// Octal text, or base 256 (GNU) when the first bit is set: a big-endian number of 95 bits, of which
// 63 may be used.
std::optional<std::uint64_t> size_field(std::string_view header) {
  const std::string_view raw = header.substr(124, 12);
  if ((static_cast<unsigned char>(raw[0]) & 0x80U) == 0) return octal(field(header, 124, 12));
  std::uint64_t value = static_cast<unsigned char>(raw[0]) & 0x7FU;
  for (std::size_t i = 1; i < raw.size(); ++i) {
    if (value >> 55 != 0) return std::nullopt;
    value = value << 8 | static_cast<unsigned char>(raw[i]);
  }
  return value;
}

bool checksum_is_right(std::string_view header) {
  const auto stated = octal(field(header, 148, 8));
  std::int64_t with_unsigned = 8 * ' ';
  std::int64_t with_signed = 8 * ' ';  // some old writers summed signed characters
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (i >= 148 && i < 156) continue;
    with_unsigned += static_cast<unsigned char>(header[i]);
    with_signed += static_cast<signed char>(header[i]);
  }
  return stated && (static_cast<std::int64_t>(*stated) == with_unsigned ||
                    static_cast<std::int64_t>(*stated) == with_signed);
}

std::string name_of(std::string_view header) {
  const std::string_view name = field(header, 0, 100);
  const std::string_view prefix = field(header, 345, 155);
  const bool posix =
      header.substr(257, 6) == std::string_view("ustar\0", 6);  // GNU has other fields there
  if (!posix || prefix.empty()) return std::string(name);
  return std::string(prefix).append("/").append(name);
}

bool all_zero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

// record := length:decimal ' ' key '=' value '\n'   where length counts the whole record
// Calls `use(key, value)` for each; false when the records are malformed.
template <typename Use>
bool for_each_pax_record(std::string_view text, Use use) {
  while (!text.empty() && text.front() != '\0') {
    std::size_t length = 0;
    const auto number = std::from_chars(text.data(), text.data() + text.size(), length);
    const auto digits = static_cast<std::size_t>(number.ptr - text.data());
    if (number.ec != std::errc() || length > text.size() || length < digits + 3) return false;
    if (text[digits] != ' ' || text[length - 1] != '\n') return false;
    const std::string_view body = text.substr(digits + 1, length - digits - 2);
    const std::size_t equals = body.find('=');
    if (equals == std::string_view::npos) return false;
    if (!use(body.substr(0, equals), body.substr(equals + 1))) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

TarEvent TarReader::next() {
  const std::string_view all(reinterpret_cast<const char*>(tar_.data()), tar_.size());
  while (true) {
    if (all.size() - position_ < kBlock) return TarEvent::kCutShort;
    const std::string_view header = all.substr(position_, kBlock);
    if (all_zero(header)) return at_zero_block();
    if (!checksum_is_right(header)) return damaged("a header's checksum is wrong");
    const auto stated_size = size_field(header);
    if (!stated_size) return damaged("a member's size is not a number");
    const char type = header[156];
    const bool extension = type == 'L' || type == 'K' || type == 'x' || type == 'X' || type == 'g';
    const std::uint64_t size = extension ? *stated_size : next_size_.value_or(*stated_size);
    // Links, devices, folders and pipes carry no data, whatever their size field says.
    const std::uint64_t data = type >= '1' && type <= '6' ? 0 : size;
    const std::uint64_t offset = position_ + kBlock;
    if (data > all.size() - offset) return TarEvent::kCutShort;
    if (extension) {
      if (!read_extension(type, offset, data)) return damaged("an extension header is malformed");
    } else {
      member_.name = next_name_ ? std::move(*next_name_) : name_of(header);
      member_.regular = type == '0' || type == '\0' || type == '7';
      member_.offset = offset;
      member_.size = data;
      next_name_.reset();
      next_size_.reset();
    }
    // Padding of the last member may be missing: the member itself is whole.
    const std::uint64_t padding = (kBlock - data % kBlock) % kBlock;
    position_ = offset + data + std::min<std::uint64_t>(padding, all.size() - offset - data);
    if (!extension) return TarEvent::kMember;
  }
}

TarEvent TarReader::at_zero_block() {
  const auto rest = tar_.subspan(position_);
  const bool zeros =
      std::all_of(rest.begin(), rest.end(), [](std::byte b) { return b == std::byte{0}; });
  return zeros ? TarEvent::kEnd : TarEvent::kTrailing;
}

// Moves on to the next block that is a header with the magic word and a right checksum, or to the
// end.
TarEvent TarReader::damaged(std::string problem) {
  problem_ = std::move(problem);
  next_name_.reset();
  next_size_.reset();
  const std::string_view all(reinterpret_cast<const char*>(tar_.data()), tar_.size());
  for (position_ += kBlock; all.size() - position_ >= kBlock; position_ += kBlock) {
    const std::string_view header = all.substr(position_, kBlock);
    if (header.substr(257, 5) == "ustar" && checksum_is_right(header)) return TarEvent::kDamaged;
    if (all_zero(all.substr(position_))) return TarEvent::kDamaged;
  }
  return TarEvent::kDamaged;
}

bool TarReader::read_extension(char type, std::uint64_t offset, std::uint64_t size) {
  if (type == 'K' || type == 'g')
    return true;  // long link names; global pax records (comments, in practice)
  if (size > kMaxExtensionBytes) return false;
  const std::string_view text(reinterpret_cast<const char*>(tar_.data()) + offset, size);
  if (type == 'L') {
    next_name_ = std::string(text.substr(0, std::min(text.find('\0'), text.size())));
    return true;
  }
  return for_each_pax_record(text, [&](std::string_view key, std::string_view value) {
    if (key == "path") next_name_ = std::string(value);
    if (key != "size") return true;
    std::uint64_t bytes = 0;
    const auto result = std::from_chars(value.data(), value.data() + value.size(), bytes);
    next_size_ = bytes;
    return result.ec == std::errc() && result.ptr == value.data() + value.size();
  });
}

}  // namespace tandem
