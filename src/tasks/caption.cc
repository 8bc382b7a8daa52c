#include "tasks/caption.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <numeric>

#include "core/threads.h"
#include "engine/model.h"

namespace tandem {
namespace {

using Ids = std::vector<std::int32_t>;

// A caption in work: an open beam, or one that ended.
struct Hypothesis {
  Ids text;
  double score = 0;  // open: sum; ended: sum over length
};

// The best texts that ended, at most as many as there are beams, in the order they came
// (transformers' BeamHypotheses).
class Ended {
 public:
  explicit Ended(std::size_t size) : size_(size) {}

  void add(const Ids& text, double sum, std::size_t length) {
    const double score = sum / static_cast<double>(length);
    if (kept_.size() >= size_ && score <= worst()->score) return;
    kept_.push_back({text, score});
    if (kept_.size() > size_) kept_.erase(worst());
  }
  // Whether no text that goes on could still get in, judged by what the best one scores now.
  bool done(double best_sum, std::size_t length) const {
    return kept_.size() == size_ && worst()->score >= best_sum / static_cast<double>(length);
  }
  // The last of the best. Requires: not empty.
  const Ids& best() const {
    auto best = kept_.begin();
    for (auto it = kept_.begin(); it != kept_.end(); ++it) {
      if (it->score >= best->score) best = it;
    }
    return best->text;
  }

 private:
  std::vector<Hypothesis>::const_iterator worst() const {
    return std::ranges::min_element(kept_, {}, &Hypothesis::score);
  }
  std::size_t size_;
  std::vector<Hypothesis> kept_;
};

struct Candidate {
  float score = 0;
  std::int32_t beam = 0;
  std::int32_t id = 0;
};

// The `count` best continuations, best first.
std::vector<Candidate> best_candidates(const Matrix& scores, std::span<const Hypothesis> beams,
                                       std::size_t count) {
  std::vector<Candidate> all;
  all.reserve(scores.values.size());
  for (std::size_t i = 0; i < scores.rows; ++i) {
    const auto sum = static_cast<float>(beams[i].score);
    for (std::size_t id = 0; id < scores.cols; ++id) {
      all.push_back(
          {scores.row(i)[id] + sum, static_cast<std::int32_t>(i), static_cast<std::int32_t>(id)});
    }
  }
  count = std::min(count, all.size());
  const auto better = [](const Candidate& a, const Candidate& b) { return a.score > b.score; };
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count), all.end(),
                    better);
  all.resize(count);
  return all;
}

[[noreturn]] void refuse(const std::string& option, const std::string& expected) {
  throw Error(Kind::kInput, fmt::format("{}: expected {}.", option, expected));
}

}  // namespace

CaptionIds caption_ids(const ModelConfig& config) {
  return {config.text.vocab_size - 2, config.text.vocab_size - 1, config.text.pad_id};
}

void adjust_scores(std::span<float> scores, std::span<const std::int32_t> text,
                   const CaptionOptions& options, const CaptionIds& ids) {
  if (static_cast<int>(text.size()) < options.min_tokens)
    scores[ids.end] = -std::numeric_limits<float>::infinity();
  if (options.repetition_penalty == 1) return;
  const auto penalty = static_cast<float>(options.repetition_penalty);
  Ids said(text.begin(), text.end());
  std::ranges::sort(said);
  said.erase(std::unique(said.begin(), said.end()), said.end());
  for (const std::int32_t id : said)
    scores[id] = scores[id] < 0 ? scores[id] * penalty : scores[id] / penalty;
}

std::vector<std::int32_t> beam_search(CaptionSession& session, const CaptionOptions& options,
                                      const CaptionIds& ids) {
  const auto size = static_cast<std::size_t>(options.beams);
  Ended ended(size);
  std::vector<Hypothesis> beams{{{ids.start}, 0}};
  Ids parents;
  Ids last{ids.start};
  bool done = false;
  while (!done && static_cast<int>(beams[0].text.size()) < options.max_tokens) {
    Matrix scores = session.next(parents, last);
    for (std::size_t i = 0; i < beams.size(); ++i)
      adjust_scores(scores.row(i), beams[i].text, options, ids);
    const auto candidates = best_candidates(scores, beams, 2 * size);
    const std::size_t length = beams[0].text.size() + 1;
    std::vector<Hypothesis> grown;
    parents.clear();
    last.clear();
    for (std::size_t rank = 0; rank < candidates.size() && grown.size() < size; ++rank) {
      const auto& [score, beam, id] = candidates[rank];
      if (id == ids.end) {
        if (rank < size) ended.add(beams[beam].text, score, length);
        continue;
      }
      grown.push_back({beams[beam].text, score});
      grown.back().text.push_back(id);
      parents.push_back(beam);
      last.push_back(id);
    }
    done = ended.done(candidates[0].score, length);
    beams = std::move(grown);
  }
  if (!done) {
    for (const auto& beam : beams) ended.add(beam.text, beam.score, beam.text.size());
  }
  Ids best = ended.best();
  if (static_cast<int>(best.size()) < options.max_tokens) best.push_back(ids.end);
  return best;
}

