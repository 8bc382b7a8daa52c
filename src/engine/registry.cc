#include "engine/registry.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <string_view>

#include "tandem/error.h"

#include "core/closest.h"
#include "core/files.h"
#include "core/json.h"
#include "core/progress.h"
#include "model/checkpoint.h"
#include "model/config.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostRowBytes = 1 << 20;
constexpr std::string_view kConfigFile = "open_clip_config.json";

// Says where the row's files are, and whether they are.
void locate(ModelRow& row, const ModelPlaces& places) {
  std::error_code ignored;
  if (!row.hub) {
    row.folder = places.assets / row.folder;
    row.installed = fs::exists(row.folder / kConfigFile, ignored);
    if (row.installed && row.config.is_null()) row.config = json::read(row.folder / kConfigFile);
    return;
  }
  if (places.hub_cache.empty()) return;
  row.folder = repository_folder(places.hub_cache, row.hub->repository);
  const auto snapshot = find_snapshot(places.hub_cache, *row.hub);
  if (!snapshot || !has_weights(*snapshot)) return;
  row.folder = *snapshot;
  row.installed = true;
}

ModelRow read_row(const fs::path& file, const ModelPlaces& places) {
  auto row = parse_row(read_text_file(file, kMostRowBytes), file.string());
  locate(row, places);
  return row;
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return text;
}

bool goes_by(const ModelRow& row, const std::string& lower_name) {
  return row.name == lower_name ||
         std::any_of(row.aliases.begin(), row.aliases.end(),
                     [&](const std::string& alias) { return lower(alias) == lower_name; });
}

[[noreturn]] void throw_unknown(const std::string& name, const std::vector<ModelRow>& rows) {
  std::vector<std::string_view> names;
  for (const auto& row : rows) {
    names.push_back(row.name);
    names.insert(names.end(), row.aliases.begin(), row.aliases.end());
  }
  std::string message = "--model " + name +
                        ": unknown model. Expected a name listed by \"tandem models\", a folder or "
                        "a .safetensors or .npz file.";
  if (const auto near = closest(name, names); !near.empty())
    message += " Closest: " + std::string(near) + ".";
  throw Error(Kind::kNotFound, message);
}

// "151 million parameters, about 605 MB"
std::string size_text(const ModelRow& row) {
  if (row.parameters <= 0) return "";
  const auto millions = static_cast<std::uint64_t>(row.parameters + 500'000) / 1'000'000;
  return fmt::format(" ({} million parameters, about {} MB)", with_thousands(millions),
                     with_thousands(4 * millions));
}

[[noreturn]] void throw_absent(const std::string& name, const ModelRow& row) {
  if (!row.hub) {
    throw Error(Kind::kNotFound,
                "--model " + name + ": its files are not in " + row.folder.string() +
                    ". Expected open_clip_config.json and open_clip_model.safetensors there.");
  }
  throw Error(Kind::kNotFound, "--model " + name + ": not on this machine yet" + size_text(row) +
                                   ". Fetch it with: tandem pull " + name);
}

// Keys that say where something comes from or how it was trained, not what it computes.
bool changes_nothing(std::string_view key) {
  constexpr std::array<std::string_view, 7> kKeys = {
      "hf_tokenizer_name", "timm_model_pretrained", "hf_model_pretrained", "timm_drop",
      "timm_drop_path",    "patch_dropout",         "init_logit_scale"};
  return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
}

bool says_nothing(const json::value& v) {
  return v.is_null() || (v.is_bool() && !v.get_bool()) || (v.is_object() && v.get_object().empty());
}

bool same(const json::value& a, const json::value& b) {
  if (a.is_number() && b.is_number()) return a.to_number<double>() == b.to_number<double>();
  if (!a.is_array() || !b.is_array()) return a == b;
  const auto& one = a.get_array();
  const auto& other = b.get_array();
  return std::equal(one.begin(), one.end(), other.begin(), other.end(), same);
}

void differ(const json::value& here, const json::value& there, const std::string& path,
            std::vector<std::string>& out) {
  static const json::value kNothing = json::object();
  if (says_nothing(here) && says_nothing(there)) return;
  const bool nested =
      (here.is_object() || says_nothing(here)) && (there.is_object() || says_nothing(there));
  if (!nested) {
    if (!same(here, there)) {
      out.push_back(
          fmt::format("{}: {} here, {} there", path, json::dump(here), json::dump(there)));
    }
    return;
  }
  const auto& mine = here.is_object() ? here.get_object() : kNothing.get_object();
  const auto& theirs = there.is_object() ? there.get_object() : kNothing.get_object();
  const auto visit = [&](std::string_view key) {
    if (changes_nothing(key)) return;
    const auto* a = mine.if_contains(key);
    const auto* b = theirs.if_contains(key);
    differ(a == nullptr ? json::value() : *a, b == nullptr ? json::value() : *b,
           path.empty() ? std::string(key) : path + "." + std::string(key), out);
  };
  for (const auto& entry : mine) visit(entry.key());
  for (const auto& entry : theirs) {
    if (!mine.contains(entry.key())) visit(entry.key());
  }
}

ModelRow hub_row(const std::string& name, HubName hub, const ModelPlaces& places) {
  ModelRow row;
  row.name = name;
  row.hub = std::move(hub);
  locate(row, places);
  return row;
}

// With every default written out, where the model is one that Tandem knows.
std::optional<json::value> canonical(const json::value& config) {
  try {
    return to_json(parse_model_config(config, "config"));
  } catch (const Error&) {
    return std::nullopt;
  }
}

// The same with open_clip's defaults for the preprocessing, where Tandem knows no more.
json::value with_preprocess(const json::value& config) {
  json::object preprocess{{"mode", "RGB"},
                          {"mean", json::array{0.48145466, 0.4578275, 0.40821073}},
                          {"std", json::array{0.26862954, 0.26130258, 0.27577711}},
                          {"interpolation", "bicubic"},
                          {"resize_mode", "shortest"},
                          {"fill_color", 0}};
  if (!config.is_object()) return config;
  json::object out = config.get_object();
  const auto* given = out.if_contains("preprocess_cfg");
  if (given != nullptr && given->is_object()) {
    for (const auto& [key, value] : given->get_object()) {
      if (!value.is_null() && key != "size") preprocess[key] = value;
    }
  }
  out["preprocess_cfg"] = std::move(preprocess);  // its size is vision_cfg's
  return out;
}

}  // namespace

