#include "tasks/relevance.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>

#include "tasks/memory_store.h"

namespace tandem {
namespace {

constexpr int kWidth = 64;
constexpr std::size_t kConcepts = 20;

using Random = std::mt19937;

std::vector<float> unit(std::vector<float> v) {
  double squares = 0;
  for (const float x : v) squares += static_cast<double>(x) * x;
  for (float& x : v) x = static_cast<float>(x / std::sqrt(squares));
  return v;
}

std::vector<float> noise(Random& random, float scale = 1) {
  std::normal_distribution<float> normal(0, scale / std::sqrt(static_cast<float>(kWidth)));
  std::vector<float> v(kWidth);
  for (float& x : v) x = normal(random);
  return v;
}

std::vector<float> plus(std::vector<float> a, const std::vector<float>& b, float scale) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += scale * b[i];
  return a;
}

// A world in which each concept has a direction; pictures and texts of it lie around it, and
// pictures apart from texts, as in CLIP.
struct World {
  Random random{7};
  std::vector<std::vector<float>> concepts;
  std::vector<float> gap = unit(noise(random));
  World() {
    for (std::size_t i = 0; i < 2 * kConcepts; ++i) concepts.push_back(unit(noise(random)));
  }
  std::vector<float> picture(std::size_t concept_) {
    return unit(plus(plus(concepts[concept_], noise(random), 0.7F), gap, 0.8F));
  }
  std::vector<float> text(std::size_t concept_) {
    return unit(plus(plus(concepts[concept_], noise(random), 0.5F), gap, -0.8F));
  }
  std::vector<float> nothing() { return unit(plus(noise(random), gap, -0.8F)); }
};

void add(Store& store, const std::vector<std::vector<float>>& vectors, ItemKind kind) {
  Matrix rows(vectors.size(), kWidth);
  std::vector<Item> items(vectors.size());
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    std::copy(vectors[i].begin(), vectors[i].end(), rows.row(i).begin());
    items[i].kind = kind;
    items[i].uri = std::to_string(store.size() + i);
  }
  store.upsert(items, rows);
}

// Pictures of the first kConcepts concepts.
void fill(MemoryStore& store, World& world, std::size_t each) {
  std::vector<std::vector<float>> vectors;
  for (std::size_t i = 0; i < kConcepts * each; ++i)
    vectors.push_back(world.picture(i % kConcepts));
  add(store, vectors, ItemKind::kPicture);
}

EmbedTexts nothings(World& world) {
  return [&world](const std::vector<std::string>& texts) {
    Matrix rows(texts.size(), kWidth);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto vector = world.nothing();
      std::copy(vector.begin(), vector.end(), rows.row(i).begin());
    }
    return rows;
  };
}

const std::vector<std::string> kNulls(200, "nothing");

float best_score(const Store& store, const std::vector<float>& query) {
  return store.search(query, {.top_k = 1}).at(0).score;
}

// Of queries about `first` and the concepts after it, those whose best row is above its cut-off.
double answered(World& world, const Store& store, const Calibration& calibration,
                std::size_t first) {
  double count = 0;
  for (std::size_t i = 0; i < kConcepts; ++i) {
    const auto query = world.text(first + i);
    count +=
        best_score(store, query) >= relevance(calibration, query, Asked::kWords).cut_off ? 1 : 0;
  }
  return count / kConcepts;
}

TEST(Relevance, AnswersWhatIsThereAndNotWhatIsAbsent) {
  World world;
  MemoryStore store(kWidth);
  fill(store, world, 10);
  const auto calibration = calibrate(store, nothings(world), kNulls);
  EXPECT_GE(answered(world, store, calibration, 0), 0.9);
  EXPECT_LE(answered(world, store, calibration, kConcepts), 0.3);
}

