// tests/goldens/model_tables/siglip.json comes from open_clip and timm
// (tools/goldens/timm_tables.py).
#include "model/timm_vit.h"

#include <gtest/gtest.h>
#include <map>

#include "core/json.h"
#include "model/weights.h"

namespace tandem {
namespace {

using Shape = std::vector<std::int64_t>;

json::value tables() { return json::read("tests/goldens/model_tables/siglip.json"); }

// "….{}.…": [layers, shape] written out.
std::map<std::string, Shape> written_out(const json::value& tensors) {
  std::map<std::string, Shape> all;
  for (const auto& [pattern, row] : tensors.get_object()) {
    Shape shape;
    for (const auto& side : row.at(1).get_array()) shape.push_back(side.get_int64());
    for (std::int64_t i = 0; i < row.at(0).get_int64(); ++i) {
      std::string tensor = pattern;
      const std::size_t at = tensor.find("{}");
      if (at != std::string::npos) tensor.replace(at, 2, std::to_string(i));
      all[tensor] = shape;
    }
  }
  return all;
}

TEST(Siglip, HasTheTensorsOfEveryConfigurationOfOpenClip) {
  const json::value all = tables();
  EXPECT_GE(all.at("models").get_object().size(), 26U);
  for (const auto& [name, model] : all.at("models").get_object()) {
    const ModelConfig config = parse_model_config(model.at("config"), std::string(name));
    std::map<std::string, Shape> got;
    for (const WeightSpec& spec : weight_table(config)) got[spec.name] = spec.shape;
    EXPECT_EQ(got, written_out(model.at("tensors"))) << name;
  }
}

TEST(Siglip, ConfigurationsSurviveWritingAndReading) {
  const json::value all = tables();
  for (const auto& [name, model] : all.at("models").get_object()) {
    const json::value written = to_json(parse_model_config(model.at("config"), std::string(name)));
    const ModelConfig again =
        parse_model_config(json::parse(json::dump(written), "again"), "again");
    EXPECT_EQ(json::dump(to_json(again)), json::dump(written)) << name;
  }
}

}  // namespace
}  // namespace tandem
