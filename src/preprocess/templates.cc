#include "preprocess/templates.h"

#include <algorithm>

#include "core/error.h"
#include "core/files.h"

namespace tandem {
namespace {

constexpr std::string_view kPlaceholder = "{}";
constexpr std::string_view kNames = "none, simple, openai, icons";

// Lines without the white space at their ends, blank ones and '#' comments left out.
std::vector<std::string> read_lines(const std::filesystem::path& path) {
  constexpr std::string_view kSpace = " \t\r\v\f";
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  const std::string text = read_text_file(path);
  std::string_view rest = text;
  if (rest.starts_with(kByteOrderMark)) rest.remove_prefix(kByteOrderMark.size());
  std::vector<std::string> lines;
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    line.remove_prefix(std::min(line.size(), line.find_first_not_of(kSpace)));
    line = line.substr(0, line.find_last_not_of(kSpace) + 1);
    if (!line.empty() && line[0] != '#') lines.emplace_back(line);
  }
  return lines;
}

std::filesystem::path templates_path(std::string_view name, const std::filesystem::path& assets) {
  if (name == "simple" || name == "openai" || name == "icons") {
    return assets / "prompts" / (std::string(name) + ".txt");
  }
  std::filesystem::path path{name};
  if (!std::filesystem::is_regular_file(path)) {
    throw Error(Kind::kNotFound, "templates " + std::string(name) + ": unknown. Expected one of " +
                                     std::string(kNames) +
                                     ", or a text file with one template a line.");
  }
  return path;
}

}  // namespace

std::string apply_template(std::string_view tmpl, std::string_view label) {
  std::string out;
  for (std::size_t at = 0; at < tmpl.size();) {
    const std::size_t hole = std::min(tmpl.find(kPlaceholder, at), tmpl.size());
    out += tmpl.substr(at, hole - at);
    if (hole < tmpl.size()) out += label;
    at = hole + kPlaceholder.size();
  }
  return out;
}

std::vector<std::string> load_templates(std::string_view name,
                                        const std::filesystem::path& assets) {
  if (name == "none") return {std::string(kPlaceholder)};
  const std::filesystem::path path = templates_path(name, assets);
  std::vector<std::string> templates = read_lines(path);
  for (const std::string& line : templates) {
    if (line.find(kPlaceholder) == std::string::npos) {
      throw Error(Kind::kInput, path.string() + ": template \"" + line +
                                    "\" has no {}. Expected one where the label goes.");
    }
  }
  if (templates.empty()) {
    throw Error(Kind::kInput, path.string() +
                                  ": no templates. Expected one a line, with {} where "
                                  "the label goes.");
  }
  return templates;
}

std::vector<std::string> load_labels(const std::filesystem::path& path) { return read_lines(path); }

}  // namespace tandem
