// Many texts to vectors, with a progress line, a piece at a time so that Ctrl-C is soon heard.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tandem/matrix.h"
#include "tandem/model.h"

#include "cli/console.h"

namespace tandem::cli {

// Vectors of the texts that begin at `first`, in order.
using TextSink = std::function<void(std::size_t first, const Matrix& vectors)>;

// Ends early, without an error, when interrupted(): ask it afterwards.
void embed_texts(const Model& model, const std::vector<std::string>& texts, Console& console,
                 const TextSink& sink);

// All of them, (texts, width); rows that an interruption left out are zero.
Matrix embed_texts(const Model& model, const std::vector<std::string>& texts, Console& console);

}  // namespace tandem::cli
