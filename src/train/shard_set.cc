#include "train/shard_set.h"

#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/threads.h"

namespace tandem {

ShardSet::ShardSet(const std::vector<ShardSource>& sources, bool cache, std::size_t threads) {
  for (const ShardSource& source : sources) {
    for (const auto& path : expand_shards(source.shards)) {
      files_.emplace_back(path);
      indexes_.push_back(index_shard(files_.back().bytes(), path.string()));
      const auto shard = static_cast<std::uint32_t>(indexes_.size() - 1);
      for (const auto& [reason, entry] : indexes_.back().skipped.reasons()) {
        for (std::uint64_t n = 0; n < entry.count; ++n) skipped_.add(reason, path.string());
      }
      const std::size_t count = indexes_.back().samples.size();
      for (std::uint32_t i = 0; i < count; ++i) {
        places_.push_back({shard, i, static_cast<float>(source.weight)});
      }
    }
  }
  if (cache) decode_all(threads);
  double expected = 0;
  double variance = 0;  // of the epoch's length: each fraction of a weight is a coin
  for (const Place& place : places_) {
    const double fraction = place.weight - std::floor(place.weight);
    expected += place.weight;
    variance += fraction * (1 - fraction);
  }
  // Two standard deviations below what is expected: nearly every epoch is long enough.
  epoch_size_ = static_cast<std::size_t>(std::max(1.0, expected - 2 * std::sqrt(variance)));
  if (places_.empty()) throw Error(Kind::kInput, "training data: no usable sample in the shards.");
}

TrainSample ShardSet::read(std::size_t i) const {
  return cached_.empty() ? decode(places_[i]) : cached_[i];
}

std::vector<std::uint32_t> ShardSet::epoch_order(std::uint64_t seed, std::uint64_t epoch) const {
  Rng rng = Rng(seed).split(epoch);
  std::vector<std::uint32_t> order;
  order.reserve(epoch_size_);
  for (std::uint32_t i = 0; i < places_.size(); ++i) {
    const double weight = places_[i].weight;
    const double whole = std::floor(weight);
    const int times = static_cast<int>(whole) + (rng.uniform() < weight - whole ? 1 : 0);
    order.insert(order.end(), times, i);
  }
  shuffle(std::span(order), rng);
  // An unlucky epoch repeats its first samples.
  for (std::size_t i = 0; order.size() < epoch_size_; ++i) order.push_back(order[i]);
  order.resize(epoch_size_);
  return order;
}

TrainSample ShardSet::decode(const Place& place) const {
  const ShardIndex::Sample& sample = indexes_[place.shard].samples[place.sample];
  Record record = read_sample(files_[place.shard].bytes(), sample);
  if (record.captions.empty()) throw Error(Kind::kInput, "sample " + record.key + ": no caption");
  TrainSample out;
  out.image = decode_image(record.image, record.key, {.alpha = Alpha::kKeep});
  out.captions = std::move(record.captions);
  out.group = record.group;
  out.mono = record.mono;
  return out;
}

void ShardSet::decode_all(std::size_t threads) {
  std::vector<TrainSample> all(places_.size());
  std::vector<std::string> problems(places_.size());
  parallel_for(places_.size(), threads, [&](std::size_t i) {
    try {
      all[i] = decode(places_[i]);
    } catch (const Error& e) {  // a bad row costs itself
      problems[i] = e.what();
    }
  });
  std::vector<Place> kept;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    if (!problems[i].empty()) {
      skipped_.add("unreadable", problems[i]);
      continue;
    }
    kept.push_back(places_[i]);
    cached_.push_back(std::move(all[i]));
  }
  places_ = std::move(kept);
}

}  // namespace tandem
