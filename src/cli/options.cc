#include "cli/options.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

#include "core/closest.h"

namespace tandem::cli {
namespace {

std::string join(const std::vector<std::string>& words, std::string_view between) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : std::string(between)) + word;
  return text;
}

// CLI11 takes a word in brackets for a list; behind this mark it is a word.
constexpr char kMark = '\x01';

std::string marked(const std::string& word) {
  return word.starts_with('[') || word.starts_with(kMark) ? kMark + word : word;
}
std::string unmarked(const std::string& word) {
  return word.starts_with(kMark) ? word.substr(1) : word;
}

}  // namespace

Options::Options(std::string command, std::string summary)
    : command_(std::move(command)), summary_(std::move(summary)) {}

Options& Options::example(std::string line, std::string meaning) {
  examples_.emplace_back(std::move(line), std::move(meaning));
  return *this;
}

Options& Options::group(std::string title) {
  group_ = std::move(title);
  return *this;
}

Options& Options::words(std::string name, std::vector<std::string>& into, std::string help,
                        std::size_t least, std::size_t most) {
  words_name_ = std::move(name);
  words_help_ = std::move(help);
  words_ = &into;
  words_least_ = least;
  words_most_ = most;
  return *this;
}

Options& Options::text(std::string name, std::string value, std::string& into, std::string help) {
  return add({.name = std::move(name),
              .value = std::move(value),
              .help = std::move(help),
              .set = [&into](const std::string& given) { into = given; }});
}

Options& Options::texts(std::string name, std::string value, std::vector<std::string>& into,
                        std::string help) {
  return add({.name = std::move(name),
              .value = std::move(value),
              .help = std::move(help),
              .repeats = true,
              .set = [&into](const std::string& given) { into.push_back(given); }});
}

Options& Options::number(std::string name, std::string value, int& into, std::string help,
                         int least) {
  const auto set = [&into, name, least](const std::string& given) {
    int parsed = 0;
    const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), parsed);
    if (error != std::errc() || end != given.data() + given.size() || parsed < least) {
      throw UsageError(name + " " + given + ": expected a whole number, at least " +
                       std::to_string(least) + ".");
    }
    into = parsed;
  };
  return add(
      {.name = std::move(name), .value = std::move(value), .help = std::move(help), .set = set});
}

Options& Options::number(std::string name, std::string value, double& into, std::string help) {
  const auto set = [&into, name](const std::string& given) {
    double parsed = 0;
    const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), parsed);
    if (error != std::errc() || end != given.data() + given.size() || !std::isfinite(parsed))
      throw UsageError(name + " " + given + ": expected a number.");
    into = parsed;
  };
  return add(
      {.name = std::move(name), .value = std::move(value), .help = std::move(help), .set = set});
}

Options& Options::choice(std::string name, const std::vector<std::string>& choices,
                         std::string& into, std::string help) {
  auto value = join(choices, "|");
  const auto set = [&into, name, choices](const std::string& given) {
    if (std::find(choices.begin(), choices.end(), given) == choices.end()) {
      throw UsageError(name + " " + given + ": expected one of " + join(choices, ", ") + ".");
    }
    into = given;
  };
  return add(
      {.name = std::move(name), .value = std::move(value), .help = std::move(help), .set = set});
}

Options& Options::flag(std::string name, bool& into, std::string help) {
  return add({.name = std::move(name), .help = std::move(help), .set = [&into](const std::string&) {
                into = true;
              }});
}

Options& Options::add(Option option) {
  option.group = group_;
  options_.push_back(std::move(option));
  return *this;
}

Options::Outcome Options::parse(Arguments arguments) {
  CLI::App app;
  app.set_help_flag();
  bool help_wanted = false;
  app.add_flag("-h,--help", help_wanted);
  std::vector<std::string> words;
  app.add_option("words", words)->allow_extra_args();
  std::vector<std::vector<std::string>> given(options_.size());
  for (std::size_t i = 0; i < options_.size(); ++i) {
    if (options_[i].value.empty()) {
      app.add_flag_function(options_[i].name, [&given, i](std::int64_t) { given[i] = {""}; });
    } else {
      app.add_option(options_[i].name, given[i])->allow_extra_args(false)->take_all();
    }
  }
  app.allow_extras();
  try {
    std::vector<std::string> reversed;  // as CLI11 takes them
    std::transform(arguments.rbegin(), arguments.rend(), std::back_inserter(reversed), marked);
    app.parse(std::move(reversed));
  } catch (const CLI::ArgumentMismatch& e) {
    throw UsageError(std::string(e.what()) + ".");
  } catch (const CLI::ParseError& e) {
    throw UsageError(e.what());
  }
  if (help_wanted) return Outcome::kHelp;
  std::transform(words.begin(), words.end(), words.begin(), unmarked);
  if (const auto extras = app.remaining(); !extras.empty()) throw_unknown(extras.front());
  for (std::size_t i = 0; i < options_.size(); ++i) {
    if (given[i].size() > 1 && !options_[i].repeats)
      throw UsageError(options_[i].name + " was given twice. Give it once.");
    for (const auto& value : given[i]) options_[i].set(unmarked(value));
  }
  if (words.size() < words_least_) throw UsageError("expected " + words_name_ + ".");
  if (words.size() > words_most_) throw_unknown(words[words_most_]);
  if (words_ != nullptr) *words_ = std::move(words);
  return Outcome::kRun;
}

void Options::throw_unknown(const std::string& word) const {
  if (!word.starts_with('-')) {
    throw UsageError("unexpected \"" + word + "\"." +
                     (words_ == nullptr ? "" : " Expected only " + words_name_ + "."));
  }
  std::vector<std::string_view> names{"--help"};
  for (const auto& option : options_) names.push_back(option.name);
  const auto near = closest(word.substr(0, word.find('=')), names);
  throw UsageError("unknown option " + word + "." +
                   (near.empty() ? "" : " Closest: " + std::string(near) + "."));
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == ',') {
      parts.back() += text[++i];
    } else if (text[i] == ',') {
      parts.emplace_back();
    } else {
      parts.back() += text[i];
    }
  }
  std::vector<std::string> trimmed;
  for (const auto& part : parts) {
    const auto begin = part.find_first_not_of(" \t\n");
    if (begin != std::string::npos)
      trimmed.push_back(part.substr(begin, part.find_last_not_of(" \t\n") - begin + 1));
  }
  return trimmed;
}

}  // namespace tandem::cli
