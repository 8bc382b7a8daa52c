// What the embedding routes have in common: texts and pictures in one request, each remembered with
// its place in the body, so that errors name it in the client's own dialect.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "tandem/matrix.h"

#include "serve/message.h"
#include "serve/service.h"

namespace tandem::serve {

struct EmbedInput {
  enum class Kind { kText, kPicture };
  Kind kind = Kind::kText;
  std::string content;  // the text, or the picture as picture_bytes() takes it
  std::string place;    // "input[3].image"
};

// Throws HttpError 413 unless there are 1 to max_batch_items of them; an empty list is 400 about
// `place`.
void check_count(const Service& service, std::size_t count, const std::string& place);

// (N,E) unit rows in their order. Throws as Service::embed_texts and embed_pictures do, with the
// input's own place as `param`.
Matrix embed(Service& service, const ServedModel& model, const std::vector<EmbedInput>& inputs,
             const Request& request);

// Tokens of the texts, start and end of text included, as the model reads them; pictures count
// nothing.
std::size_t count_tokens(const ServedModel& model, const std::vector<EmbedInput>& inputs);

// The first `width` values of each row, normalised again. Requires: width <= rows.cols.
Matrix shortened(const Matrix& rows, std::size_t width);

// Runs `work`; of the HttpErrors that it throws, those about the caller's input name `place`, or
// for "input[I]" places[I].
void at_place(const std::string& place, const std::function<void()>& work);
void at_places(const std::vector<std::string>& places, const std::function<void()>& work);

}  // namespace tandem::serve
