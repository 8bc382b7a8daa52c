#include "serve/embed_inputs.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <optional>
#include <string_view>

#include "engine/model.h"
#include "serve/body_json.h"

namespace tandem::serve {
namespace {

// Whether it is about what the caller sent, and so about one of its places.
bool about_input(const HttpError& error) {
  return error.status() == 400 || error.status() == 413 || error.status() == 422;
}

[[noreturn]] void throw_at(const HttpError& error, const std::string& place) {
  std::string message = error.what();
  const std::string was = error.param().value_or("") + ": ";
  if (was.size() > 2 && message.starts_with(was))
    message = place + ": " + message.substr(was.size());
  throw HttpError(error.status(), error.type(), message, place, error.retry_after_s());
}

// 3 of "input[3]".
std::optional<std::size_t> index_of(const std::string& param) {
  const std::size_t open = param.find('[');
  if (open == std::string::npos) return std::nullopt;
  std::size_t index = 0;
  const char* end = param.data() + param.size();
  const auto [stop, failure] = std::from_chars(param.data() + open + 1, end, index);
  if (failure != std::errc() || stop == end || *stop != ']') return std::nullopt;
  return index;
}

}  // namespace

void check_count(const Service& service, std::size_t count, const std::string& place) {
  const std::size_t most = service.options().max_batch_items;
  if (count == 0)
    refuse(place, fmt::format("{}: expected 1 to {} of them, but it is empty.", place, most));
  if (count <= most) return;
  throw HttpError(
      413, "too_many_items",
      fmt::format("{}: {} of them. Expected at most {} in one request.", place, count, most),
      place);
}

Matrix embed(Service& service, const ServedModel& model, const std::vector<EmbedInput>& inputs,
             const Request& request) {
  std::vector<std::string> texts;
  std::vector<Service::Picture> pictures;
  std::vector<std::string> text_places;
  std::vector<std::string> picture_places;
  for (const EmbedInput& input : inputs) {
    if (input.kind == EmbedInput::Kind::kText) {
      texts.push_back(input.content);
      text_places.push_back(input.place);
      continue;
    }
    at_place(input.place, [&] {
      pictures.push_back({service.picture_bytes(input.content, request), std::nullopt});
    });
    picture_places.push_back(input.place);
  }
  Matrix of_texts;
  Matrix of_pictures;
  if (!texts.empty())
    at_places(text_places, [&] { of_texts = service.embed_texts(model, texts, request); });
  if (pictures.empty()) return of_texts;
  at_places(picture_places,
            [&] { of_pictures = service.embed_pictures(model, pictures, request); });
  if (texts.empty()) return of_pictures;
  Matrix all(inputs.size(), of_texts.cols);
  std::size_t text = 0;
  std::size_t picture = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const bool is_text = inputs[i].kind == EmbedInput::Kind::kText;
    const auto row = is_text ? of_texts.row(text++) : of_pictures.row(picture++);
    std::copy(row.begin(), row.end(), all.row(i).begin());
  }
  return all;
}

std::size_t count_tokens(const ServedModel& model, const std::vector<EmbedInput>& inputs) {
  std::size_t tokens = 0;
  for (const EmbedInput& input : inputs) {
    if (input.kind == EmbedInput::Kind::kText)
      tokens += model.model.rep().tokenizer->encode(input.content).size();
  }
  return tokens;
}

Matrix shortened(const Matrix& rows, std::size_t width) {
  if (width == rows.cols) return rows;
  Matrix out(rows.rows, width);
  for (std::size_t i = 0; i < rows.rows; ++i) {
    const auto from = rows.row(i).first(width);
    double squares = 0;
    for (const float x : from) squares += static_cast<double>(x) * x;
    const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
    std::transform(from.begin(), from.end(), out.row(i).begin(),
                   [&](float x) { return static_cast<float>(x * scale); });
  }
  return out;
}

void at_place(const std::string& place, const std::function<void()>& work) {
  try {
    work();
  } catch (const HttpError& error) {
    if (!about_input(error)) throw;
    throw_at(error, place);
  }
}

void at_places(const std::vector<std::string>& places, const std::function<void()>& work) {
  try {
    work();
  } catch (const HttpError& error) {
    const auto index = index_of(error.param().value_or(""));
    if (!about_input(error) || !index || *index >= places.size()) throw;
    throw_at(error, places[*index]);
  }
}

}  // namespace tandem::serve
