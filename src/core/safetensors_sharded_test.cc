#include "core/safetensors_sharded.h"

#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/error.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

class ShardedSafetensors : public testing::Test {
 protected:
  ShardedSafetensors()
      : dir_(fs::temp_directory_path() / ("tandem_sharded_" + std::to_string(getpid()))) {
    fs::create_directories(dir_);
    shard("model-00001-of-00002.safetensors", {{"a", {1, 2}}, {"b", {3}}});
    shard("model-00002-of-00002.safetensors", {{"c", {4, 5, 6}}});
  }
  ~ShardedSafetensors() override { fs::remove_all(dir_); }

  void shard(const std::string& file, const std::map<std::string, std::vector<float>>& tensors) {
    TensorMap map;
    for (const auto& [name, values] : tensors)
      map.add_float(name, {static_cast<std::int64_t>(values.size())}, values);
    write_safetensors(dir_ / file, map, {});
  }
  SafeTensors read(const std::string& index) {
    std::ofstream(dir_ / "model.safetensors.index.json") << index;
    return read_safetensors_folder(dir_, "model");
  }
  std::string refusal(const std::string& index, Kind kind = Kind::kCorrupt) {
    try {
      read(index);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), kind) << e.what();
      return e.what();
    }
    return "accepted";
  }
  fs::path dir_;
};

constexpr const char* kGood =
    R"({"metadata":{"total_size":24},"weight_map":{"a":"model-00001-of-00002.safetensors",
    "b":"model-00001-of-00002.safetensors","c":"model-00002-of-00002.safetensors"}})";

TEST_F(ShardedSafetensors, AreOneMap) {
  const SafeTensors all = read(kGood);
  EXPECT_EQ(all.map.tensors.size(), 3U);
  EXPECT_EQ(to_float(all.map.at("b")), std::vector<float>{3});
  EXPECT_EQ(to_float(all.map.at("c")), (std::vector<float>{4, 5, 6}));
}

TEST_F(ShardedSafetensors, GiveWayToOneFile) {
  std::ofstream(dir_ / "model.safetensors.index.json") << "not read";
  shard("model.safetensors", {{"x", {1}}});
  EXPECT_TRUE(read_safetensors_folder(dir_, "model").map.contains("x"));
}

TEST_F(ShardedSafetensors, AreFoundInTheIndexsFolderOnly) {
  for (const char* file :
       {"../model.safetensors", "/etc/model.safetensors", "a/b.safetensors", "..\\\\m.safetensors",
        "", ".safetensors", ".hidden.safetensors", "model.bin"}) {
    const std::string index = std::string(R"({"weight_map":{"a":")") + file + R"("}})";
    EXPECT_NE(refusal(index).find("not the name of a .safetensors file"), std::string::npos)
        << file;
  }
}

TEST_F(ShardedSafetensors, HaveNamesWithoutControlCharacters) {
  EXPECT_NE(refusal(R"({"weight_map":{"a":"m\u0000.safetensors"}})"), "accepted");
}

TEST_F(ShardedSafetensors, HoldExactlyWhatTheIndexSays) {
  EXPECT_NE(refusal(R"({"weight_map":{"a":"model-00001-of-00002.safetensors"}})")
                .find("holds tensor \"b\", which the index does not list"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"weight_map":{"a":"model-00001-of-00002.safetensors",
      "b":"model-00002-of-00002.safetensors","c":"model-00002-of-00002.safetensors"}})")
                .find("places in model-00002"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"weight_map":{"a":"model-00001-of-00002.safetensors",
      "b":"model-00001-of-00002.safetensors","d":"model-00001-of-00002.safetensors"}})")
                .find("tensor \"d\" is not in"),
            std::string::npos);
  std::string wrong_size = kGood;
  wrong_size.replace(wrong_size.find("24"), 2, "28");
  EXPECT_NE(refusal(wrong_size).find("total_size is 28, but the shards' tensors take 24"),
            std::string::npos);
}

TEST_F(ShardedSafetensors, SayWhatIsMissingOrIllFormed) {
  refusal(R"({"weight_map":{"a":"model-00003-of-00003.safetensors"}})", Kind::kNotFound);
  EXPECT_NE(refusal(R"({"weight_map":{}})").find("no tensor"), std::string::npos);
  EXPECT_NE(refusal(R"({"weight_map":{"a":7}})").find("\"a\" is not a file name"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"metadata":{"total_size":-1},"weight_map":{"a":"m.safetensors"}})")
                .find("total_size"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"metadata":{"total_size":1e400},"weight_map":{"a":"m.safetensors"}})"),
            "accepted");
  EXPECT_NE(refusal("{}"), "accepted");
  EXPECT_NE(refusal("[]"), "accepted");
  fs::remove(dir_ / "model.safetensors.index.json");
  EXPECT_THROW(read_safetensors_folder(dir_, "model"), Error);
}

}  // namespace
}  // namespace tandem
