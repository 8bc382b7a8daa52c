#include "cli/query_words.h"

#include <algorithm>
#include <cctype>
#include <filesystem>

namespace tandem::cli {
namespace {

namespace fs = std::filesystem;

constexpr double kUnwantedWeight = 0.5;

bool names_picture(const std::string& text) {
  static constexpr std::string_view kExtensions[] = {".jpg", ".jpeg", ".png", ".webp", ".gif"};
  auto extension = fs::path(text).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return std::find(std::begin(kExtensions), std::end(kExtensions), extension) !=
         std::end(kExtensions);
}

bool exists(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

// A file's name, rather than a query that ends in one: "a - b.jpg" is one if there is such a file.
bool is_picture(const std::string& text) {
  if (!names_picture(text)) return false;
  const bool query = text.find(" + ") != std::string::npos ||
                     text.find(" - ") != std::string::npos ||
                     text.find_first_of("[]\"*") != std::string::npos;
  return !query || exists(text);
}

// Words alone that name a picture are one, wherever they stand: "sunset + 2*beach.jpg".
void find_pictures(Query& query) {
  for (auto& term : query.terms) {
    if (term.kind != QueryTerm::Kind::kText || !names_picture(term.text)) continue;
    if (term.text.find(' ') == std::string::npos || exists(term.text))
      term.kind = QueryTerm::Kind::kPicture;
  }
}

}  // namespace

std::string query_text(std::span<const std::string> words) {
  std::string text;
  bool after_sign = true;  // nothing stands before the first term
  bool after_picture = false;
  for (const auto& word : words) {
    if (word.empty()) continue;
    const bool sign = word == "+" || word == "-";
    const bool picture = !sign && is_picture(word);
    if (!sign && !after_sign && (picture || after_picture)) text += " +";
    text += text.empty() ? "" : " ";
    text += picture ? to_text({{{.kind = QueryTerm::Kind::kPicture, .text = word}}}) : word;
    after_sign = sign;
    after_picture = picture;
  }
  return text;
}

Query read_query(const std::string& wanted, std::span<const std::string> unwanted) {
  Query query;
  if (!wanted.empty()) query = parse_query(wanted);
  for (const auto& text : unwanted) {
    for (auto& term : parse_query(text).terms) {
      if (term.weight > 0) term.weight *= -kUnwantedWeight;
      query.terms.push_back(std::move(term));
    }
  }
  find_pictures(query);
  return query;
}

}  // namespace tandem::cli
