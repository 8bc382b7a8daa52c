#include "tasks/query.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>

#include "core/error.h"
#include "preprocess/templates.h"

namespace tandem {
namespace {

constexpr std::size_t kMostTerms = 64;
constexpr double kMostWeight = 1'000;
// What is unwanted counts less than what is wanted.
constexpr double kUnwantedWeight = 0.5;
// Terms whose sum is this much shorter than their weights together leave only rounding errors.
constexpr double kCancelled = 1e-4;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_sign(char c) { return c == '+' || c == '-'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Query parse() {
    Query query;
    skip_spaces();
    if (at_end()) fail("expected words, \"a text\" or [a picture]");
    double sign = leading_sign();
    for (;;) {
      if (query.terms.size() == kMostTerms) fail(fmt::format("expected at most {} terms", 64));
      query.terms.push_back(term(sign));
      if (at_end()) return query;
      sign = text_[at_++] == '-' ? -1 : 1;  // term() ends at a sign or at the end
    }
  }

 private:
  bool at_end() const { return at_ == text_.size(); }
  char now() const { return at_end() ? '\0' : text_[at_]; }
  void skip_spaces() {
    while (!at_end() && is_space(text_[at_])) ++at_;
  }

  [[noreturn]] void fail(const std::string& expected) const { fail_at(at_, expected); }
  [[noreturn]] void fail_at(std::size_t at, const std::string& expected) const {
    // Characters, not bytes: what continues one is 10xxxxxx.
    const auto place =
        1 + std::count_if(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at),
                          [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
    const bool end = trimmed(text_.substr(at)).empty();
    throw Error(Kind::kInput, fmt::format("query \"{}\": {}{}.", text_, expected,
                                          end ? (text_.empty() ? "" : " at its end")
                                              : fmt::format(" at character {}", place)));
  }

  // Whether a sign between terms is at `at`: white space on both sides, or the text's end.
  bool is_sign_at(std::size_t at) const {
    return is_sign(text_[at]) && (at == 0 || is_space(text_[at - 1])) &&
           (at + 1 == text_.size() || is_space(text_[at + 1]));
  }

  // Before the first term a sign needs no space where the term cannot be a word: -2*people.
  double leading_sign() {
    if (!is_sign(now())) return 1;
    const double sign = now() == '-' ? -1 : 1;
    const std::size_t begin = at_++;
    const bool plain_word = !is_sign_at(begin) && now() != '[' && now() != '"' && !weight_ahead();
    if (!plain_word) return sign;
    at_ = begin;
    return 1;
  }

  // The weight at at_, if there is one; at_ stays.
  std::optional<std::pair<double, std::size_t>> weight_ahead() const {
    std::size_t end = at_;
    if (end == text_.size() || !((text_[end] >= '0' && text_[end] <= '9') || text_[end] == '.'))
      return {};
    while (end < text_.size() && !is_space(text_[end]) && text_[end] != '*') ++end;
    const auto value = number_of(text_.substr(at_, end - at_));
    while (end < text_.size() && is_space(text_[end])) ++end;
    if (!value || end == text_.size() || text_[end] != '*') return {};
    return std::pair(*value, end + 1);
  }

  QueryTerm term(double sign) {
    skip_spaces();
    double weight = sign < 0 ? kUnwantedWeight : 1;
    if (const auto given = weight_ahead()) {
      if (!(given->first > 0 && given->first <= kMostWeight))
        fail(fmt::format("expected a weight above 0 and up to {}", kMostWeight));
      weight = given->first;
      at_ = given->second;
      skip_spaces();
    }
    if (at_end()) fail("expected words, \"a text\" or [a picture]");
    QueryTerm result;
    if (now() == '[') {
      result = bracket();
    } else if (now() == '"') {
      result.text = quoted();
    } else {
      result.text = words();
    }
    result.weight = sign * weight;
    skip_spaces();
    if (!at_end() && !is_sign_at(at_))
      fail("expected \" + \" or \" - \" before the next term, with spaces around it,");
    return result;
  }

  // Up to the next sign, with single spaces.
  std::string words() {
    std::string result;
    while (!at_end() && !is_sign_at(at_)) {
      const std::size_t begin = at_;
      while (!at_end() && !is_space(text_[at_])) ++at_;
      const auto word = text_.substr(begin, at_ - begin);
      check_word(word, begin);
      if (!result.empty()) result += ' ';
      result += word;
      skip_spaces();
    }
    if (result.empty()) fail("expected words, \"a text\" or [a picture]");
    return result;
  }

  // Refuses what was most likely not meant as a word.
  void check_word(std::string_view word, std::size_t begin) const {
    if (const auto bracket = word.find('['); bracket != std::string_view::npos) {
      fail_at(begin + bracket,
              "expected \" + \" or \" - \" before [a picture] (in words: put the text in \"…\")");
    }
    const auto star = word.find('*');
    if (is_sign(word.front()) && star != std::string_view::npos &&
        number_of(word.substr(1, star - 1)))
      fail_at(begin, "expected a space between the sign and the weight");
  }

  // "…": as it is; \" and \\ stand for themselves.
  std::string quoted() {
    const std::size_t begin = at_++;
    std::string result;
    for (; !at_end() && now() != '"'; ++at_) {
      const bool escaped = now() == '\\' && at_ + 1 < text_.size() &&
                           (text_[at_ + 1] == '"' || text_[at_ + 1] == '\\');
      if (escaped) ++at_;
      result += now();
    }
    if (at_end()) fail_at(begin, "expected a closing \" for the text that begins");
    ++at_;
    if (trimmed(result).empty()) fail_at(begin, "expected words between the quotes");
    return result;
  }

  // [name], [name @ region], [#id]; after a backslash \ [ ] @ # and space stand for themselves.
  QueryTerm bracket() {
    const std::size_t begin = at_++;
    std::string name;
    std::string bare;  // name, with what was escaped as x: has no meaning there
    for (; !at_end() && now() != ']'; ++at_) {
      const bool escaped = now() == '\\' && at_ + 1 < text_.size() &&
                           std::string_view("\\[]@# ").find(text_[at_ + 1]) != std::string::npos;
      if (escaped) ++at_;
      name += now();
      bare += escaped ? 'x' : now();
    }
    if (at_end()) fail_at(begin, "expected a closing ] for the picture that begins");
    ++at_;
    QueryTerm result;
    result.kind = QueryTerm::Kind::kPicture;
    if (const auto sign = bare.rfind(" @ "); sign != std::string::npos) {
      result.region = region(trimmed(std::string_view(bare).substr(sign + 3)), begin);
      bare.resize(sign);
      name.resize(sign);
    }
    const auto kept = trimmed(bare);
    result.text = name.substr(static_cast<std::size_t>(kept.data() - bare.data()), kept.size());
    if (kept.empty()) fail_at(begin, "expected a picture's name or #id within the brackets");
    if (kept.front() == '#') read_item(result, begin);
    return result;
  }

  void read_item(QueryTerm& term, std::size_t begin) const {
    const auto digits = std::string_view(term.text).substr(1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), term.item);
    if (error != std::errc() || end != digits.data() + digits.size() || term.item < 0)
      fail_at(begin, "expected an item's number after #, such as [#7],");
    if (term.region)
      fail_at(begin, "expected no region: an item's vector is that of its whole picture,");
    term.kind = QueryTerm::Kind::kItem;
    term.text.clear();
  }

  // "10,20,300,200" or "10%,20%,50%,50%".
  Region region(std::string_view text, std::size_t begin) const {
    constexpr auto kExpected =
        "expected a region as left,top,width,height in pixels, or each with %, after @ in the "
        "picture";
    double values[4] = {};
    std::size_t percents = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const auto comma = i < 3 ? text.find(',') : text.size();
      if (comma == std::string_view::npos) fail_at(begin, kExpected);
      auto part = trimmed(text.substr(0, comma));
      if (!part.empty() && part.back() == '%') {
        ++percents;
        part.remove_suffix(1);
      }
      const auto value = number_of(part);
      if (!value) fail_at(begin, kExpected);
      values[i] = *value;
      if (i < 3) text.remove_prefix(comma + 1);
    }
    const bool sane = values[2] > 0 && values[3] > 0 && (percents == 0 || percents == 4);
    if (!sane) fail_at(begin, kExpected);
    return {values[0], values[1], values[2], values[3], percents == 4};
  }

