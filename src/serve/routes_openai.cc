// OpenAI's embeddings, with the three ways in which others put pictures into them: infinity's
// `modality`, Jina's objects and vLLM's messages; and Cohere's /v2/embed.
#include <array>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <vector>

#include "serve/answer_json.h"
#include "serve/body_json.h"
#include "serve/embed_inputs.h"
#include "serve/route.h"
#include "serve/service.h"

namespace tandem::serve {
namespace {

using Kind = EmbedInput::Kind;

constexpr std::size_t kPictureBodyBytes = 32 << 20;  // pictures come in base64

enum class Form { kFloat, kBase64 };

// "https://…", or {"url": "…"}.
std::string url_of(const json::value& v, const std::string& place) {
  return v.is_object() ? BodyReader(v, place).required_text("url") : text_at(v, place);
}

// {"text": …}, {"image": …} as Jina's, {"type": "image_url", "image_url": {"url": …}} as OpenAI's
// and vLLM's content parts.
EmbedInput part_at(const json::value& v, const std::string& place) {
  const BodyReader part(v, place);
  const bool image = part.has("image");
  const bool image_url = part.has("image_url");
  if (part.has("text") + image + image_url != 1)
    refuse(place, place + ": expected exactly one of \"text\", \"image\" and \"image_url\".");
  if (!image && !image_url) return {Kind::kText, part.required_text("text"), part.place("text")};
  const char* key = image ? "image" : "image_url";
  return {Kind::kPicture, url_of(*part.find(key), part.place(key)), part.place(key)};
}

EmbedInput input_at(const json::value& v, const std::string& place, Kind kind) {
  if (v.is_object()) return part_at(v, place);
  if (v.is_number() || v.is_array())
    refuse(place, place +
                      ": token ids are not read, as they depend on the model. Send the text itself "
                      "(LangChain: check_embedding_ctx_length=False).");
  return {kind, text_at(v, place), place};
}

// "input": one or a list of texts, pictures or parts.
std::vector<EmbedInput> read_input(const Service& service, const BodyReader& body) {
  const auto modality = body.choice("modality", {"text", "image"});
  const Kind kind = modality == 1 ? Kind::kPicture : Kind::kText;
  const json::value* input = body.find("input");
  if (input == nullptr)
    refuse("input", "input: missing. Expected a text, or a list of texts and pictures.");
  if (!input->is_array()) return {input_at(*input, "input", kind)};
  const json::array& list = input->get_array();
  check_count(service, list.size(), "input");
  std::vector<EmbedInput> inputs;
  for (const json::value& v : list)
    inputs.push_back(input_at(v, fmt::format("input[{}]", inputs.size()), kind));
  return inputs;
}

// vLLM's: a conversation whose one text or picture is embedded.
std::vector<EmbedInput> read_messages(const json::array& messages) {
  std::vector<EmbedInput> inputs;
  for (std::size_t m = 0; m < messages.size(); ++m) {
    const BodyReader message(messages[m], fmt::format("messages[{}]", m));
    const json::value* content = message.find("content");
    if (content == nullptr) continue;
    const std::string place = message.place("content");
    if (!content->is_array()) {
      inputs.push_back({Kind::kText, text_at(*content, place), place});
      continue;
    }
    const json::array& parts = content->get_array();
    for (std::size_t i = 0; i < parts.size(); ++i)
      inputs.push_back(part_at(parts[i], fmt::format("{}[{}]", place, i)));
  }
  if (inputs.size() == 1) return inputs;
  refuse("messages", fmt::format("messages: {} texts and pictures. Expected one: this model makes "
                                 "a vector of a text or of a picture.",
                                 inputs.size()));
}

std::optional<std::size_t> read_dimensions(const BodyReader& body, const char* key, int width) {
  const auto given = body.integer(key, {1, width});
  if (!given) return std::nullopt;
  return static_cast<std::size_t>(*given);
}

void append_vector(std::string& out, std::span<const float> row, Form form) {
  if (form == Form::kFloat) return append_numbers(out, row);
  out += '"';
  out += base64(row);
  out += '"';
}

Response embeddings(Service& service, const Request& request) {
  const json::value parsed = parse_body(request);
  const BodyReader body(parsed);
  const auto model = service.model(body.text("model").value_or(""));
  const auto encoding = body.choice("encoding_format", {"float", "base64"});
  const auto jina = body.choice("embedding_type", {"float", "base64"});
  const Form form = encoding.value_or(jina.value_or(0)) == 1 ? Form::kBase64 : Form::kFloat;
  const auto dimensions = read_dimensions(body, "dimensions", model->model.width());
  body.text("user");
  const json::array* messages = body.list("messages");
  if (messages != nullptr && body.has("input"))
    refuse("messages", "messages: expected either \"input\" or \"messages\".");
  const auto inputs = messages != nullptr ? read_messages(*messages) : read_input(service, body);

  Matrix rows = embed(service, *model, inputs, request);
  if (dimensions) rows = shortened(rows, *dimensions);
  Response answer;
  std::string& out = answer.body;
  out.reserve(rows.rows * (rows.cols * 14 + 64) + 128);
  out = R"({"object":"list","data":[)";
  for (std::size_t i = 0; i < rows.rows; ++i) {
    out += fmt::format(R"({}{{"object":"embedding","index":{},"embedding":)", i > 0 ? "," : "", i);
    append_vector(out, rows.row(i), form);
    out += '}';
  }
  out += R"(],"model":)";
  append_text(out, model->name);
  const std::size_t tokens = count_tokens(*model, inputs);
  out += fmt::format(R"(,"usage":{{"prompt_tokens":{0},"total_tokens":{0}}}}})", tokens);
  return answer;
}

json::object model_json(const ServedModel& model) {
  return {{"id", model.name},
          {"object", "model"},
          {"created", 0},
          {"owned_by", "tandem"},
          {"width", model.model.width()},
          {"fingerprint", model.fingerprint}};
}

Response models(Service& service, const Request&) {
  json::array list;
  for (const auto& model : service.models()) list.push_back(model_json(*model));
  return json_answer(json::object{{"object", "list"}, {"data", std::move(list)}});
}

Response one_model(Service& service, const Request& request) {
  return json_answer(model_json(*service.model(request.captures.at("model"))));
}

// Cohere's: {"texts": […]}, {"images": […]} or {"inputs": [{"content": [part]}]}.
std::vector<EmbedInput> read_cohere(const Service& service, const BodyReader& body) {
  if (body.has("texts") + body.has("images") + body.has("inputs") != 1)
    refuse("texts", "texts: expected exactly one of \"texts\", \"images\" and \"inputs\".");
  std::vector<EmbedInput> inputs;
  const char* key = body.has("texts") ? "texts" : "images";
  if (body.has(key)) {
    const Kind kind = body.has("texts") ? Kind::kText : Kind::kPicture;
    for (std::string& content : body.texts(key))
      inputs.push_back({kind, std::move(content), fmt::format("{}[{}]", key, inputs.size())});
    check_count(service, inputs.size(), key);
    return inputs;
  }
  const json::array& list = *body.list("inputs");
  check_count(service, list.size(), "inputs");
  for (const json::value& v : list) {
    const BodyReader input(v, fmt::format("inputs[{}]", inputs.size()));
    const json::array* content = input.list("content");
    if (content == nullptr || content->size() != 1)
      refuse(input.place("content"), input.place("content") + ": expected a list of one part.");
    inputs.push_back(part_at((*content)[0], input.place("content[0]")));
  }
  return inputs;
}

Response cohere_embed(Service& service, const Request& request) {
  const json::value parsed = parse_body(request);
  const BodyReader body(parsed);
  const auto model = service.model(body.text("model").value_or(""));
  const auto types = body.texts("embedding_types");
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (types[i] != "float" && types[i] != "base64")
      refuse(fmt::format("embedding_types[{}]", i),
             fmt::format("embedding_types[{}]: expected \"float\" or \"base64\".", i));
  }
  const auto wanted = [&](const char* type) {
    return std::find(types.begin(), types.end(), type) != types.end();
  };
  const auto dimensions = read_dimensions(body, "output_dimension", model->model.width());
  const auto inputs = read_cohere(service, body);
  Matrix rows = embed(service, *model, inputs, request);
  if (dimensions) rows = shortened(rows, *dimensions);

