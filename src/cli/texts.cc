#include "cli/texts.h"

#include <algorithm>

#include "cli/interrupt.h"

namespace tandem::cli {
namespace {

constexpr std::size_t kAtATime =
    2048;  // enough that texts which begin alike share their beginnings

}  // namespace

void embed_texts(const Model& model, const std::vector<std::string>& texts, Console& console,
                 const TextSink& sink) {
  const auto progress = console.progress("texts", texts.size());
  for (std::size_t begin = 0; begin < texts.size() && !interrupted(); begin += kAtATime) {
    const auto end = std::min(texts.size(), begin + kAtATime);
    const std::vector<std::string> some(texts.begin() + static_cast<std::ptrdiff_t>(begin),
                                        texts.begin() + static_cast<std::ptrdiff_t>(end));
    sink(begin, model.embed_texts(some));
    progress->add(some.size());
  }
  progress->finish();
}

Matrix embed_texts(const Model& model, const std::vector<std::string>& texts, Console& console) {
  Matrix all(texts.size(), static_cast<std::size_t>(model.width()));
  embed_texts(model, texts, console, [&](std::size_t first, const Matrix& vectors) {
    std::copy(vectors.values.begin(), vectors.values.end(), all.row(first).begin());
  });
  return all;
}

}  // namespace tandem::cli
