// dump() and pretty() of json.h.
#include <charconv>
#include <cmath>
#include <fmt/format.h>

#include "core/json.h"
#include "core/utf8.h"

namespace tandem::json {
namespace {

void write_text(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const std::size_t bytes = utf8_sequence(text);
    const auto c = static_cast<unsigned char>(text.front());
    if (bytes == 0) {
      out += "\xEF\xBF\xBD";  // U+FFFD: a file name need not be UTF-8, but JSON must be
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c < 0x20 || c == 0x7F) {
      out += fmt::format("\\u{:04x}", c);
    } else {
      out.append(text, 0, bytes);
    }
    text.remove_prefix(bytes == 0 ? 1 : bytes);
  }
  out += '"';
}

void write_double(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += "null";  // JSON has no infinities or NaN
    return;
  }
  char buffer[32];
  const auto result = std::to_chars(buffer, buffer + sizeof(buffer), number);
  const std::string_view text(buffer, static_cast<std::size_t>(result.ptr - buffer));
  out += text;
  if (text.find_first_of(".e") == std::string_view::npos)
    out += ".0";  // stays a double when read again
}

// Writes values recursively; values from parse() are at most 64 deep.
class Writer {
 public:
  explicit Writer(std::size_t indent) : indent_(indent) {}

  void write(const value& v) {
    switch (v.kind()) {
      case boost::json::kind::null:
        out_ += "null";
        break;
      case boost::json::kind::bool_:
        out_ += v.get_bool() ? "true" : "false";
        break;
      case boost::json::kind::int64:
        out_ += std::to_string(v.get_int64());
        break;
      case boost::json::kind::uint64:
        out_ += std::to_string(v.get_uint64());
        break;
      case boost::json::kind::double_:
        write_double(out_, v.get_double());
        break;
      case boost::json::kind::string:
        write_text(out_, v.get_string());
        break;
      case boost::json::kind::array:
        write_array(v.get_array());
        break;
      case boost::json::kind::object:
        write_object(v.get_object());
        break;
    }
  }

  std::string take() { return std::move(out_); }

 private:
  void write_array(const array& values) {
    bool plain = true;  // arrays of numbers and texts stay on one line
    for (const value& v : values) plain = plain && !v.is_structured();
    out_ += '[';
    ++depth_;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i > 0) out_ += plain && indent_ > 0 ? ", " : ",";
      if (!plain) new_line();
      write(values[i]);
    }
    --depth_;
    if (!plain) new_line();
    out_ += ']';
  }

  void write_object(const object& members) {
    out_ += '{';
    ++depth_;
    bool first = true;
    for (const auto& member : members) {
      if (!first) out_ += ',';
      first = false;
      new_line();
      write_text(out_, member.key());
      out_ += indent_ > 0 ? ": " : ":";
      write(member.value());
    }
    --depth_;
    if (!first) new_line();
    out_ += '}';
  }

  void new_line() {
    if (indent_ > 0) out_.append("\n").append(indent_ * depth_, ' ');
  }

  std::string out_;
  std::size_t indent_;
  std::size_t depth_ = 0;
};

std::string text_of(const value& v, std::size_t indent) {
  Writer writer(indent);
  writer.write(v);
  return writer.take();
}

}  // namespace

std::string dump(const value& v) { return text_of(v, 0); }

std::string pretty(const value& v) { return text_of(v, 2); }

}  // namespace tandem::json