  Response answer;
  std::string& out = answer.body;
  out = R"({"id":)";
  append_text(out, request.id);
  out += R"(,"embeddings":{)";
  const auto append_rows = [&](const char* name, Form form) {
    out += fmt::format(R"({}"{}":[)", out.back() == '{' ? "" : ",", name);
    for (std::size_t i = 0; i < rows.rows; ++i) {
      if (i > 0) out += ',';
      append_vector(out, rows.row(i), form);
    }
    out += ']';
  };
  if (types.empty() || wanted("float")) append_rows("float", Form::kFloat);
  if (wanted("base64")) append_rows("base64", Form::kBase64);
  out += R"(},"texts":[)";
  for (const EmbedInput& input : inputs) {
    if (input.kind != Kind::kText) continue;
    if (out.back() != '[') out += ',';
    append_text(out, input.content);
  }
  const std::size_t tokens = count_tokens(*model, inputs);
  out += fmt::format(R"(],"meta":{{"api_version":{{"version":"2"}},"billed_units":{{)"
                     R"("input_tokens":{}}}}},"response_type":"embeddings_by_type"}})",
                     tokens);
  return answer;
}

constexpr std::array kRoutes = {
    Route{"POST", "/v1/embeddings", Access::kRead, kPictureBodyBytes, embeddings},
    Route{"POST", "/embeddings", Access::kRead, kPictureBodyBytes, embeddings},
    Route{"POST", "/v2/embed", Access::kRead, kPictureBodyBytes, cohere_embed},
    Route{"GET", "/v1/models", Access::kRead, 0, models},
    Route{"GET", "/models", Access::kRead, 0, models},
    Route{"GET", "/v1/models/{model}", Access::kRead, 0, one_model},
};

}  // namespace

std::span<const Route> openai_routes() { return kRoutes; }

}  // namespace tandem::serve
