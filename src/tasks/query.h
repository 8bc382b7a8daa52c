// What is looked for, in one grammar for command line, server and page:
//   query   := term (sign term)*          sign := "+" | "-", with white space on both sides
//   term    := [weight "*"] (words | "\"" text "\"" | "[" picture "]" | "[#" id "]")
//   picture := name [" @ " left "," top "," width "," height]      a region, in pixels or in %
// "sunset over the sea + [beach.jpg] - 2*people": hyphens and pluses inside words are words, a text
// in double quotes is taken as it is (\" and \\ inside), a first term may carry a sign too.
// A term's weight counts as it stands; the default is 1, for what is unwanted 0.5: what is asked
// for matters more than what is shunned.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/matrix.h"
#include "tandem/model.h"

#include "preprocess/region.h"
#include "tasks/zero_shot.h"

namespace tandem {

struct QueryTerm {
  enum class Kind { kText, kPicture, kItem };
  Kind kind = Kind::kText;
  std::string text;  // the words, or the picture's name
  std::int64_t item = 0;
  std::optional<Region> region;
  double weight = 1;  // negative: unwanted
  friend bool operator==(const QueryTerm&, const QueryTerm&) = default;
};

struct Query {
  std::vector<QueryTerm> terms;
  friend bool operator==(const Query&, const Query&) = default;
};

// Throws kInput saying where and what was expected. At most 64 terms.
Query parse_query(std::string_view text);
// The text that parse_query reads as `query`.
std::string to_text(const Query& query);

// Where the vectors of terms come from.
struct QuerySources {
  EmbedTexts texts;
  std::function<std::vector<float>(const std::string& name, const std::optional<Region>&)> picture;
  std::function<std::vector<float>(std::int64_t id)> item;
};

// What a store is asked for.
struct QueryVector {
  std::vector<float> whole;   // (E) unit: the weighted sum of the terms' unit vectors
  std::vector<float> wanted;  // where something is unwanted: the same of the wanted terms alone
};

// templates: each with "{}", where words go; a text's vector is their mean (class_embeddings);
// empty: the words as they are. Throws kInput when nothing is wanted or the terms cancel out.
QueryVector query_vector(const Query& query, const QuerySources& sources,
                         const std::vector<std::string>& templates = {});

// A picture's unit vector (E), or its region's.
std::vector<float> picture_vector(const Model& model, const Image& image,
                                  const std::optional<Region>& region = {});

// What is wanted in a query, which says what its scores compare with (relevance.h).
enum class Asked {
  kWords,
  kPictures,  // every wanted term is a picture or an item: scores are those between pictures
  kWordsAndPictures,
};
Asked asked_by(const Query& query);
bool is_pictorial(const Query& query);  // kPictures

}  // namespace tandem
