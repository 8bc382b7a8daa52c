// Text Embeddings Inference's routes, for its clients and huggingface_hub's InferenceClient.
#include <array>
#include <fmt/format.h>

#include "engine/encoder.h"
#include "engine/model.h"
#include "serve/answer_json.h"
#include "serve/body_json.h"
#include "serve/embed_inputs.h"
#include "serve/route.h"
#include "serve/service.h"

namespace tandem::serve {
namespace {

constexpr std::size_t kBodyBytes = 2'000'000;  // TEI's own limit

std::vector<EmbedInput> read_inputs(const Service& service, const BodyReader& body) {
  const json::value* inputs = body.find("inputs");
  if (inputs == nullptr) refuse("inputs", "inputs: missing. Expected a text or a list of texts.");
  using Kind = EmbedInput::Kind;
  if (!inputs->is_array()) return {{Kind::kText, text_at(*inputs, "inputs"), "inputs"}};
  check_count(service, inputs->get_array().size(), "inputs");
  std::vector<EmbedInput> read;
  for (std::string& text : body.texts("inputs"))
    read.push_back({Kind::kText, std::move(text), fmt::format("inputs[{}]", read.size())});
  return read;
}

// "truncate": false means that a text which would be cut is refused. What fills the model's whole
// context may have been cut.
void refuse_long(const ServedModel& model, const std::vector<EmbedInput>& inputs) {
  const Tokenizer& tokenizer = *model.model.rep().tokenizer;
  for (const EmbedInput& input : inputs) {
    if (static_cast<int>(tokenizer.encode(input.content).size()) < tokenizer.context_length())
      continue;
    throw HttpError(413, "text_too_long",
                    fmt::format("{}: fills the {} tokens that the model reads. Expected fewer, or "
                                "\"truncate\": true.",
                                input.place, tokenizer.context_length()),
                    input.place);
  }
}

Response embed_texts(Service& service, const Request& request) {
  const json::value parsed = parse_body(request);
  const BodyReader body(parsed);
  const auto model = service.model("");
  const auto inputs = read_inputs(service, body);
  const auto dimensions = body.integer("dimensions", {1, model->model.width()});
  const auto direction = body.choice("truncation_direction", {"right", "left"});
  if (direction == 1)
    refuse("truncation_direction", "truncation_direction: texts are cut on the right only.");
  if (body.text("prompt_name")) refuse("prompt_name", "prompt_name: this model has no prompts.");
  if (!body.boolean("normalize", true))
    refuse("normalize", "normalize: the vectors of this server have length 1, always.");
  if (!body.boolean("truncate", true)) refuse_long(*model, inputs);
  Matrix rows = embed(service, *model, inputs, request);
  if (dimensions) rows = shortened(rows, static_cast<std::size_t>(*dimensions));
  Response answer;
  answer.body = "[";
  for (std::size_t i = 0; i < rows.rows; ++i) {
    if (i > 0) answer.body += ',';
    append_numbers(answer.body, rows.row(i));
  }
  answer.body += ']';
  return answer;
}

Response info(Service& service, const Request&) {
  const auto model = service.model("");
  const ServiceOptions& options = service.options();
  return json_answer(json::object{
      {"model_id", model->name},
      {"model_sha", model->fingerprint},
      {"model_dtype", precision_name(model->model.precision())},
      {"model_type", {{"embedding", {{"pooling", "cls"}}}}},
      {"max_concurrent_requests", options.batcher.max_waiting},
      {"max_input_length", model->model.rep().tokenizer->context_length()},
      {"max_batch_tokens", options.batcher.max_tokens},
      {"max_client_batch_size", options.max_batch_items},
      {"auto_truncate", true},
      {"version", "tandem 0.1.0"},
  });
}

constexpr std::array kRoutes = {
    Route{"POST", "/embed", Access::kRead, kBodyBytes, embed_texts, ErrorShape::kTei},
    Route{"POST", "/", Access::kRead, kBodyBytes, embed_texts, ErrorShape::kTei},
    Route{"GET", "/info", Access::kRead, 0, info, ErrorShape::kTei},
};

}  // namespace

std::span<const Route> tei_routes() { return kRoutes; }

}  // namespace tandem::serve
