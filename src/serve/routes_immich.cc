// What immich asks of its machine-learning server for search. Faces and text recognition are not
// Tandem's: they are refused, and immich goes on to the next server in its list.
#include <algorithm>
#include <array>
#include <cctype>
#include <fmt/format.h>

#include "tandem/error.h"

#include "engine/model.h"
#include "serve/answer_json.h"
#include "serve/body_json.h"
#include "serve/embed_inputs.h"
#include "serve/multipart.h"
#include "serve/route.h"
#include "serve/service.h"

namespace tandem::serve {
namespace {

constexpr std::size_t kBodyBytes = 32 << 20;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// immich's "ViT-B-32__openai" is our alias "ViT-B-32:openai" of vit-b-32-openai.
std::shared_ptr<const ServedModel> model_named(const Service& service, const std::string& name) {
  std::string wanted = lower(name);
  const std::size_t separator = wanted.find("__");
  if (separator != std::string::npos) wanted.replace(separator, 2, ":");
  for (const auto& model : service.models()) {
    const auto& aliases = model->model.rep().row.aliases;
    const bool known = std::any_of(aliases.begin(), aliases.end(), [&](const std::string& alias) {
      return lower(alias) == wanted;
    });
    if (known) return model;
  }
  return service.model(name);
}

struct Task {
  std::string model;
  bool visual = false;
};

// {"clip": {"visual": {"modelName": "…", "options": {…}}}}, or "textual".
Task task_of(std::string_view entries) {
  json::value parsed;
  try {
    parsed = json::parse(entries, "entries");
  } catch (const Error& error) {
    refuse("entries", error.what());
  }
  const BodyReader tasks(parsed, "entries");
  const json::value* clip = tasks.find("clip");
  if (clip == nullptr || parsed.get_object().size() != 1)
    throw HttpError(422, "unsupported_task",
                    "entries: expected {\"clip\": …}; Tandem does nothing "
                    "else for immich.",
                    "entries");
  const BodyReader types(*clip, "entries.clip");
  const json::value* visual = types.find("visual");
  const json::value* textual = types.find("textual");
  if ((visual == nullptr) == (textual == nullptr))
    refuse("entries.clip", "entries.clip: expected one of \"visual\" and \"textual\".");
  const BodyReader task(visual != nullptr ? *visual : *textual,
                        types.place(visual != nullptr ? "visual" : "textual"));
  return {task.required_text("modelName"), visual != nullptr};
}

const FormPart& required_part(const std::vector<FormPart>& parts, const char* name) {
  const FormPart* part = find_part(parts, name);
  if (part == nullptr) refuse(name, fmt::format("{}: missing. Expected a part of the form.", name));
  return *part;
}

// immich reads the vector as text, and passes that to its database.
std::string vector_text(std::span<const float> row) {
  std::string text;
  append_numbers(text, row);
  return text;
}

Response predict(Service& service, const Request& request) {
  const auto parts = parse_form(request.header("content-type"), request.body);
  const Task task = task_of(required_part(parts, "entries").bytes);
  const auto model = model_named(service, task.model);
  if (!task.visual) {
    const std::string text(required_part(parts, "text").bytes);
    const Matrix row = embed(service, *model, {{EmbedInput::Kind::kText, text, "text"}}, request);
    return json_answer(json::object{{"clip", vector_text(row.row(0))}});
  }
  const std::string_view bytes = required_part(parts, "image").bytes;
  if (bytes.size() > service.options().max_image_bytes)
    throw HttpError(413, "image_too_large",
                    fmt::format("image: {} bytes. Expected at most {}.", bytes.size(),
                                service.options().max_image_bytes),
                    "image");
  const auto* first = reinterpret_cast<const std::byte*>(bytes.data());
  DecodedPicture decoded;
  at_place("image", [&] {
    decoded = service.decode(*model, {{first, first + bytes.size()}, std::nullopt}, request);
  });
  std::vector<PixelBatch> inputs;
  inputs.push_back(std::move(decoded.input));
  const Matrix row = model->batcher->pictures(inputs, request.deadline);
  return json_answer(json::object{{"clip", vector_text(row.row(0))},
                                  {"imageHeight", decoded.height},
                                  {"imageWidth", decoded.width}});
}

constexpr std::array kRoutes = {
    Route{"POST", "/predict", Access::kRead, kBodyBytes, predict},
};

}  // namespace

std::span<const Route> immich_routes() { return kRoutes; }

}  // namespace tandem::serve
