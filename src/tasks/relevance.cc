#include "tasks/relevance.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

#include "core/error.h"
#include "core/json.h"

namespace tandem {
namespace {

constexpr std::size_t kSample = 512;          // rows: the mean's error is 1/23 of the deviation
constexpr std::size_t kPictureQueries = 128;  // stored pictures that are asked for
constexpr std::size_t kFewest = 8;            // rows of a kind, or null queries, that mean anything
// More alike than this is the same picture again.
constexpr float kCopy = 0.999F;
constexpr std::size_t kCopies = 16;  // that are looked past
// Shares of the null peaks: of ten captions that fit nothing, one may pass for an answer. At 0.95
// nearly half of the right answers of `mini` are lost, at 0.8 half of the absent concepts are
// answered (docs/search.md). Stored pictures have
// relatives: a quarter of them, rather than none, is taken to be alone.
struct Quantiles {
  double best;
  double rows;
};
constexpr std::array<Quantiles, 3> kQuantiles{{{0.9, 0.5}, {0.25, 0.1}, {0.5, 0.25}}};
constexpr double kStale = 1.0 / 3;  // of growth or loss
constexpr int kVersion = 2;

template <typename Enum>
constexpr std::size_t index(Enum value) {
  return static_cast<std::size_t>(value);
}

constexpr std::array kKinds{ItemKind::kPicture, ItemKind::kText};

struct Moments {
  float mean = 0;
  float deviation = 0;
};

float dot(std::span<const float> a, std::span<const float> b) {
  float sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Of the query's scores with the sample's rows of this kind; the deviation from the quartiles,
// which a few right answers do not move. 1.349: between the quartiles of a normal distribution.
Moments moments(const Calibration& calibration, std::span<const float> query, ItemKind kind) {
  std::vector<float> scores;
  for (std::size_t i = 0; i < calibration.sample.rows; ++i) {
    if (calibration.kinds[i] == kind) scores.push_back(dot(calibration.sample.row(i), query));
  }
  if (scores.empty()) return {};
  const double sum = std::accumulate(scores.begin(), scores.end(), 0.0);
  std::sort(scores.begin(), scores.end());
  const float low = scores[scores.size() / 4];
  const float high = scores[scores.size() - 1 - scores.size() / 4];
  return {static_cast<float>(sum / static_cast<double>(scores.size())), (high - low) / 1.349F};
}

// Of the sample's rows of this kind: the whole query's score as it goes with that of what is wanted
// (least squares).
struct Line {
  double mean_wanted = 0;
  double mean_whole = 0;
  double slope = 0;
  float at(float wanted) const {
    return static_cast<float>(mean_whole + slope * (wanted - mean_wanted));
  }
};

Line line_through(const Calibration& calibration, const QueryVector& query, ItemKind kind) {
  std::vector<std::pair<double, double>> scores;  // of wanted, of whole
  for (std::size_t i = 0; i < calibration.sample.rows; ++i) {
    if (calibration.kinds[i] != kind) continue;
    const auto row = calibration.sample.row(i);
    scores.emplace_back(dot(row, query.wanted), dot(row, query.whole));
  }
  Line line;
  const auto count = static_cast<double>(std::max<std::size_t>(scores.size(), 1));
  for (const auto& [wanted, whole] : scores) {
    line.mean_wanted += wanted / count;
    line.mean_whole += whole / count;
  }
  double together = 0;
  double alone = 0;
  for (const auto& [wanted, whole] : scores) {
    together += (wanted - line.mean_wanted) * (whole - line.mean_whole);
    alone += (wanted - line.mean_wanted) * (wanted - line.mean_wanted);
  }
  line.slope = alone > 0 ? std::max(together / alone, 0.0) : 0;
  return line;
}

// What a null query reached, and its mean.
struct Peak {
  float score = 0;
  float mean = 0;
};

// How much a peak rises with its query's mean: the slope of the line through them.
float share_of(const std::vector<Peak>& peaks) {
  double mean_x = 0;
  double mean_y = 0;
  for (const auto& peak : peaks) {
    mean_x += peak.mean / static_cast<double>(peaks.size());
    mean_y += peak.score / static_cast<double>(peaks.size());
  }
  double together = 0;
  double alone = 0;
  for (const auto& peak : peaks) {
    together += (peak.mean - mean_x) * (peak.score - mean_y);
    alone += (peak.mean - mean_x) * (peak.mean - mean_x);
  }
  return alone > 0 ? static_cast<float>(std::clamp(together / alone, 0.0, 1.0)) : 0;
}

ChancePeaks chance_of(const std::vector<Peak>& peaks) {
  ChancePeaks chance;
  if (peaks.size() < kFewest) return chance;
  chance.share = share_of(peaks);
  for (const auto& peak : peaks) chance.values.push_back(peak.score - chance.share * peak.mean);
  std::sort(chance.values.begin(), chance.values.end());
  return chance;
}

// The value that a further peak stays below with this probability: rank ceil((n+1)p) of n, Vovk et
// al. 2005, chapter 2.
float quantile(const std::vector<float>& ascending, double p) {
  const double rank = std::ceil(static_cast<double>(ascending.size() + 1) * p);
  const auto last = static_cast<double>(ascending.size());
  return ascending[static_cast<std::size_t>(std::clamp(rank, 1.0, last)) - 1];
}

CutOff cut_off(const ChancePeaks& chance, float mean, const Quantiles& quantiles) {
  if (chance.values.empty()) return {};
  const float base = chance.share * mean;
  return {base + quantile(chance.values, quantiles.best),
          base + quantile(chance.values, quantiles.rows)};
}

// The unit vector along a + weight * b.
std::vector<float> sum(std::span<const float> a, std::span<const float> b, double weight) {
  std::vector<float> result(a.size());
  double squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    result[i] = static_cast<float>(a[i] + weight * b[i]);
    squares += static_cast<double>(result[i]) * result[i];
  }
  const double length = std::sqrt(std::max(squares, 1e-12));
  for (float& value : result) value = static_cast<float>(value / length);
  return result;
}

class Calibrator {
 public:
  Calibrator(const Store& store, Calibration& result) : store_(store), result_(result) {
    ids_ = store.sample(kSample);
    result.sample = read_sample(store, ids_, result.kinds);
    mixed_ = result.has(ItemKind::kPicture) && result.has(ItemKind::kText);
  }

