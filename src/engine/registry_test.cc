#include "engine/registry.h"

#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/error.h"

#include "core/files.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Registry : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(root_);
    fs::create_directories(assets_ / "models");
    fs::create_directories(assets_ / "small");
    write(
        "small",
        R"({"name": "small", "summary": "s", "licence": "MIT", "folder": "small", "notes": ["n"]})");
    write(
        "absent",
        R"({"name": "absent", "summary": "a", "licence": "MIT", "templates": "icons", "folder": "gone"})");
    write_file_atomically(assets_ / "small" / "open_clip_config.json", "{}");
  }
  void TearDown() override { fs::remove_all(root_); }
  void write(const std::string& name, const std::string& text) {
    write_file_atomically(assets_ / "models" / (name + ".json"), text);
  }
  static Kind kind_of(const std::function<void()>& action, std::string* message = nullptr) {
    try {
      action();
    } catch (const Error& e) {
      if (message != nullptr) *message = e.what();
      return e.kind();
    }
    ADD_FAILURE() << "nothing was thrown";
    return Kind::kInternal;
  }
  fs::path root_ = fs::path(::testing::TempDir()) / "registry_test";
  fs::path assets_ = root_ / "assets";
  ModelPlaces places_{assets_, root_ / "hub"};
};

TEST_F(Registry, ListsRowsByNameAndSaysWhatIsInstalled) {
  const auto rows = list_models(places_);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].name, "absent");
  EXPECT_FALSE(rows[0].installed);
  EXPECT_EQ(rows[0].templates, "icons");
  EXPECT_EQ(rows[1].name, "small");
  EXPECT_TRUE(rows[1].installed);
  EXPECT_EQ(rows[1].templates, "simple");
}

TEST_F(Registry, FindsNamesFoldersAndNothingElse) {
  EXPECT_EQ(find_model("small", places_).folder, assets_ / "small");
  EXPECT_EQ(find_model((assets_ / "small").string(), places_).folder, assets_ / "small");
  std::string message;
  EXPECT_EQ(kind_of([&] { find_model("smal", places_); }, &message), Kind::kNotFound);
  EXPECT_THAT(message, HasSubstr("Closest: small."));
  EXPECT_EQ(kind_of([&] { find_model("no/such", places_); }), Kind::kNotFound);
  EXPECT_EQ(kind_of([&] { find_model("absent", places_); }), Kind::kNotFound);
  EXPECT_EQ(kind_of([&] { find_model("", places_); }), Kind::kNotFound);
}

TEST_F(Registry, RefusesRowsWithUnknownKeys) {
  write("odd", R"({"name": "odd", "sumary": "typo", "licence": "MIT", "folder": "x"})");
  EXPECT_EQ(kind_of([&] { list_models(places_); }), Kind::kInput);
}

TEST_F(Registry, SaysWhereItLookedForAssets) {
  std::string message;
  EXPECT_EQ(kind_of([&] { list_models({"nowhere", ""}); }, &message), Kind::kNotFound);
  EXPECT_THAT(message, HasSubstr("nowhere"));
}

}  // namespace
}  // namespace tandem
