#include "engine/hub.h"

#include <fstream>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/files.h"
#include "engine/hub_download.h"
#include "engine/model_row.h"

// What is said over a network is tested by tests/cli/pull*.test against a stand-in of the hub.
namespace tandem {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kCommit(40, 'a');

Kind kind_of(const std::function<void()>& action, std::string* message = nullptr) {
  try {
    action();
  } catch (const Error& e) {
    if (message != nullptr) *message = e.what();
    return e.kind();
  }
  ADD_FAILURE() << "nothing was thrown";
  return Kind::kInternal;
}

class HubCache : public ::testing::Test {
 protected:
  void SetUp() override { fs::remove_all(cache_); }
  void TearDown() override { fs::remove_all(cache_); }
  fs::path put(const std::string& path, const std::string& text = "x") {
    const auto file = cache_ / path;
    fs::create_directories(file.parent_path());
    write_file_atomically(file, text);
    return file;
  }
  fs::path cache_ = fs::path(::testing::TempDir()) / "hub_cache_test";
};

TEST(HubNames, AreThoseThatTheHubAllows) {
  for (const auto* name : {"gpt2", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
                           "timm/vit_base_patch32_clip_224.openai", "a/b"})
    EXPECT_TRUE(is_repository(name)) << name;
  for (const auto* name : {"", "/", "a/", "/b", "a/b/c", "../b", "a/..", "a/b--c", "-a/b", "a/b.",
                           "a b", "a/b\n", "a\\b", "a/b?c"})
    EXPECT_FALSE(is_repository(name)) << name;
  EXPECT_FALSE(is_repository(std::string(97, 'a')));
}

TEST(HubNames, HaveARevisionAfterAnAt) {
  EXPECT_FALSE(read_hub_name("laion/x"));
  EXPECT_EQ(read_hub_name("hf-hub:laion/x")->revision, "main");
  EXPECT_EQ(read_hub_name("hf-hub:laion/x@refs/pr/3")->revision, "refs/pr/3");
  for (const auto* name : {"hf-hub:", "hf-hub:a/../b", "hf-hub:a/b@", "hf-hub:a/b@../x"})
    EXPECT_EQ(kind_of([&] { read_hub_name(name); }), Kind::kInput) << name;
}

TEST(HubNames, OfFilesStayInTheirFolder) {
  for (const auto* name : {"model.safetensors", "a/b/c.json", "...", "ä.txt"})
    EXPECT_TRUE(is_hub_file(name)) << name;
  for (const auto* name : {"", "/etc/passwd", "../x", "a/../b", "a//b", "a/", ".", "a\\b", "c:x"})
    EXPECT_FALSE(is_hub_file(name)) << name;
  EXPECT_FALSE(is_hub_file(std::string_view("a\0b", 3)));
}

TEST_F(HubCache, FindsWhatABranchMeantLast) {
  const HubName name{.repository = "org/x"};
  EXPECT_FALSE(find_snapshot(cache_, name));
  put("models--org--x/refs/main", kCommit + "\n");
  EXPECT_FALSE(find_snapshot(cache_, name));  // named, not there
  put("models--org--x/snapshots/" + kCommit + "/config.json");
  const auto folder = cache_ / "models--org--x" / "snapshots" / kCommit;
  EXPECT_EQ(find_snapshot(cache_, name), folder);
  EXPECT_EQ(find_snapshot(cache_, {.repository = "org/x", .revision = kCommit}), folder);
  EXPECT_FALSE(find_snapshot(cache_, {.repository = "org/x", .revision = "v1"}));
  put("models--org--x/refs/main", "../../../outside");
  EXPECT_FALSE(find_snapshot(cache_, name));
}

TEST_F(HubCache, HasWeightsWhenEveryFileOfThemIsThere) {
  EXPECT_FALSE(has_weights(cache_));
  put("model.safetensors.index.json",
      R"({"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}})");
  put("1.safetensors");
  EXPECT_FALSE(has_weights(cache_));
  put("2.safetensors");
  EXPECT_TRUE(has_weights(cache_));
  fs::remove(cache_ / "1.safetensors");
  fs::create_symlink("gone", cache_ / "1.safetensors");  // a snapshot whose blob was removed
  EXPECT_FALSE(has_weights(cache_));
  put("model.safetensors");
  EXPECT_TRUE(has_weights(cache_));
}

