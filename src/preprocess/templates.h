// Prompt templates: "a photo of a {}." applied to labels; named sets ship in assets/prompts/.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

// Replaces every "{}" in the template. A template without "{}" is refused by load_templates, not
// here.
std::string apply_template(std::string_view tmpl, std::string_view label);

// `name`: "none" ({"{}"}), "simple" (open_clip's 7), "openai" (80), "icons", or a path to a text
// file with one template a line ('#' comments). Named sets are read from `assets`/prompts/NAME.txt.
// Throws kNotFound naming the known sets, kInput for a template without "{}".
std::vector<std::string> load_templates(std::string_view name, const std::filesystem::path& assets);

// One label a line, '#' comments and blank lines skipped; a label's place is its class's number.
std::vector<std::string> load_labels(const std::filesystem::path& path);

}  // namespace tandem
