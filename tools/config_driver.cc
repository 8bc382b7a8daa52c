// Reads configurations from stdin and says of each whether Tandem accepts it, for
// tools/compare_config_mutants.py. Records as in tokenizer_driver.cc.
//   config_driver open-clip|hf-clip|hf-siglip|hf-preprocess|row|quantised
//   stdout: a record each: empty where it is accepted, otherwise why not
// What is accepted must give a weight table, and read back as it was written.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <span>
#include <string>

#include "core/error.h"
#include "core/safetensors.h"
#include "driver_records.h"
#include "engine/model_row.h"
#include "model/dialect.h"
#include "model/hf_preprocess.h"
#include "model/quantised.h"
#include "model/weights.h"

namespace {

using namespace tandem;

void check(const ModelConfig& config) {
  const std::size_t tensors = weight_table(config).size();
  const std::string written = json::dump(to_json(config));
  const ModelConfig again = parse_model_config(json::parse(written, "written"), "written");
  if (tensors == 0 || tensors > 100'000 || json::dump(to_json(again)) != written) {
    std::fprintf(stderr, "config_driver: not read back as written: %s\n", written.c_str());
    std::abort();
  }
}

// What the processor's file, which is read apart, has to say.
ModelConfig with_size(ModelConfig config) {
  config.preprocess.size_px = config.vision.image_size_px;
  return config;
}

void check_quantised(const std::string& bytes) {
  const auto file = parse_safetensors(std::as_bytes(std::span(bytes)), "file");
  check_quantised_scheme(file.metadata, "file");
  (void)quantised_form(file.map, "file");
  (void)dequantised(file.map);
}

void accept(const std::string& kind, const std::string& bytes) {
  if (kind == "quantised") return check_quantised(bytes);
  if (kind == "row") {
    const ModelRow row = parse_row(bytes, "file");
    if (!row.config.is_null()) check(parse_model_config(row.config, "file"));
    return;
  }
  const json::value v = json::parse(bytes, "file");
  if (kind == "open-clip") check(parse_model_config(v, "file"));
  if (kind == "hf-clip") check(with_size(parse_hf_clip_config(v, "file")));
  if (kind == "hf-siglip") check(with_size(parse_hf_siglip_config(v, "file")));
  if (kind == "hf-preprocess") {
    VisionConfig tower;
    tower.image_size_px = 32;
    (void)parse_hf_preprocess(v, "file", tower);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  for (const std::string& bytes : split_records(read_all(stdin))) {
    std::string why;
    try {
      accept(argv[1], bytes);
    } catch (const Error& e) {
      why = e.what();
      if (why.empty()) why = "?";
    } catch (const std::exception& e) {
      std::fprintf(stderr, "config_driver: %s: not an Error\n", e.what());
      return 1;
    }
    write_record(why.data(), why.size(), 1);
  }
  return 0;
}
