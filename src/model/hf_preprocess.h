// transformers' image processors (preprocessor_config.json, or processor_config.json with one
// nested in it) as a PreprocessConfig, and back. Pixels are those of the processors' Pillow
// backend; the torchvision backend resizes with other rounding.
#pragma once

#include <filesystem>
#include <string>

#include "core/json.h"
#include "model/config.h"

namespace tandem {

// Of a transformers folder, whose image tower reads `vision`. What the file leaves out is
// filled in as its processor class does. Throws kNotFound without either file, kUnsupported for
// what PreprocessConfig cannot express, kCorrupt.
PreprocessConfig read_hf_preprocess(const std::filesystem::path& folder,
                                    const VisionConfig& vision);

// The same from a parsed file.
PreprocessConfig parse_hf_preprocess(const json::value& v, const std::string& where,
                                     const VisionConfig& vision);

// `type`: the class, e.g. "CLIPImageProcessor". A crop that begins as open_clip's does, which no
// transformers processor can be told, is written as a key of Tandem's own, "crop_offset". Throws
// kUnsupported for resize_mode "longest".
json::object hf_preprocess_json(const PreprocessConfig& config, const std::string& type);

}  // namespace tandem