  std::string_view text_;  // owned by the caller
  std::size_t at_ = 0;
};

std::string escaped(std::string_view text, std::string_view special) {
  std::string result;
  for (const char c : text) {
    if (special.find(c) != std::string_view::npos) result += '\\';
    result += c;
  }
  return result;
}

// As bare words where they are read back as the same, else in quotes.
std::string words_text(const std::string& text) {
  try {
    const auto back = parse_query(text);
    if (back.terms.size() == 1 && back.terms[0] == QueryTerm{.text = text}) return text;
  } catch (const Error&) {
    // It needs the quotes.
  }
  return "\"" + escaped(text, "\\\"") + "\"";
}

std::string bracket_text(const QueryTerm& term) {
  if (term.kind == QueryTerm::Kind::kItem) return fmt::format("[#{}]", term.item);
  auto name = escaped(term.text, "\\[]@");
  if (name.starts_with('#') || name.starts_with(' ')) name.insert(0, 1, '\\');
  // White space at the end would be trimmed; what ends in a backslash has an even number of them.
  if (name.ends_with(' ') && name != "\\ ") name.insert(name.size() - 1, 1, '\\');
  if (!term.region) return "[" + name + "]";
  const Region& part = *term.region;
  const auto unit = part.percent ? "%" : "";
  return fmt::format("[{} @ {}{},{}{},{}{},{}{}]", name, part.left, unit, part.top, unit,
                     part.width, unit, part.height, unit);
}

std::string term_text(const QueryTerm& term) {
  const double weight = std::abs(term.weight);
  const double usual = term.weight < 0 ? kUnwantedWeight : 1;
  return (weight == usual ? "" : fmt::format("{}*", weight)) +
         (term.kind == QueryTerm::Kind::kText ? words_text(term.text) : bracket_text(term));
}

// The unit rows of every text term, in one go.
Matrix text_vectors(const Query& query, const QuerySources& sources,
                    const std::vector<std::string>& templates) {
  std::vector<std::string> texts;
  for (const auto& term : query.terms) {
    if (term.kind == QueryTerm::Kind::kText) texts.push_back(term.text);
  }
  if (texts.empty()) return {};
  return templates.empty() ? sources.texts(texts)
                           : class_embeddings(sources.texts, texts, templates);
}

void check_terms(const Query& query) {
  if (query.terms.size() > kMostTerms)
    throw Error(Kind::kInput, fmt::format("a query of {} terms. Expected at most {}.",
                                          query.terms.size(), kMostTerms));
  for (const auto& term : query.terms) {
    if (!(std::abs(term.weight) <= kMostWeight) || term.weight == 0)
      throw Error(Kind::kInput,
                  fmt::format("a query term of weight {}. Expected up to {}, and not 0.",
                              term.weight, kMostWeight));
  }
  const bool wanted = std::any_of(query.terms.begin(), query.terms.end(),
                                  [](const QueryTerm& term) { return term.weight > 0; });
  if (!wanted)
    throw Error(Kind::kInput,
                "the query says only what is unwanted. Expected something wanted, too: words, or "
                "a picture.");
}

void add(std::span<const float> vector, double weight, std::vector<double>& sum) {
  if (sum.empty()) sum.resize(vector.size());
  if (vector.size() != sum.size())
    throw Error(Kind::kInput,
                fmt::format("cannot add vectors of width {} and {} in one query. Expected all from "
                            "the same model.",
                            sum.size(), vector.size()));
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += weight * static_cast<double>(vector[i]);
}

double length_of(std::span<const double> vector) {
  double squares = 0;
  for (const double v : vector) squares += v * v;
  return std::sqrt(squares);
}

std::vector<float> scaled(std::span<const double> vector, double factor) {
  std::vector<float> result;
  result.reserve(vector.size());
  for (const double v : vector) result.push_back(static_cast<float>(v * factor));
  return result;
}

std::vector<float> term_vector(const QueryTerm& term, const QuerySources& sources,
                               const Matrix& texts, std::size_t& next_text) {
  switch (term.kind) {
    case QueryTerm::Kind::kText: {
      const auto row = texts.row(next_text++);
      return {row.begin(), row.end()};
    }
    case QueryTerm::Kind::kPicture:
      return sources.picture(term.text, term.region);
    case QueryTerm::Kind::kItem:
      return sources.item(term.item);
  }
  return {};
}

}  // namespace

