#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "engine/model_row.h"
#include "model/config.h"
#include "model/weights.h"

// The rows in assets/models, as they ship.
namespace tandem {
namespace {

namespace fs = std::filesystem;

std::vector<ModelRow> rows() {
  std::vector<ModelRow> out;
  for (const auto& entry : fs::directory_iterator("assets/models"))
    out.push_back(parse_row(read_text_file(entry.path()), entry.path().string()));
  return out;
}

TEST(ModelRows, AreThereForTheCheckpointsThatPeopleUse) {
  const auto all = rows();
  EXPECT_GE(all.size(), 60U);
  std::set<std::string> names;
  for (const auto& row : all) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    for (const auto& alias : row.aliases) EXPECT_TRUE(names.insert(alias).second) << alias;
    EXPECT_TRUE(fs::exists("assets/models/" + row.name + ".json")) << row.name;
    EXPECT_TRUE(fs::exists("assets/prompts/" + row.templates + ".txt")) << row.name;
    EXPECT_FALSE(row.licence.empty()) << row.name;
  }
}

TEST(ModelRows, HaveConfigurationsThatThisVersionComputes) {
  for (const auto& row : rows()) {
    if (row.config.is_null()) continue;
    std::string refusal;
    try {
      const auto config = parse_model_config(row.config, row.name);
      EXPECT_EQ(config.preprocess.size_px, config_number(row, "vision_cfg.image_size")) << row.name;
    } catch (const Error& e) {
      refusal = e.what();
    }
    EXPECT_EQ(refusal, "") << row.name;
  }
}

TEST(ModelRows, CountTheValuesThatTheWeightTableCounts) {
  for (const auto& row : rows()) {
    // FastViT: Tandem counts the branches that it sums on load as one.
    const bool summed =
        row.name.starts_with("mobileclip-s") || row.name.starts_with("mobileclip2-s");
    if (row.parameters == 0 || summed) continue;
    std::int64_t count = 0;
    for (const auto& spec : weight_table(parse_model_config(row.config, row.name))) {
      std::int64_t values = spec.trainable ? 1 : 0;
      for (const auto side : spec.shape) values *= side;
      count += values;
    }
    EXPECT_EQ(count, row.parameters) << row.name;  // counted on open_clip's model
  }
}

}  // namespace
}  // namespace tandem