std::vector<ModelRow> list_models(const ModelPlaces& places) {
  const auto folder = places.assets / "models";
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
    if (entry.path().extension() == ".json") rows.push_back(read_row(entry.path(), places));
  }
  const auto key = [](const ModelRow& row) {
    return std::tuple(row.hub.has_value(), row.family, row.name);
  };
  std::sort(rows.begin(), rows.end(),
            [&](const auto& a, const auto& b) { return key(a) < key(b); });
  return rows;
}

ModelRow find_row(const std::string& name, const ModelPlaces& places) {
  if (auto hub = read_hub_name(name)) return hub_row(name, std::move(*hub), places);
  const bool plain = !name.empty() && name.find('/') == std::string::npos;
  std::error_code ignored;
  if (const auto file = places.assets / "models" / (name + ".json");
      plain && fs::exists(file, ignored))
    return read_row(file, places);
  if (!name.empty() && fs::exists(name, ignored)) {
    ModelRow row;
    row.name = name;
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
  auto rows = list_models(places);
  const auto found = std::find_if(rows.begin(), rows.end(),
                                  [&](const ModelRow& row) { return goes_by(row, lower(name)); });
  if (found == rows.end()) throw_unknown(name, rows);
  return std::move(*found);
}

ModelRow find_model(const std::string& name, const ModelPlaces& places) {
  auto row = find_row(name, places);
  if (!row.installed) throw_absent(name, row);
  if (row.hub) check_config(row, row.folder);
  return row;
}

void check_config(const ModelRow& row, const fs::path& snapshot) {
  const auto file = snapshot / kConfigFile;
  std::error_code ignored;
  if (row.config.is_null() || !fs::exists(file, ignored)) return;
  const auto differences = config_differences(row.config, json::read(file));
  if (differences.empty()) return;
  throw Error(
      Kind::kInput,
      fmt::format("{0}: the configuration beside its weights on the hub ({1}) is not the one that "
                  "Tandem and open_clip know this model by: {2}. Expected the same. To follow the "
                  "hub's: hf-hub:{1} in place of the name.",
                  row.name, row.hub ? row.hub->repository : snapshot.string(),
                  fmt::join(differences, "; ")));
}

std::vector<std::string> config_differences(const json::value& here, const json::value& there) {
  std::vector<std::string> out;
  const auto mine = canonical(here);
  const auto theirs = canonical(there);
  if (mine && theirs) {
    differ(*mine, *theirs, "", out);
  } else {
    differ(with_preprocess(here), with_preprocess(there), "", out);
  }
  return out;
}

}  // namespace tandem
