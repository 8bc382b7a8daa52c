#include "cli/eval_data.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>

#include "cli/interrupt.h"
#include "core/threads.h"
#include "engine/pictures.h"
#include "preprocess/image.h"
#include "tasks/colour_histogram.h"

namespace tandem::cli {
namespace {

Record read(const EvalShards::Sample& sample) {
  return read_sample(sample.file->bytes(), sample.where);
}

EvalShards open_files(const std::string& name, const std::vector<std::filesystem::path>& paths) {
  EvalShards shards;
  shards.name = name;
  for (const auto& path : paths) {
    shards.files.push_back(std::make_unique<MappedFile>(path));
    const auto* file = shards.files.back().get();
    for (auto& sample : index_shard(file->bytes(), path.string()).samples)
      shards.samples.push_back({file, std::move(sample)});
  }
  return shards;
}

// The concepts of a set, in order of first appearance.
class Grouping {
 public:
  explicit Grouping(EvalData& data) : data_(data) {}
  // `fallback` keeps records without a group apart.
  void add(const Record& record, std::int64_t fallback) {
    const auto group = record.group >= 0 ? record.group : fallback;
    const auto [entry, fresh] = concept_of_group_.try_emplace(group, data_.set.concepts.size());
    if (fresh) {
      data_.set.concepts.push_back(!record.phrase.empty()    ? record.phrase
                                   : record.captions.empty() ? record.key
                                                             : record.captions.front());
      data_.groups.push_back(group);
    }
    data_.set.concept_of.push_back(entry->second);
  }

 private:
  EvalData& data_;
  std::map<std::int64_t, std::size_t> concept_of_group_;
};

void append(Matrix& matrix, std::span<const float> row) {
  matrix.values.insert(matrix.values.end(), row.begin(), row.end());
  matrix.cols = row.size();
  ++matrix.rows;
}

std::vector<float> histogram_of(const Record& record) {
  std::vector<float> histogram(kHistogramWidth);
  colour_histogram(decode_image(record.image, record.key), histogram);
  return histogram;
}

void normalise(std::vector<float>& values) {
  double squares = 0;
  for (const float v : values) squares += static_cast<double>(v) * v;
  if (squares == 0) return;
  for (float& v : values) v = static_cast<float>(v / std::sqrt(squares));
}

}  // namespace

std::vector<EvalShards> open_sets(const std::string& pattern) {
  const auto paths = expand_shards({pattern});
  const bool ranges = pattern.find('{') != std::string::npos;
  std::vector<EvalShards> sets;
  if (ranges) {
    sets.push_back(open_files(std::filesystem::path(pattern).stem().string(), paths));
  } else {
    for (const auto& path : paths) sets.push_back(open_files(path.stem().string(), {path}));
  }
  return sets;
}

EvalData embed_set(const EvalShards& shards, const Model& model, Skips& skips, Console& console) {
  EvalData data;
  data.set.name = shards.name;
  Grouping grouping(data);
  PictureSource source;
  source.count = shards.samples.size();
  source.name = [&](std::size_t i) { return shards.name + ": " + shards.samples[i].where.key; };
  source.read = [&](std::size_t i) { return read(shards.samples[i]).image; };
  const auto progress = console.progress("img", source.count);
  embed_pictures(model, source, {.stop = interrupted}, [&](const PictureRow& row) {
    progress->add();
    if (row.error) {
      skips.add(source.name(row.index), *row.error);
      return;
    }
    const auto record = read(shards.samples[row.index]);
    grouping.add(record, -2 - static_cast<std::int64_t>(row.index));
    append(data.pictures, row.vector);
    append(data.histograms, histogram_of(record));
  });
  progress->finish();
  return data;
}

ConceptColours learn_colours(const std::vector<std::string>& patterns, Console& console) {
  const auto shards = open_files("baseline", expand_shards(patterns));
  ConceptColours colours;
  std::mutex mutex;
  std::atomic<std::uint64_t> unread = 0;
  const auto progress = console.progress("img", shards.samples.size());
  parallel_for(shards.samples.size(), 0, [&](std::size_t i) {
    progress->add();
    if (interrupted()) return;
    try {
      const auto record = read(shards.samples[i]);
      const auto histogram = histogram_of(record);
      const std::lock_guard lock(mutex);
      auto& sum = colours.try_emplace(record.group, kHistogramWidth).first->second;
      for (std::size_t bin = 0; bin < sum.size(); ++bin) sum[bin] += histogram[bin];
    } catch (const Error&) {
      ++unread;
    }
  });
  progress->finish();
  if (unread > 0) {
    console.warn("baseline: " + with_thousands(unread) + " pictures could not be read");
  }
  colours.erase(-1);
  for (auto& [group, sum] : colours) normalise(sum);
  return colours;
}

Matrix colours_of(const ConceptColours& known, const EvalData& data) {
  Matrix rows(data.groups.size(), kHistogramWidth);
  bool any = false;
  for (std::size_t i = 0; i < data.groups.size(); ++i) {
    const auto found = known.find(data.groups[i]);
    if (found == known.end()) continue;
    std::copy(found->second.begin(), found->second.end(), rows.row(i).begin());
    any = true;
  }
  return any ? rows : Matrix();
}

}  // namespace tandem::cli