TEST(Relevance, OneNullInTenPasses) {
  World world;
  MemoryStore store(kWidth);
  fill(store, world, 10);
  const auto calibration = calibrate(store, nothings(world), kNulls);
  int passed = 0;
  for (int i = 0; i < 1'000; ++i) {
    const auto query = world.nothing();
    const auto cut = relevance(calibration, query, Asked::kWords).cut(ItemKind::kPicture);
    EXPECT_LE(cut.rows, cut.best);
    passed += best_score(store, query) >= cut.best ? 1 : 0;
  }
  // Binomial around 100 with the error of a quantile from 200: five deviations.
  EXPECT_NEAR(passed, 100, 110);
  EXPECT_GT(passed, 20);
}

TEST(Relevance, AQueryThatScoresHigherWithEverythingNeedsMore) {
  World world;
  MemoryStore store(kWidth);
  fill(store, world, 10);
  // Texts at various distances across the gap: their peaks follow their means.
  const EmbedTexts varied = [&world](const std::vector<std::string>& texts) {
    Matrix rows(texts.size(), kWidth);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const float side = -1.6F * static_cast<float>(i) / static_cast<float>(texts.size());
      const auto vector = unit(plus(noise(world.random), world.gap, side));
      std::copy(vector.begin(), vector.end(), rows.row(i).begin());
    }
    return rows;
  };
  const auto calibration = calibrate(store, varied, kNulls);
  EXPECT_GT(calibration.chance[0][0].share, 0.4F);
  const auto near =
      relevance(calibration, unit(plus(noise(world.random), world.gap, 0)), Asked::kWords);
  const auto far =
      relevance(calibration, unit(plus(noise(world.random), world.gap, -1.6F)), Asked::kWords);
  EXPECT_GT(near.cut_off, far.cut_off + 0.1F);
  EXPECT_GT(near.deviation, 0);
}

TEST(Relevance, PicturesAreMeasuredAgainstPictures) {
  World world;
  MemoryStore store(kWidth);
  fill(store, world, 10);
  const auto calibration = calibrate(store, nothings(world), kNulls);
  int kept = 0;
  for (std::size_t i = 0; i < kConcepts; ++i) {
    const auto query = world.picture(i);
    const auto cut = relevance(calibration, query, Asked::kPictures);
    EXPECT_GT(cut.cut_off, relevance(calibration, world.text(i), Asked::kWords).cut_off);
    kept += best_score(store, query) >= cut.cut_off ? 1 : 0;
  }
  EXPECT_GE(kept, 12);
}

TEST(Relevance, QueriesOfSeveralPartsAreComparedWithTheirLike) {
  World world;
  MemoryStore store(kWidth);
  fill(store, world, 10);
  const auto calibration = calibrate(store, nothings(world), kNulls);
  const auto cut = [&](Asked asked) {
    return relevance(calibration, world.text(0), asked).cut_off;
  };
  // With a picture added, that picture's relatives score.
  EXPECT_GT(cut(Asked::kWordsAndPictures), cut(Asked::kWords));
  EXPECT_LT(cut(Asked::kWordsAndPictures), cut(Asked::kPictures));
  int kept = 0;
  for (std::size_t i = 0; i < kConcepts; ++i) {
    const auto with_picture = unit(plus(world.picture(i), world.text(i), 1));
    const auto rule = relevance(calibration, with_picture, Asked::kWordsAndPictures);
    kept += best_score(store, with_picture) >= rule.cut_off ? 1 : 0;
  }
  EXPECT_GE(kept, 18);
}