std::vector<double> next_probabilities(std::vector<float> scores, const CaptionOptions& options) {
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  const std::size_t count = scores.size();
  if (options.top_k > 0 && static_cast<std::size_t>(options.top_k) < count) {
    auto sorted = scores;
    std::nth_element(sorted.begin(), sorted.begin() + options.top_k - 1, sorted.end(),
                     std::greater<>());
    const float least = sorted[options.top_k - 1];
    for (float& score : scores) score = score < least ? kNever : score;
  }
  const float largest = *std::ranges::max_element(scores);
  std::vector<double> shares(count);
  const auto softmax = [&](double temperature) {
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i)
      sum += shares[i] = std::exp((static_cast<double>(scores[i]) - largest) / temperature);
    for (double& share : shares) share /= sum;
  };
  if (options.top_p < 1) {
    softmax(1);
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return shares[i]; });
    double below = 0;
    for (std::size_t i = 0; i + 1 < count; ++i) {  // the likeliest always stays
      below += shares[order[i]];
      if (below > 1 - options.top_p) break;
      scores[order[i]] = kNever;
    }
  }
  softmax(options.temperature);
  return shares;
}

std::vector<std::int32_t> sample_text(CaptionSession& session, const CaptionOptions& options,
                                      const CaptionIds& ids, Rng& rng) {
  Ids text{ids.start};
  Ids parents;
  while (static_cast<int>(text.size()) < options.max_tokens) {
    if (static_cast<int>(text.size()) + 1 == options.max_tokens) {
      text.push_back(ids.end);
      break;
    }
    Matrix scores = session.next(parents, std::span(text).last(1));
    parents = {0};
    adjust_scores(scores.row(0), text, options, ids);
    const auto shares = next_probabilities(std::move(scores.values), options);
    double left = rng.uniform();
    std::size_t id =
        std::ranges::max_element(shares) - shares.begin();  // where rounding leaves none
    for (std::size_t i = 0; i < shares.size(); ++i) {
      left -= shares[i];
      if (left >= 0) continue;
      id = i;
      break;
    }
    text.push_back(static_cast<std::int32_t>(id));
    if (text.back() == ids.end || text.back() == ids.pad) break;
  }
  return text;
}

void check_caption_options(const CaptionOptions& options, const ModelConfig& config) {
  // As many rows as a session reads, and the last token, which is not read.
  const int longest = std::min(config.text.context_length, config.multimodal->context_length) + 1;
  if (options.beams < 1 || options.beams > 64) refuse("beams", "1 to 64");
  if (2 * options.beams > config.text.vocab_size)
    refuse("beams", fmt::format("at most {}", config.text.vocab_size / 2));
  if (options.max_tokens < 2 || options.max_tokens > longest)
    refuse("max tokens", fmt::format("2 to {}, as this model reads", longest));
  if (options.min_tokens < 0 || options.min_tokens >= options.max_tokens)
    refuse("min tokens", fmt::format("0 to {}, below max tokens", options.max_tokens - 1));
  const auto positive = [](double x) { return x > 0 && std::isfinite(x); };
  if (!positive(options.repetition_penalty)) refuse("repetition penalty", "a number above 0");
  if (!positive(options.temperature)) refuse("temperature", "a number above 0");
  if (options.top_k < 0) refuse("top k", "0 or more");
  if (!(options.top_p > 0 && options.top_p <= 1)) refuse("top p", "a number above 0, at most 1");
}

std::size_t caption_pictures(const Model& model, const PictureSource& source,
                             const CaptionOptions& options, const std::function<bool()>& stop,
                             const std::function<void(const CaptionRow&)>& row) {
  const auto& rep = model.rep();
  check_caption_options(options, rep.checkpoint.config);
  const auto ids = caption_ids(rep.checkpoint.config);
  const auto write = [&](CaptionRow& out, int threads) {
    const auto picture = read_picture(model, source, out.index);
    const auto session = rep.encoder->begin_caption(picture, threads);
    Rng rng = Rng(options.seed).split(out.index);
    out.ids = options.sample ? sample_text(*session, options, ids, rng)
                             : beam_search(*session, options, ids);
    out.caption = rep.tokenizer->decode(out.ids);
    while (out.caption.ends_with(' ')) out.caption.pop_back();
  };
  // Threads each take a picture of their own; the last few pictures share the threads.
  const auto threads = static_cast<std::size_t>(rep.threads);
  std::size_t given = 0;
  while (given < source.count && !(stop && stop())) {
    std::vector<CaptionRow> wave(std::min(threads, source.count - given));
    const auto workers = static_cast<int>(wave.size());
    parallel_for(wave.size(), wave.size(), [&](std::size_t i) {
      wave[i].index = given + i;
      try {
        write(wave[i], rep.threads / workers);
      } catch (const Error& e) {
        wave[i].error = e;
      }
    });
    for (const auto& done : wave) row(done);
    given += wave.size();
  }
  return given;
}

std::vector<std::string> caption(const Model& model,
                                 const std::vector<std::filesystem::path>& pictures,
                                 const CaptionOptions& options) {
  std::vector<std::string> out;
  caption_pictures(model, picture_files(pictures), options, {}, [&](const CaptionRow& row) {
    if (row.error) throw *row.error;
    out.push_back(row.caption);
  });
  return out;
}

}  // namespace tandem
