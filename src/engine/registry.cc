#include "engine/registry.h"

#include <algorithm>
#include <string_view>

#include "tandem/error.h"

#include "core/closest.h"
#include "core/json.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

// Files that make a folder a model.
bool holds_model(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / "open_clip_config.json", ignored);
}

ModelRow read_row(const fs::path& file, const fs::path& assets) {
  const auto text = json::read(file);
  const json::Reader reader(text, file.string());
  reader.refuse_unknown({"name", "summary", "licence", "templates", "notes", "folder"});
  ModelRow row;
  row.name = reader.text("name");
  row.summary = reader.text("summary");
  row.licence = reader.text("licence");
  row.templates = reader.text("templates", "simple");
  if (const auto* notes = reader.find("notes"); notes && notes->is_array()) {
    for (const auto& note : notes->as_array()) row.notes.emplace_back(note.as_string());
  }
  row.folder = assets / reader.text("folder");
  row.installed = holds_model(row.folder);
  return row;
}

[[noreturn]] void throw_unknown(const std::string& name, const std::vector<ModelRow>& rows) {
  std::vector<std::string_view> names;
  for (const auto& row : rows) names.push_back(row.name);
  std::string message = "--model " + name +
                        ": unknown model. Expected a name listed by \"tandem models\", a folder or "
                        "a .safetensors file.";
  if (const auto near = closest(name, names); !near.empty())
    message += " Closest: " + std::string(near) + ".";
  throw Error(Kind::kNotFound, message);
}

}  // namespace

std::vector<ModelRow> list_models(const fs::path& assets) {
  const auto folder = assets / "models";
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  if (error) {
    throw Error(
        Kind::kNotFound,
        "cannot list the models in " + folder.string() + ": " + error.message() +
            ". Expected Tandem's assets folder there: name it with --assets or TANDEM_ASSETS.");
  }
  std::vector<ModelRow> rows;
  for (const auto& entry : entries) {
    if (entry.path().extension() == ".json") rows.push_back(read_row(entry.path(), assets));
  }
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return rows;
}

ModelRow find_model(const std::string& name, const fs::path& assets) {
  const bool plain = !name.empty() && name.find('/') == std::string::npos;
  std::error_code ignored;
  if (plain && fs::exists(assets / "models" / (name + ".json"), ignored)) {
    auto row = read_row(assets / "models" / (name + ".json"), assets);
    if (!row.installed) {
      throw Error(Kind::kNotFound,
                  "--model " + name + ": its files are not in " + row.folder.string() +
                      ". Expected open_clip_config.json and open_clip_model.safetensors there.");
    }
    return row;
  }
  if (!name.empty() && fs::exists(name, ignored)) {
    ModelRow row;
    row.name = name;
    row.templates = "simple";
    row.folder = name;
    row.installed = true;
    return row;
  }
  if (!plain) {
    throw Error(Kind::kNotFound,
                "--model " + name +
                    ": no such file or folder. Expected a model folder, a .safetensors file, "
                    "or a name listed by \"tandem models\".");
  }
  throw_unknown(name, list_models(assets));
}

}  // namespace tandem