// What is unwanted moves scores, not what counts as an answer to what is wanted.
TEST(Relevance, AQueryWithUnwantedTermsIsJudgedByWhatIsWanted) {
  World world;
  MemoryStore store(kWidth);
  fill(store, world, 10);
  const auto calibration = calibrate(store, nothings(world), kNulls);
  int kept = 0;
  int refused = 0;
  for (std::size_t i = 0; i < kConcepts; ++i) {
    const auto other = world.text((i + 1) % kConcepts);
    for (const bool present : {true, false}) {
      QueryVector query;
      query.wanted = present ? world.text(i) : world.nothing();
      query.whole = unit(plus(query.wanted, other, -0.5F));
      const auto rule = relevance(calibration, query, Asked::kWords);
      const bool answered = best_score(store, query.whole) >= rule.cut_off;
      (present ? kept : refused) += answered == present ? 1 : 0;
    }
  }
  EXPECT_GE(kept, 18) << "of " << kConcepts;
  // Nine of ten are refused where nothing is unwanted; the line through the sample blurs that a
  // little.
  EXPECT_GE(refused, 13) << "of " << kConcepts;
}

TEST(Relevance, TextsAmongPicturesHaveTheirOwnCutOff) {
  World world;
  MemoryStore store(kWidth);
  fill(store, world, 5);
  std::vector<std::vector<float>> texts;
  for (std::size_t i = 0; i < 100; ++i) texts.push_back(world.text(i % kConcepts));
  add(store, texts, ItemKind::kText);
  const auto calibration = calibrate(store, nothings(world), kNulls);
  const auto words = relevance(calibration, world.text(1), Asked::kWords);
  EXPECT_GT(words.cut(ItemKind::kText).best, words.cut(ItemKind::kPicture).best + 0.1F);
  EXPECT_EQ(words.cut_off, words.cut(ItemKind::kPicture).best);
}

TEST(Relevance, IsKeptWithTheStoreUntilItNoLongerFits) {
  World world;
  MemoryStore store(kWidth);
  EXPECT_FALSE(stored_calibration(store));
  fill(store, world, 5);
  const auto measured = calibrate(store, nothings(world), kNulls);
  const auto stored = stored_calibration(store);
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->rows, 100U);
  EXPECT_EQ(stored->sample.values, measured.sample.values);
  EXPECT_EQ(stored->chance[0][0].values, measured.chance[0][0].values);
  EXPECT_EQ(stored->chance[1][0].values, measured.chance[1][0].values);
  EXPECT_EQ(stored->chance[0][0].share, measured.chance[0][0].share);
  fill(store, world, 1);
  EXPECT_TRUE(stored_calibration(store));
  fill(store, world, 1);
  EXPECT_FALSE(stored_calibration(store)) << "grown from 100 to 140";
  calibrate(store, nothings(world), kNulls);
  EXPECT_TRUE(stored_calibration(store));
  store.set_fingerprint("f2");
  EXPECT_FALSE(stored_calibration(store)) << "another space";
}

TEST(Relevance, DamagedNotesAreAsNone) {
  World world;
  MemoryStore store(kWidth);
  fill(store, world, 5);
  calibrate(store, nothings(world), kNulls);
  const auto good = *store.note(kCalibrationNote);
  ASSERT_TRUE(stored_calibration(store));
  for (const std::string note :
       {std::string(), std::string("{}"), std::string("[1]"), good.substr(0, good.size() / 2),
        std::string(R"({"version":1,"fingerprint":"f1","rows":100,)") +
            R"("words":{"pictures":{"share":0,"peaks":["x"]}}})"}) {
    store.set_note(kCalibrationNote, note);
    EXPECT_FALSE(stored_calibration(store)) << note;
  }
}

TEST(Relevance, NothingIsCutWhereThereIsTooLittleToMeasure) {
  World world;
  MemoryStore empty(kWidth);
  EXPECT_EQ(
      relevance(calibrate(empty, nothings(world), kNulls), world.text(0), Asked::kWords).cut_off,
      -1);
  MemoryStore few(kWidth);
  add(few, {world.picture(0), world.picture(1)}, ItemKind::kPicture);
  const auto calibration = calibrate(few, nothings(world), kNulls);
  EXPECT_EQ(relevance(calibration, world.text(0), Asked::kWords).cut_off, -1);
  EXPECT_EQ(relevance(calibration, world.picture(0), Asked::kPictures).cut_off, -1);
}

}  // namespace
}  // namespace tandem
