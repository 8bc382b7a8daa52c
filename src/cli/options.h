// A command's options: declared once, parsed, and shown by --help in the order and under the
// headings declared.
#pragma once

#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::cli {

// The command line itself is wrong: exit code 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

using Arguments = std::span<const std::string>;

class Options {
 public:
  // "classify", "name what pictures show, with any words as labels"
  Options(std::string command, std::string summary);

  // Shown by --help above the options: a command line and what it does.
  Options& example(std::string line, std::string meaning);
  // Options declared from here on stand under this heading.
  Options& group(std::string title);
  // Words that belong to no option, e.g. "PICTURE…". At least `least` of them, at most `most`.
  Options& words(std::string name, std::vector<std::string>& into, std::string help,
                 std::size_t least = 1, std::size_t most = SIZE_MAX);
  Options& text(std::string name, std::string value, std::string& into, std::string help);
  // May be given several times.
  Options& texts(std::string name, std::string value, std::vector<std::string>& into,
                 std::string help);
  Options& number(std::string name, std::string value, int& into, std::string help, int least = 0);
  Options& number(std::string name, std::string value, double& into, std::string help);
  Options& choice(std::string name, const std::vector<std::string>& choices, std::string& into,
                  std::string help);
  Options& flag(std::string name, bool& into, std::string help);

  enum class Outcome { kRun, kHelp };
  // Fills the variables given above. kHelp: --help was among the arguments, nothing is filled.
  // Throws UsageError saying what was wrong and the closest option.
  Outcome parse(Arguments arguments);

  // The page of --help, lines of at most `columns`.
  std::string help(std::size_t columns) const;

 private:
  struct Option {
    std::string name;   // "--top"
    std::string value;  // "K"; empty for a flag
    std::string help;
    std::string group;
    bool repeats = false;
    std::function<void(const std::string&)> set;  // throws UsageError
  };
  Options& add(Option option);
  [[noreturn]] void throw_unknown(const std::string& word) const;

  std::string command_;
  std::string summary_;
  std::vector<std::pair<std::string, std::string>> examples_;
  std::vector<Option> options_;
  std::string group_ = "Options";
  std::string words_name_;
  std::string words_help_;
  std::vector<std::string>* words_ = nullptr;
  std::size_t words_least_ = 0;
  std::size_t words_most_ = 0;
};

// "cat, dog ,car" -> {"cat", "dog", "car"}; a backslash before a comma keeps it.
std::vector<std::string> split_list(std::string_view text);

}  // namespace tandem::cli