Query parse_query(std::string_view text) { return Parser(text).parse(); }

std::string to_text(const Query& query) {
  std::string text;
  for (const auto& term : query.terms) {
    const bool first = text.empty();
    if (term.weight < 0) {
      text += first ? "- " : " - ";
    } else if (!first) {
      text += " + ";
    }
    text += term_text(term);
  }
  return text;
}

QueryVector query_vector(const Query& query, const QuerySources& sources,
                         const std::vector<std::string>& templates) {
  check_terms(query);
  const auto texts = text_vectors(query, sources, templates);
  std::size_t next_text = 0;
  std::vector<double> sum;
  std::vector<double> wanted;
  double weights = 0;
  bool unwanted = false;
  for (const auto& term : query.terms) {
    weights += std::abs(term.weight);
    unwanted = unwanted || term.weight < 0;
    const auto vector = term_vector(term, sources, texts, next_text);
    add(vector, term.weight, sum);
    if (term.weight > 0) add(vector, term.weight, wanted);
  }
  const double length = length_of(sum);
  const double wanted_length = length_of(wanted);
  if (!(length > kCancelled * weights) || !(wanted_length > kCancelled * weights))
    throw Error(Kind::kInput,
                "the query cancels itself out. Give something wanted that is not also unwanted.");
  QueryVector result{scaled(sum, 1 / length), {}};
  if (unwanted) result.wanted = scaled(wanted, 1 / wanted_length);
  return result;
}

Asked asked_by(const Query& query) {
  bool words = false;
  bool pictures = false;
  bool parts = false;
  for (const auto& term : query.terms) {
    const bool text = term.kind == QueryTerm::Kind::kText;
    words = words || (text && term.weight > 0);
    pictures = pictures || (!text && term.weight > 0);
    parts = parts || (term.region && term.weight > 0);
  }
  if ((words && pictures) || parts) return Asked::kWordsAndPictures;
  if (!words) return Asked::kPictures;
  return Asked::kWords;
}

bool is_pictorial(const Query& query) {
  return std::all_of(query.terms.begin(), query.terms.end(), [](const QueryTerm& term) {
    return term.weight < 0 || term.kind != QueryTerm::Kind::kText;
  });
}

}  // namespace tandem