  // nulls: (N,E), may be none.
  void measure(const Matrix& nulls) {
    std::vector<std::size_t> pictures;
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      if (result_.kinds[i] == ItemKind::kPicture) pictures.push_back(i);
    }
    const std::size_t step = pictures.size() / kPictureQueries + 1;
    for (const ItemKind kind : kKinds) {
      if (!enough(kind)) continue;
      std::array<std::vector<Peak>, 3> peaks;
      for (std::size_t i = 0; i < nulls.rows; ++i) {
        add_peak(nulls.row(i), kind, {}, peaks[index(Asked::kWords)]);
      }
      for (std::size_t i = 0; i < pictures.size(); i += step) {
        const auto picture = result_.sample.row(pictures[i]);
        const auto id = ids_[pictures[i]];
        add_peak(picture, kind, id, peaks[index(Asked::kPictures)]);
        if (nulls.rows == 0) continue;
        // Consecutive captions are of a kind: 7 is prime to their number, more or less.
        add_peak(sum(picture, nulls.row(7 * i % nulls.rows), 1), kind, id,
                 peaks[index(Asked::kWordsAndPictures)]);
      }
      for (std::size_t asked = 0; asked < peaks.size(); ++asked)
        result_.chance[asked][index(kind)] = chance_of(peaks[asked]);
    }
  }

  static Matrix read_sample(const Store& store, const std::vector<std::int64_t>& ids,
                            std::vector<ItemKind>& kinds) {
    if (ids.empty()) return Matrix(0, static_cast<std::size_t>(store.meta().width));
    for (const auto& item : store.items(ids)) kinds.push_back(item.kind);
    auto vectors = store.vectors(ids);
    if (kinds.size() != vectors.rows)
      throw Error(Kind::kIo, store.describe() + ": changed while it was calibrated. Try again.");
    return vectors;
  }

 private:
  bool enough(ItemKind kind) const {
    return static_cast<std::size_t>(std::count(result_.kinds.begin(), result_.kinds.end(), kind)) >=
           std::min(kFewest, kSample);
  }

  // The best row of this kind that is not the query itself.
  void add_peak(std::span<const float> query, ItemKind kind, std::optional<std::int64_t> self,
                std::vector<Peak>& peaks) const {
    SearchOptions options;
    options.top_k = self ? kCopies : 1;
    if (mixed_) {
      ItemFilter filter;
      filter.op = ItemFilter::Op::kEqual;
      filter.column = "kind";
      filter.values.emplace_back(std::string(kind_name(kind)));
      options.filter = std::move(filter);
    }
    for (const auto& hit : store_.search(query, options)) {
      // A copy: the query's own picture again. (With words added, its score tells nothing.)
      if (self && (hit.id == *self || hit.score > kCopy)) continue;
      peaks.push_back({hit.score, moments(result_, query, kind).mean});
      return;
    }
  }

