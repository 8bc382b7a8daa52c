// A picture's texts growing token by token under CoCa's text tower and decoder. What was read is
// kept by block, so that a token costs one row a text; exact, since both are causal.
#pragma once

#include <cassert>
#include <span>
#include <vector>

#include "model/clip.h"

namespace tandem {

template <Backend B>
class CaptionPass {
 public:
  using Tensor = typename B::Tensor;

  // `b` and `clip` outlive the pass. Requires: a decoder, OpenCLIP's ViT and text tower; one
  // picture.
  CaptionPass(B& b, const Clip<B>& clip, const PixelBatch& picture)
      : b_(b), clip_(clip), picture_(read(picture)) {}

  // Text i is text parents[i] of the call before with token ids[i] behind it; at the first call
  // there are no parents. Returns the scores of what follows each: (B,V), float32.
  Tensor next(std::span<const std::int32_t> parents, std::span<const std::int32_t> ids) {
    assert(parents.empty() ? tokens_.count() == 0 : parents.size() == ids.size());
    const auto length = tokens_.count() == 0 ? 0 : tokens_.offsets[1];
    TokenBatch grown;
    std::vector<std::int32_t> rows;  // of what is kept of all texts, then the new rows
    std::vector<std::int32_t> text;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      text.clear();
      for (std::int32_t t = 0; t < length; ++t) {
        rows.push_back(parents[i] * length + t);
        text.push_back(tokens_.ids[rows.back()]);
      }
      rows.push_back(tokens_.offsets.back() + static_cast<std::int32_t>(i));
      text.push_back(ids[i]);
      grown.add(text);
    }
    tokens_ = std::move(grown);
    Tensor x = clip_.text().clip()->run_next(b_, tokens_, text_past_, rows);
    return clip_.decoder()->run_next(b_, std::move(x), decoder_past_, Segments::of(tokens_), rows,
                                     picture_);
  }

 private:
  typename CocaDecoder<B>::Picture read(const PixelBatch& picture) const {
    const Tensor rows = clip_.image().vit()->run_tokens(b_, picture);
    return clip_.decoder()->picture(b_, rows, clip_.image().vit()->token_count());
  }

  B& b_;
  const Clip<B>& clip_;
  typename CocaDecoder<B>::Picture picture_;
  TokenBatch tokens_;  // all of one length
  Past<B> text_past_;
  Past<B> decoder_past_;
};

}  // namespace tandem