TEST_F(HubCache, LinksBlobsRelatively) {
  const auto blob = put("m/blobs/abc", "bytes");
  const auto link = cache_ / "m/snapshots" / kCommit / "sub/file";
  link_blob(blob, link);
  link_blob(blob, link);  // replaces
  EXPECT_EQ(fs::read_symlink(link), "../../../blobs/abc");
  EXPECT_EQ(read_text_file(link), "bytes");
}

TEST_F(HubCache, LocksKeepOthersWaiting) {
  const auto path = cache_ / "x.lock";
  const FileLock first(path, {}, nullptr);
  EXPECT_TRUE(first.held());
  int told = 0;
  std::atomic<bool> stop = false;
  const FileLock second(path, [&] { ++told, stop = true; }, &stop);
  EXPECT_FALSE(second.held());
  EXPECT_EQ(told, 1);
}

TEST_F(HubCache, ABlobIsWholeWhenItsBytesAreWhatItsNameSays) {
  const std::string sum =
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";  // "abc"
  const auto blob = put(sum, "abc");
  EXPECT_TRUE(is_whole(blob, {.etag = sum, .size_bytes = 3}));
  EXPECT_FALSE(is_whole(blob, {.etag = sum, .size_bytes = 4}));
  put(sum, "abd");
  EXPECT_FALSE(is_whole(blob, {.etag = sum, .size_bytes = 3}));
  EXPECT_FALSE(is_whole(cache_ / "gone", {.etag = sum}));
}

TEST(Shards, AreEachNamedOnceAndStayInTheirFolder) {
  EXPECT_THAT(shards_of(R"({"weight_map": {"a": "2.safetensors", "b": "1.safetensors",
                            "c": "2.safetensors"}})",
                        "i"),
              ElementsAre("1.safetensors", "2.safetensors"));
  for (const auto* bad :
       {R"({"weight_map": {"a": "../1.safetensors"}})", R"({"weight_map": {"a": "x.bin"}})",
        R"({"weight_map": {}})", "{}", "[", R"({"weight_map": {"a": 1}})"})
    EXPECT_EQ(kind_of([&] { shards_of(bad, "i"); }), Kind::kCorrupt) << bad;
}

TEST(Listing, LeavesOutNamesThatLeadElsewhere) {
  const auto listing =
      parse_listing(R"({"sha": ")" + kCommit +
                        R"(", "private": false, "siblings": [{"rfilename": "a.json", "size": 3},
              {"rfilename": "../../x"}]})",
                    "l");
  EXPECT_EQ(listing.commit, kCommit);
  EXPECT_THAT(listing.files, ElementsAre("a.json"));
  for (const auto* bad : {"", "[]", "{}", R"({"sha": "main", "siblings": []})",
                          R"({"sha": "0123456789012345678901234567890123456789"})"})
    EXPECT_EQ(kind_of([&] { parse_listing(bad, "l"); }), Kind::kCorrupt) << bad;
}

FileChoice choose(std::vector<std::string> files) {
  return choose_files({.commit = kCommit, .files = std::move(files)}, "org/x");
}

TEST(ChooseFiles, PrefersOpenClipsForm) {
  const auto choice = choose({"README.md", "config.json", "model.safetensors",
                              "open_clip_config.json", "open_clip_model.safetensors",
                              "open_clip_pytorch_model.bin", "tokenizer.json", "vocab.json"});
  EXPECT_THAT(choice.before, ElementsAre("open_clip_config.json", "tokenizer.json"));
  EXPECT_EQ(choice.weights, "open_clip_model.safetensors");
}

TEST(ChooseFiles, TakesTransformersFormWithItsConfigs) {
  const auto one = choose({"config.json", "model.safetensors", "preprocessor_config.json",
                           "spiece.model", "pytorch_model.bin"});
  EXPECT_THAT(one.before, ElementsAre("config.json", "preprocessor_config.json", "spiece.model"));
  EXPECT_EQ(one.weights, "model.safetensors");
  EXPECT_EQ(choose({"config.json", "model.safetensors.index.json"}).weights,
            "model.safetensors.index.json");
}

