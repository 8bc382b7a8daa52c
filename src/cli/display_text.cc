// Text from outside on a terminal: escape(), display_width(), fit(), fit_path() of console.h.
#include <fmt/format.h>
#include <utf8proc.h>

#include "cli/console.h"
#include "core/utf8.h"

namespace tandem::cli {
namespace {

struct CodePoint {
  std::size_t bytes = 0;  // 0: not UTF-8
  utf8proc_int32_t value = 0;
};

CodePoint first_of(std::string_view text) {
  CodePoint point;
  point.bytes = utf8_sequence(text);
  if (point.bytes > 0) {
    utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                     static_cast<utf8proc_ssize_t>(point.bytes), &point.value);
  }
  return point;
}

// Characters that move the cursor, switch modes, or reorder and hide their neighbours (Unicode TR
// 36, section 2.2).
bool is_unsafe(utf8proc_int32_t value) {
  switch (utf8proc_category(value)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
      return true;
    case UTF8PROC_CATEGORY_CF:
      return value != 0x200D;  // the joiner of emoji sequences is harmless
    default:
      return false;
  }
}

std::size_t width_of(utf8proc_int32_t value) {
  return static_cast<std::size_t>(std::max(0, utf8proc_charwidth(value)));
}

}  // namespace

std::string escape(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  while (!text.empty()) {
    const auto point = first_of(text);
    const auto bytes = std::max<std::size_t>(point.bytes, 1);
    if (point.bytes == 0) {
      safe += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
    } else if (point.value == '\n') {
      safe += "\\n";
    } else if (point.value == '\t') {
      safe += "\\t";
    } else if (is_unsafe(point.value)) {
      safe += point.value < 0x100     ? fmt::format("\\x{:02x}", point.value)
              : point.value < 0x10000 ? fmt::format("\\u{:04x}", point.value)
                                      : fmt::format("\\U{:08x}", point.value);
    } else {
      safe += text.substr(0, bytes);
    }
    text.remove_prefix(bytes);
  }
  return safe;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const auto point = first_of(text);
    width += point.bytes == 0 ? 1 : width_of(point.value);
    text.remove_prefix(std::max<std::size_t>(point.bytes, 1));
  }
  return width;
}

std::string fit(std::string_view text, std::size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  std::string cut;
  std::size_t used = 1;  // the ellipsis
  while (!text.empty()) {
    const auto point = first_of(text);
    const auto bytes = std::max<std::size_t>(point.bytes, 1);
    used += point.bytes == 0 ? 1 : width_of(point.value);
    if (used > columns) break;
    cut += text.substr(0, bytes);
    text.remove_prefix(bytes);
  }
  return columns == 0 ? "" : cut + "…";
}

std::string fit_path(std::string_view text, std::size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  while (!text.empty() && display_width(text) + 1 > columns) {
    text.remove_prefix(std::max<std::size_t>(utf8_sequence(text), 1));
  }
  return columns == 0 ? "" : "…" + std::string(text);
}

}  // namespace tandem::cli
