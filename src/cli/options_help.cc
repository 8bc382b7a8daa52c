// The page that --help shows: Options::help.
#include <algorithm>

#include "cli/console.h"
#include "cli/options.h"

namespace tandem::cli {
namespace {

// Words of `text` from column `indent`, broken so that no line passes `columns`. The first line is
// not indented.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t columns) {
  std::string out;
  std::size_t used = indent;
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(' '));
    const auto width = display_width(word);
    if (used > indent && used + 1 + width > columns) {
      out += "\n" + std::string(indent, ' ');
      used = indent;
    }
    if (used > indent) {
      out += ' ';
      ++used;
    }
    out += word;
    used += width;
    text.remove_prefix(std::min(text.size(), word.size() + 1));
  }
  return out;
}

// "  NAME        meaning", the meaning beginning at `column` or, when the name is too long, on the
// next line.
std::string entry(const std::string& name, const std::string& meaning, std::size_t column,
                  std::size_t columns) {
  std::string line = "  " + name;
  const auto width = display_width(line);
  line += width + 2 <= column ? std::string(column - width, ' ') : "\n" + std::string(column, ' ');
  return line + wrapped(meaning, column, columns) + "\n";
}

}  // namespace

std::string Options::help(std::size_t columns) const {
  constexpr std::size_t kColumn = 26;
  columns = std::clamp<std::size_t>(columns, 60, 100);
  std::string page =
      "tandem " + command_ + ": " + wrapped(summary_, command_.size() + 9, columns) + "\n\n";
  page +=
      "Usage: tandem " + command_ + (words_name_.empty() ? "" : " " + words_name_) + " [options]\n";
  if (!examples_.empty()) page += "\nExamples\n";
  for (const auto& [line, meaning] : examples_)
    page += "  " + line + "\n      " + wrapped(meaning, 6, columns) + "\n";
  if (words_ != nullptr) page += "\n" + entry(words_name_, words_help_, kColumn, columns);
  std::string group;
  for (const auto& option : options_) {
    if (option.group != group) page += "\n" + option.group + "\n";
    group = option.group;
    page += entry(option.name + (option.value.empty() ? "" : " " + option.value), option.help,
                  kColumn, columns);
  }
  return page;
}

}  // namespace tandem::cli
