#include "serve/multipart.h"

#include <algorithm>
#include <optional>

#include "serve/message.h"

namespace tandem::serve {
namespace {

constexpr std::size_t kMostParts = 16;
constexpr std::size_t kMostHeaderBytes = 4'096;
constexpr std::size_t kMostBoundary = 70;  // RFC 2046, section 5.1.1

[[noreturn]] void bad(const std::string& message) {
  throw HttpError(400, "invalid_request", "multipart body: " + message);
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  });
  return out;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// A header's value: "form-data; name=\"image\"; filename=\"a;b.jpg\"".
class Fields {
 public:
  explicit Fields(std::string_view value) : rest_(value) {
    const std::size_t end = std::min(rest_.find(';'), rest_.size());
    first_ = lower(trimmed(rest_.substr(0, end)));
    rest_.remove_prefix(end);
  }
  const std::string& first() const { return first_; }

  // The value of a parameter.
  std::optional<std::string> get(std::string_view wanted) const {
    std::string_view rest = rest_;
    while (!rest.empty()) {
      rest.remove_prefix(1);  // ';'
      const std::size_t equal = rest.find_first_of("=;");
      if (equal == std::string_view::npos) return std::nullopt;
      const std::string name = lower(trimmed(rest.substr(0, equal)));
      rest.remove_prefix(equal);
      if (rest.front() == ';') continue;
      rest.remove_prefix(1);
      const std::string value = take(rest);
      if (name == wanted) return value;
    }
    return std::nullopt;
  }

 private:
  // Up to the next ';' outside quotes. Browsers write \" as %22; others quote it.
  static std::string take(std::string_view& rest) {
    while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t')) rest.remove_prefix(1);
    if (rest.empty() || rest.front() != '"') {
      const std::size_t end = std::min(rest.find(';'), rest.size());
      const std::string value(trimmed(rest.substr(0, end)));
      rest.remove_prefix(end);
      return value;
    }
    std::string value;
    std::size_t i = 1;
    for (; i < rest.size() && rest[i] != '"'; ++i) {
      if (rest[i] == '\\' && i + 1 < rest.size() && (rest[i + 1] == '"' || rest[i + 1] == '\\'))
        ++i;
      value += rest[i];
    }
    rest.remove_prefix(std::min(rest.find(';', std::min(i, rest.size())), rest.size()));
    return value;
  }

  std::string first_;
  std::string_view rest_;
};

std::string boundary_of(std::string_view content_type) {
  const Fields fields(content_type);
  const auto boundary = fields.get("boundary");
  if (fields.first() != "multipart/form-data" || !boundary || boundary->empty()) {
    throw HttpError(415, "unsupported_media_type",
                    "Content-Type: expected multipart/form-data with a boundary.");
  }
  if (boundary->size() > kMostBoundary)
    throw HttpError(400, "invalid_request", "Content-Type: a boundary has at most 70 characters.");
  return *boundary;
}

void read_header(std::string_view line, FormPart& part) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) bad("a part's header without a colon.");
  const std::string name = lower(trimmed(line.substr(0, colon)));
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (name == "content-type") part.content_type = std::string(value);
  if (name != "content-disposition") return;
  const Fields fields(value);
  if (fields.first() != "form-data") bad("a part that is not form-data.");
  part.name = fields.get("name").value_or("");
  part.file_name = fields.get("filename").value_or("");
}

// Headers up to the empty line; what follows is the part's content.
FormPart part_of(std::string_view text) {
  FormPart part;
  std::size_t at = 0;
  while (true) {
    const std::size_t end = text.substr(0, kMostHeaderBytes).find("\r\n", at);
    if (end == std::string_view::npos) bad("expected an empty line after a part's headers.");
    const std::string_view line = text.substr(at, end - at);
    at = end + 2;
    if (line.empty()) break;
    read_header(line, part);
  }
  if (part.name.empty()) bad("a part without a name.");
  part.bytes = text.substr(at);
  return part;
}

}  // namespace

std::vector<FormPart> parse_form(std::string_view content_type, std::string_view body) {
  const std::string delimiter = "\r\n--" + boundary_of(content_type);
  const std::string_view opening = std::string_view(delimiter).substr(2);
  std::size_t at = 0;  // after the last delimiter
  if (body.starts_with(opening)) {
    at = opening.size();
  } else {
    const std::size_t found = body.find(delimiter);
    if (found == std::string_view::npos) bad("the boundary that Content-Type names is not there.");
    at = found + delimiter.size();
  }
  std::vector<FormPart> parts;
  while (!body.substr(at).starts_with("--")) {
    while (at < body.size() && (body[at] == ' ' || body[at] == '\t')) ++at;
    if (!body.substr(at).starts_with("\r\n")) bad("expected a new line after a boundary.");
    const std::size_t start = at + 2;
    const std::size_t end = body.find(delimiter, start);
    if (end == std::string_view::npos) bad("cut short: the last boundary is missing.");
    if (parts.size() == kMostParts) bad("more than 16 parts.");
    parts.push_back(part_of(body.substr(start, end - start)));
    at = end + delimiter.size();
  }
  return parts;
}

const FormPart* find_part(const std::vector<FormPart>& parts, std::string_view name) {
  const auto found = std::find_if(parts.begin(), parts.end(),
                                  [&](const FormPart& part) { return part.name == name; });
  return found == parts.end() ? nullptr : &*found;
}

}  // namespace tandem::serve
