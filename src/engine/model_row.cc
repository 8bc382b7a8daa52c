#include "engine/model_row.h"

#include "core/error.h"

namespace tandem {
namespace {

constexpr std::size_t kMostValues = 100'000;

[[noreturn]] void corrupt(const json::Reader& reader, const std::string& problem) {
  throw Error(Kind::kCorrupt, reader.where() + ": " + problem);
}

std::vector<std::string> texts(const json::Reader& reader, std::string_view key) {
  std::vector<std::string> out;
  const auto* list = reader.find(key);
  if (list == nullptr) return out;
  if (!list->is_array()) corrupt(reader, std::string(key) + " is not a list. Expected texts.");
  for (const auto& item : list->get_array()) {
    if (!item.is_string())
      corrupt(reader, std::string(key) + " holds something else than texts. Expected texts only.");
    out.emplace_back(item.get_string());
  }
  return out;
}

HubFile read_file_row(const json::Reader& reader) {
  reader.refuse_unknown({"name", "sha256", "size"});
  HubFile file{.name = reader.text("name"), .sha256 = reader.text("sha256", "")};
  if (!is_hub_file(file.name)) corrupt(reader, "name is no file of a repository.");
  if (!file.sha256.empty() && !is_sha256(file.sha256))
    corrupt(reader, "sha256 is not 64 lower-case hexadecimal digits.");
  if (reader.has("size")) {
    const auto size = reader.integer("size");
    if (size < 0) corrupt(reader, "size is negative.");
    file.size_bytes = static_cast<std::uint64_t>(size);
  }
  return file;
}

void read_hub(const json::Reader& reader, ModelRow& row) {
  reader.refuse_unknown({"repository", "revision", "files"});
  row.hub =
      HubName{.repository = reader.text("repository"), .revision = reader.text("revision", "main")};
  if (!is_repository(row.hub->repository)) corrupt(reader, "repository is not ORG/NAME.");
  if (!is_revision(row.hub->revision)) corrupt(reader, "revision is no branch, tag or commit.");
  const auto* files = reader.find("files");
  if (files == nullptr) return;
  if (!files->is_array()) corrupt(reader, "files is not a list.");
  for (const auto& file : files->get_array())
    row.files.push_back(read_file_row(json::Reader(file, reader.where() + ".files")));
}

}  // namespace

ModelRow parse_row(std::string_view text, const std::string& where) {
  const auto value = json::parse(text, where, kMostValues);
  const json::Reader reader(value, where);
  reader.refuse_unknown({"name", "family", "summary", "licence", "templates", "notes", "aliases",
                         "parameters", "folder", "hub", "config", "made_by"});
  ModelRow row;
  row.name = reader.text("name");
  row.family = reader.text("family", "");
  row.summary = reader.text("summary");
  row.licence = reader.text("licence");
  row.templates = reader.text("templates", row.templates);
  row.notes = texts(reader, "notes");
  row.aliases = texts(reader, "aliases");
  row.parameters = reader.integer("parameters", 0);
  row.folder = reader.text("folder", "");
  if (const auto hub = reader.child("hub")) read_hub(*hub, row);
  if (row.hub.has_value() == !row.folder.empty())
    corrupt(reader, "has both or neither of folder and hub. Expected one of them.");
  if (const auto config = reader.child("config")) {
    config->required_child("model_cfg");
    row.config = *reader.find("config");
  }
  return row;
}

std::int64_t config_number(const ModelRow& row, std::string_view key) {
  if (!row.config.is_object()) return 0;
  const json::value* at = row.config.get_object().if_contains("model_cfg");
  while (at != nullptr && at->is_object()) {
    const auto dot = key.find('.');
    at = at->get_object().if_contains(key.substr(0, dot));
    if (dot == key.npos) break;
    key.remove_prefix(dot + 1);
  }
  return at != nullptr && at->is_int64() ? at->get_int64() : 0;
}

}  // namespace tandem
