// One model as assets/models/NAME.json describes it: what it is, where it comes from, and the
// configuration that its numbers depend on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "engine/hub_cache.h"
#include "engine/hub_files.h"

namespace tandem {

struct ModelRow {
  std::string name;
  std::string family;                // who made it: rows are listed under this
  std::string summary;               // one line: what it is
  std::string licence;               // SPDX expression, or the model card's own name
  std::string templates = "simple";  // the prompt set that suits it, as load_templates() takes it
  std::vector<std::string> notes;    // what one should know before relying on it
  std::vector<std::string> aliases;  // open_clip's spellings, "ViT-B-32:openai"
  std::int64_t parameters = 0;       // 0: unknown
  std::optional<HubName> hub;        // where its files come from, unless they ship with Tandem
  std::vector<HubFile> files;        // checksums and sizes that are published
  json::value config;                // open_clip's; null: the one beside the weights

  std::filesystem::path folder;  // where its files are on this machine, or would be
  bool installed = false;        // whether they are there
};

// A row as the file has it; `folder` is relative as written there, empty for a hub's model. Throws
// kCorrupt, kInput (unknown keys), naming `where` and the key.
ModelRow parse_row(std::string_view text, const std::string& where);

// A number of config.model_cfg, or of its vision_cfg ("vision_cfg.image_size"); 0 when not there.
std::int64_t config_number(const ModelRow& row, std::string_view key);

}  // namespace tandem
