// The models known by name: one assets/models/NAME.json each.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace tandem {

struct ModelRow {
  std::string name;
  std::string summary;             // one line: what it is good for
  std::string licence;             // SPDX expression
  std::string templates;           // the prompt set that suits it, as load_templates() takes it
  std::vector<std::string> notes;  // what one should know before relying on it
  std::filesystem::path folder;    // where its files are on this machine
  bool installed = false;          // whether they are there
};

// All rows, sorted by name. Throws kNotFound when `assets` has no models, kCorrupt naming a bad
// file.
std::vector<ModelRow> list_models(const std::filesystem::path& assets);

// The row called `name`, or of the model at the path `name` (then without summary and licence). A
// name goes before a path of the same spelling. Throws kNotFound with the closest name.
ModelRow find_model(const std::string& name, const std::filesystem::path& assets);

}  // namespace tandem