  const Store& store_;
  Calibration& result_;
  std::vector<std::int64_t> ids_;
  bool mixed_ = false;
};

constexpr std::array<const char*, 3> kAskedBy{"words", "pictures", "words_and_pictures"};
constexpr std::array<const char*, 2> kAmong{"pictures", "texts"};

std::string to_note(const Calibration& calibration) {
  json::object note{
      {"version", kVersion}, {"fingerprint", calibration.fingerprint}, {"rows", calibration.rows}};
  for (std::size_t by = 0; by < kAskedBy.size(); ++by) {
    json::object among;
    for (std::size_t kind = 0; kind < kAmong.size(); ++kind) {
      const auto& chance = calibration.chance[by][kind];
      json::array values;
      for (const float value : chance.values) values.emplace_back(value);
      among[kAmong[kind]] = json::object{{"share", chance.share}, {"peaks", std::move(values)}};
    }
    note[kAskedBy[by]] = std::move(among);
  }
  return json::dump(note);
}

ChancePeaks read_chance(const json::Reader& reader) {
  ChancePeaks chance;
  chance.share = static_cast<float>(reader.number("share"));
  const auto* peaks = reader.find("peaks");
  if (peaks == nullptr || !peaks->is_array())
    throw Error(Kind::kCorrupt, reader.where() + ".peaks: expected an array");
  for (const auto& value : peaks->as_array())
    chance.values.push_back(static_cast<float>(value.to_number<double>()));
  std::sort(chance.values.begin(), chance.values.end());
  return chance;
}

// Throws kCorrupt.
Calibration of_note(const json::value& note, const std::string& name) {
  const json::Reader reader(note, name);
  Calibration calibration;
  if (reader.integer("version") != kVersion)
    throw Error(Kind::kCorrupt, name + ": another version");
  calibration.fingerprint = reader.text("fingerprint");
  calibration.rows = static_cast<std::size_t>(std::max<std::int64_t>(0, reader.integer("rows")));
  for (std::size_t by = 0; by < kAskedBy.size(); ++by) {
    const auto among = reader.child(kAskedBy[by]);
    for (std::size_t kind = 0; among && kind < kAmong.size(); ++kind) {
      if (const auto chance = among->child(kAmong[kind]))
        calibration.chance[by][kind] = read_chance(*chance);
    }
  }
  return calibration;
}

}  // namespace

bool Calibration::has(ItemKind kind) const {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

Calibration measure_calibration(const Store& store, const EmbedTexts& embed,
                                const std::vector<std::string>& null_captions) {
  Calibration result;
  result.fingerprint = store.meta().fingerprint;
  result.rows = store.size();
  Calibrator calibrator(store, result);
  const bool words = !null_captions.empty() && result.sample.rows > 0;
  calibrator.measure(words ? embed(null_captions) : Matrix());
  return result;
}

Calibration calibrate(Store& store, const EmbedTexts& embed,
                      const std::vector<std::string>& null_captions) {
  auto result = measure_calibration(store, embed, null_captions);
  store.set_note(kCalibrationNote, to_note(result));
  return result;
}

std::optional<Calibration> stored_calibration(const Store& store) {
  const auto note = store.note(kCalibrationNote);
  if (!note) return {};
  Calibration result;
  try {
    result = of_note(json::parse(*note, kCalibrationNote), kCalibrationNote);
  } catch (const Error&) {
    return {};  // derived: measured again
  } catch (const std::exception&) {
    return {};  // Boost.JSON's, for a peak that is no number
  }
  const auto now = static_cast<double>(store.size());
  const auto then = static_cast<double>(result.rows);
  const bool stale = result.fingerprint != store.meta().fingerprint ||
                     std::abs(now - then) > kStale * std::max(then, 1.0);
  if (stale) return {};
  result.sample = Calibrator::read_sample(store, store.sample(kSample), result.kinds);
  return result;
}

Relevance relevance(const Calibration& calibration, std::span<const float> query, Asked asked) {
  Relevance result;
  const auto main = calibration.has(ItemKind::kPicture) ? ItemKind::kPicture : ItemKind::kText;
  for (const ItemKind kind : kKinds) {
    const auto seen = moments(calibration, query, kind);
    const auto& cut = result.by_kind[index(kind)] =
        cut_off(calibration.of(asked, kind), seen.mean, kQuantiles[index(asked)]);
    if (kind != main) continue;
    result.mean = seen.mean;
    result.deviation = seen.deviation;
    result.cut_off = cut.best;
  }
  return result;
}

Relevance relevance(const Calibration& calibration, const QueryVector& query, Asked asked) {
  if (query.wanted.empty()) return relevance(calibration, query.whole, asked);
  Relevance result = relevance(calibration, query.wanted, asked);
  const auto main = calibration.has(ItemKind::kPicture) ? ItemKind::kPicture : ItemKind::kText;
  for (const ItemKind kind : kKinds) {
    const auto seen = moments(calibration, query.whole, kind);
    auto& cut = result.by_kind[index(kind)];
    if (!calibration.of(asked, kind).values.empty()) {
      const Line line = line_through(calibration, query, kind);
      cut.best = line.at(cut.best);
      cut.rows = line.at(cut.rows);
    }
    if (kind != main) continue;
    result.mean = seen.mean;
    result.deviation = seen.deviation;
    result.cut_off = cut.best;
  }
  return result;
}

}  // namespace tandem
