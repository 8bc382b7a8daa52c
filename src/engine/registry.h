// The models known by name: one assets/models/NAME.json each, and what of them is on this machine.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/model_row.h"

namespace tandem {

struct ModelPlaces {
  std::filesystem::path assets;     // holds models/NAME.json
  std::filesystem::path hub_cache;  // as hub_cache.h describes it; empty: no hub's models
};

// All rows, sorted by family, then name; the first family is that of the models that ship with
// Tandem. Throws kNotFound when `assets` has no models, kCorrupt naming a bad file.
std::vector<ModelRow> list_models(const ModelPlaces& places);

// The row called `name`, installed or not: a name or alias (in any case), hf-hub:ORG/REPO, or a
// path (these two without summary and licence). A name goes before a path of the same spelling.
// Throws kNotFound with the closest name.
ModelRow find_row(const std::string& name, const ModelPlaces& places);

// What --model takes: find_row of what is installed. Throws kNotFound, saying how to pull what is
// not here; kInput as check_config does.
ModelRow find_model(const std::string& name, const ModelPlaces& places);

// Whether the configuration beside the weights in `snapshot` is the row's, in everything that
// changes numbers. Otherwise throws kInput with each difference: whoever wrote either may be wrong,
// and wrong preprocessing shows nowhere but in worse results (open_clip issue 1068).
void check_config(const ModelRow& row, const std::filesystem::path& snapshot);

// "vision_cfg.image_size: 224 here, 384 there" for each key whose value differs, of two
// open_clip_config.json. Defaults are filled in where both are models that Tandem knows; names of
// tokenizers and of training settings are left out.
std::vector<std::string> config_differences(const json::value& here, const json::value& there);

}  // namespace tandem