TEST(ChooseFiles, SaysHowToConvertAPickle) {
  std::string message;
  EXPECT_EQ(
      kind_of([] { choose({"open_clip_config.json", "open_clip_pytorch_model.bin"}); }, &message),
      Kind::kUnsupported);
  EXPECT_THAT(message, HasSubstr("hf_hub_download('org/x', 'open_clip_pytorch_model.bin')"));
  EXPECT_EQ(kind_of([] { choose({"README.md"}); }), Kind::kNotFound);
}

TEST(Facts, ComeFromTheHubNotFromWhereTheFileLies) {
  HttpResponse response{.status = 302,
                        .headers = {{"etag", "\"direct\""},
                                    {"x-linked-etag", "W/\"linked\""},
                                    {"x-linked-size", "12"},
                                    {"content-length", "5"}}};
  EXPECT_EQ(read_facts(response, "f").etag, "linked");
  EXPECT_EQ(read_facts(response, "f").size_bytes, 12U);
  response = {.status = 200, .headers = {{"etag", "\"direct\""}, {"content-length", "5"}}};
  EXPECT_EQ(read_facts(response, "f").etag, "direct");
  EXPECT_EQ(read_facts(response, "f").size_bytes, 5U);
  for (const auto* etag : {"", "\"\"", "\"a/b\"", "\"..\"", "\"a b\""}) {
    response.headers["etag"] = etag;
    EXPECT_EQ(kind_of([&] { read_facts(response, "f"); }), Kind::kNetwork) << etag;
  }
  response.headers = {{"etag", "\"a\""}, {"content-length", "-1"}};
  EXPECT_EQ(kind_of([&] { read_facts(response, "f"); }), Kind::kNetwork);
}

TEST(ModelRows, SayWhereAModelComesFrom) {
  const auto row = parse_row(R"({"name": "n", "family": "F", "summary": "s", "licence": "MIT",
      "aliases": ["A:b"], "parameters": 5, "hub": {"repository": "org/x", "files":
      [{"name": "open_clip_model.safetensors", "size": 9}]},
      "config": {"model_cfg": {"embed_dim": 7, "vision_cfg": {"image_size": 32}}}})",
                             "n.json");
  EXPECT_EQ(row.hub->repository, "org/x");
  EXPECT_EQ(row.hub->revision, "main");
  EXPECT_EQ(row.files.at(0).size_bytes, 9U);
  EXPECT_EQ(row.parameters, 5);
  EXPECT_EQ(config_number(row, "embed_dim"), 7);
  EXPECT_EQ(config_number(row, "vision_cfg.image_size"), 32);
  EXPECT_EQ(config_number(row, "vision_cfg.none"), 0);
}

TEST(ModelRows, ThatAreWrongAreRefused) {
  const auto with = [](const std::string& rest) {
    return R"({"name": "n", "summary": "s", "licence": "l")" + rest + "}";
  };
  for (const auto* rest :
       {"", R"(, "folder": "f", "hub": {"repository": "a/b"})",
        R"(, "hub": {"repository": "../b"})",
        R"(, "hub": {"repository": "a/b", "revision": "../c"})", R"(, "folder": "f", "notes": [1])",
        R"(, "hub": {"repository": "a/b", "files": [{"name": "../c"}]})",
        R"(, "hub": {"repository": "a/b", "files": [{"name": "c", "sha256": "12"}]})",
        R"(, "folder": "f", "config": {})", R"(, "folder": 3)"})
    EXPECT_EQ(kind_of([&] { parse_row(with(rest), "n.json"); }), Kind::kCorrupt) << rest;
  EXPECT_EQ(kind_of([&] { parse_row(with(R"(, "folder": "f", "licens": "l")"), "n.json"); }),
            Kind::kInput);
}

TEST_F(HubCache, OfflineItSaysWhatIsThere) {
  const PullRequest request{.name = {.repository = "org/x"}};
  HubOptions options;
  options.cache = cache_;
  options.offline = true;
  EXPECT_EQ(kind_of([&] { pull(request, options); }), Kind::kNotFound);
  put("models--org--x/refs/main", kCommit);
  put("models--org--x/snapshots/" + kCommit + "/model.safetensors", "1234");
  const auto result = pull(request, options);
  EXPECT_EQ(result.commit, kCommit);
  EXPECT_EQ(result.files.at(0).size_bytes, 4U);
  EXPECT_FALSE(result.interrupted);
}

}  // namespace
}  // namespace tandem
