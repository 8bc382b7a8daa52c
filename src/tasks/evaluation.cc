#include "tasks/evaluation.h"

#include <cassert>
#include <numeric>

#include "tasks/retrieval.h"
#include "tasks/zero_shot.h"

namespace tandem {
namespace {

constexpr std::size_t kTops[] = {1, 5};
constexpr std::size_t kRecalls[] = {1, 5, 10};

using Groups = std::vector<std::int64_t>;

Groups picture_groups(const EvalSet& set) { return {set.concept_of.begin(), set.concept_of.end()}; }

Groups concept_groups(const EvalSet& set) {
  Groups groups(set.concepts.size());
  std::iota(groups.begin(), groups.end(), 0);
  return groups;
}

// The ranks behind every measure, in the order of the table.
struct Ranks {
  std::vector<std::size_t> zero_shot;
  std::vector<std::size_t> text_to_picture;
  std::vector<std::size_t> picture_to_text;
};

Ranks rank(const EvalSet& set, const EvalVectors& vectors) {
  const auto pictures = picture_groups(set);
  const auto concepts = concept_groups(set);
  return {.zero_shot = retrieval_ranks(vectors.pictures, pictures, vectors.classes, concepts),
          .text_to_picture = retrieval_ranks(vectors.texts, concepts, vectors.pictures, pictures),
          .picture_to_text = retrieval_ranks(vectors.pictures, pictures, vectors.texts, concepts)};
}

double share(const std::vector<std::size_t>& ranks, std::size_t k) {
  if (ranks.empty()) return 0;
  std::size_t hits = 0;
  for (const auto rank : ranks) hits += rank < k;
  return static_cast<double>(hits) / static_cast<double>(ranks.size());
}

// Calls visit(name, ranks, queries, candidates, k) for every measure, always in this order.
template <typename Visit>
void for_each_measure(const EvalSet& set, const Ranks& ranks, const Visit& visit) {
  const auto pictures = picture_groups(set);
  const auto concepts = concept_groups(set);
  for (const auto k : kTops)
    visit("zero-shot top-" + std::to_string(k), ranks.zero_shot, pictures, concepts, k);
  for (const auto k : kRecalls)
    visit("text to picture recall@" + std::to_string(k), ranks.text_to_picture, concepts, pictures,
          k);
  for (const auto k : kRecalls)
    visit("picture to text recall@" + std::to_string(k), ranks.picture_to_text, pictures, concepts,
          k);
}

}  // namespace

std::vector<Measure> evaluate(const EvalSet& set, const EvalVectors& vectors, const Rng& rng) {
  assert(vectors.pictures.rows == set.concept_of.size() &&
         vectors.texts.rows == set.concepts.size());
  std::vector<Measure> measures;
  for_each_measure(
      set, rank(set, vectors),
      [&](const std::string& name, const auto& ranks, const Groups& queries,
          const Groups& candidates, std::size_t k) {
        measures.push_back({.name = name,
                            .model = share_within(ranks, k, rng.split(measures.size())),
                            .chance = chance_recall(queries, candidates, k)});
      });
  return measures;
}

void add_baseline(const EvalSet& set, const Matrix& pictures, const Matrix& concepts,
                  std::vector<Measure>& measures) {
  const auto ranks = rank(set, {.pictures = pictures, .classes = concepts, .texts = concepts});
  std::size_t next = 0;
  for_each_measure(set, ranks,
                   [&](const std::string&, const auto& of_measure, const Groups&, const Groups&,
                       std::size_t k) { measures.at(next++).histogram = share(of_measure, k); });
}

}  // namespace tandem
