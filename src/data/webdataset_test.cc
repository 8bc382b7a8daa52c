#include "data/webdataset.h"

#include <cstring>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/error.h"
#include "core/files.h"
#include "core/rng.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

void set_checksum(std::string& header) {
  std::memset(header.data() + 148, ' ', 8);
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  std::memcpy(header.data() + 148, fmt::format("{:06o}", sum).c_str(), 7);
}

// One ustar member. `size_field` replaces the octal size when given.
std::string member(const std::string& name, std::string_view data, char type = '0',
                   std::string_view size_field = {}) {
  std::string header(512, '\0');
  std::memcpy(header.data(), name.data(), std::min<std::size_t>(name.size(), 100));
  std::memcpy(header.data() + 257, "ustar\00000", 8);
  header[156] = type;
  const std::string size =
      size_field.empty() ? fmt::format("{:011o}", data.size()) : std::string(size_field);
  std::memcpy(header.data() + 124, size.data(), size.size());
  set_checksum(header);
  std::string result = header + std::string(data);
  result.resize((result.size() + 511) / 512 * 512, '\0');
  return result;
}

const std::string kEndMarker(1024, '\0');

std::string pax_record(const std::string& key, const std::string& value) {
  std::size_t length = key.size() + value.size() + 3;
  while (std::to_string(length).size() + key.size() + value.size() + 3 != length) ++length;
  return std::to_string(length) + " " + key + "=" + value + "\n";
}

std::vector<std::string> keys(const ShardIndex& index) {
  std::vector<std::string> result;
  for (const auto& sample : index.samples) result.push_back(sample.key);
  return result;
}

std::string image_text(std::string_view tar, const ShardIndex::Sample& sample) {
  const Record record = read_sample(bytes_of(tar), sample);
  return {reinterpret_cast<const char*>(record.image.data()), record.image.size()};
}

using Keys = std::vector<std::string>;

TEST(WebDataset, ReadsTheDialectsOfPythonsTarfile) {
  for (const char* dialect : {"ustar", "gnu", "pax"}) {
    const auto tar = read_file(fmt::format("tests/goldens/webdataset/{}.tar", dialect));
    const ShardIndex index = index_shard(tar, dialect);
    EXPECT_EQ(index.skipped.total(), 0U) << dialect;
    const std::string long_key = std::string(90, 'a') + "/" + std::string(40, 'b');
    ASSERT_EQ(keys(index), (Keys{"000", "dir.v1/001", long_key})) << dialect;

    const Record zero = read_sample(tar, index.samples[0]);
    EXPECT_EQ(zero.captions, (std::vector<std::string>{"a cat", "a small cat"}))
        << "JSON goes before .txt";
    EXPECT_EQ(zero.group, 7);
    EXPECT_EQ(zero.phrase, "cat");
    EXPECT_EQ(zero.image.size(), 12U);
    const Record one = read_sample(tar, index.samples[1]);
    EXPECT_EQ(one.captions, (std::vector<std::string>{"ein Hündchen"}));
    EXPECT_EQ(one.group, -1);
    EXPECT_EQ(one.image.size(), 660U);
    EXPECT_EQ(read_sample(tar, index.samples[2]).captions, (std::vector<std::string>{"two"}));
  }
}

TEST(WebDataset, JsonWithoutCaptionsLeavesTheWordToTheTextFile) {
  const std::string tar = member("a.jpg", "x") + member("a.json", R"({"label":3})") +
                          member("a.txt", "a dog") + kEndMarker;
  EXPECT_EQ(read_sample(bytes_of(tar), index_shard(bytes_of(tar), "t").samples.at(0)).captions,
            (std::vector<std::string>{"a dog"}));
}

TEST(WebDataset, BadJsonOrTextCostsOnlyItsSample) {
  const std::string tar = member("a.jpg", "x") + member("a.json", "{") + member("b.jpg", "x") +
                          member("b.txt", "\xff") + member("c.jpg", "x") +
                          member("c.json", R"({"captions":[1]})") + member("d.jpg", "x") +
                          member("d.json", R"({"caption":"fine","mono":true})") + kEndMarker;
  const ShardIndex index = index_shard(bytes_of(tar), "t");
  ASSERT_EQ(index.samples.size(), 4U);
  for (int i = 0; i < 3; ++i) {
    try {
      read_sample(bytes_of(tar), index.samples[static_cast<std::size_t>(i)]);
      ADD_FAILURE() << i << " was accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), Kind::kCorrupt);
    }
  }
  const Record fine = read_sample(bytes_of(tar), index.samples[3]);
  EXPECT_EQ(fine.captions.at(0), "fine");
  EXPECT_TRUE(fine.mono);
}

TEST(WebDataset, CountsSamplesWithoutPictureAndDoubledMembers) {
  const std::string tar = member("a.txt", "x") + member("b.jpg", "first") +
                          member("b.png", "second") + member("b.txt", "b") + member("c.jpg", "") +
                          kEndMarker;
  const ShardIndex index = index_shard(bytes_of(tar), "t");
  EXPECT_EQ(keys(index), Keys{"b"});
  EXPECT_EQ(image_text(tar, index.samples[0]), "first");
  EXPECT_EQ(index.skipped.summary(3),
            "skipped 3 of 3 (2 without a picture, 1 with a member given twice)");
}

TEST(WebDataset, ReadsBaseTwoFiftySixSizesAndPaxSizes) {
  std::string base256("\x80\0\0\0\0\0\0\0\0\0\0\x05", 12);
  const std::string pax = pax_record("path", "p.jpg") + pax_record("size", "4");
  const std::string tar = member("a.jpg", "12345", '0', base256) + member("PaxHeader", pax, 'x') +
                          member("short.bin", "6789", '0', "00000000000") + member("q.jpg", "z") +
                          kEndMarker;
  const ShardIndex index = index_shard(bytes_of(tar), "t");
  ASSERT_EQ(keys(index), (Keys{"a", "p", "q"}));
  EXPECT_EQ(image_text(tar, index.samples[0]), "12345");
  EXPECT_EQ(image_text(tar, index.samples[1]), "6789");
  EXPECT_EQ(index.skipped.total(), 0U);
}

TEST(WebDataset, LinksAndFoldersCarryNoDataWhateverTheirSizeSays) {
  const std::string link = member("l.jpg", "", '2', "00000001000");
  const std::string tar = link + member("a.jpg", "x") + member("d.jpg/", "", '5', "00000001000") +
                          member("b.jpg", "x") + kEndMarker;
  EXPECT_EQ(keys(index_shard(bytes_of(tar), "t")), (Keys{"a", "b"}));
}

TEST(WebDataset, ADamagedHeaderCostsOneSampleAndTheRestIsRead) {
  std::string tar;
  for (const char* key : {"a", "b", "c", "d"}) {
    tar += member(std::string(key) + ".jpg", key) + member(std::string(key) + ".txt", key);
  }
  tar += kEndMarker;
  tar[2 * 1024 + 5] = 'X';  // inside the header of b.jpg
  ShardIndex index = index_shard(bytes_of(tar), "t");
  EXPECT_EQ(keys(index), (Keys{"a", "c", "d"}));
  EXPECT_EQ(index.skipped.total(), 1U);
  tar[7 * 1024 + 5] = 'X';  // and d.txt, the last
  index = index_shard(bytes_of(tar), "t");
  EXPECT_EQ(keys(index), (Keys{"a", "c"}));
  EXPECT_EQ(index.skipped.total(), 2U);
}

TEST(WebDataset, DataAfterTheEndMarkerIsCounted) {
  const std::string part = member("a.jpg", "x") + kEndMarker;
  const ShardIndex index = index_shard(bytes_of(part + part), "t");
  EXPECT_EQ(keys(index), Keys{"a"});
  EXPECT_EQ(index.skipped.summary(2), "skipped 1 of 2 (1 after the shard's end marker)");
}

// The gate of reliability.md, on a small shard: cut at every byte, every sample whose last data
// byte is there is delivered unchanged, and there is one counted error exactly when something is
// missing.
TEST(WebDataset, CutAtEveryByteItDeliversEveryWholeSampleAndCountsOneError) {
  std::string tar;
  std::vector<std::size_t> whole_at;  // length from which sample i is whole
  for (int i = 0; i < 4; ++i) {
    const std::string key = "s" + std::to_string(i);
    tar += member(key + ".jpg",
                  std::string(static_cast<std::size_t>(200 + 300 * i), static_cast<char>('a' + i)));
    const std::string json = R"({"caption":")" + key + "\"}";
    tar += member(key + ".json", json);
    whole_at.push_back(tar.size() - 512 + json.size());
  }
  const std::size_t members_end = tar.size();
  tar += kEndMarker;
  for (std::size_t length = 0; length <= tar.size(); ++length) {
    const std::string_view part = std::string_view(tar).substr(0, length);
    const ShardIndex index = index_shard(bytes_of(part), "t");
    Keys want;
    for (std::size_t i = 0; i < whole_at.size(); ++i) {
      if (length >= whole_at[i]) want.push_back("s" + std::to_string(i));
    }
    ASSERT_EQ(keys(index), want) << "cut at " << length;
    ASSERT_EQ(index.skipped.total(), length < members_end + 512 ? 1U : 0U) << "cut at " << length;
    for (const auto& sample : index.samples) {
      const Record record = read_sample(bytes_of(part), sample);
      ASSERT_EQ(record.captions, Keys{sample.key});
      ASSERT_EQ(record.image.size(), 200U + 300U * static_cast<unsigned>(sample.key[1] - '0'));
    }
  }
}

TEST(WebDataset, RandomDamageNeverCrashesAndNeverReadsOutside) {
  const auto golden = read_file("tests/goldens/webdataset/pax.tar");
  Rng rng(3);
  for (int i = 0; i < 3'000; ++i) {
    auto tar = golden;
    for (std::uint64_t n = 1 + rng.below(8); n > 0; --n)
      tar[rng.below(tar.size())] = static_cast<std::byte>(rng.next());
    const ShardIndex index = index_shard(tar, "t");
    for (const auto& sample : index.samples) {
      try {
        read_sample(tar, sample);
      } catch (const Error& e) {
        ASSERT_EQ(e.kind(), Kind::kCorrupt);
      }
    }
  }
}

TEST(WebDataset, ASampleOfAnotherShardIsRefused) {
  const std::string tar = member("a.jpg", "x") + kEndMarker;
  EXPECT_THROW(read_sample(bytes_of(tar), {"k", {512, 100'000}, {}, {}}), Error);
  EXPECT_THROW(read_sample(bytes_of(tar), {"k", {UINT64_MAX, 2}, {}, {}}), Error);
}

class ExpandShards : public ::testing::Test {
 protected:
  ExpandShards() {
    std::string pattern = (fs::temp_directory_path() / "tandem_shards_XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
    for (const char* name :
         {"train-000.tar", "train-001.tar", "train-002.tar", "val-x.tar", "odd{1}.tar"}) {
      write_file_atomically(dir_ / name, "");
    }
  }
  ~ExpandShards() override { fs::remove_all(dir_); }
  Keys names(const Keys& patterns) {
    Keys full;
    for (const auto& pattern : patterns) full.push_back((dir_ / pattern).string());
    Keys result;
    for (const auto& path : expand_shards(full)) result.push_back(path.filename().string());
    return result;
  }
  fs::path dir_;
};

TEST_F(ExpandShards, KnowsRangesListsGlobsAndPlainNames) {
  EXPECT_EQ(names({"train-{000..002}.tar"}),
            (Keys{"train-000.tar", "train-001.tar", "train-002.tar"}));
  EXPECT_EQ(names({"{val-x,train-001}.tar"}), (Keys{"train-001.tar", "val-x.tar"}));
  EXPECT_EQ(names({"train-*.tar", "train-001.tar"}),
            (Keys{"train-000.tar", "train-001.tar", "train-002.tar"}));
  EXPECT_EQ(names({"odd{1}.tar"}), Keys{"odd{1}.tar"});
}

TEST_F(ExpandShards, AMissingShardIsNotFoundNotSilentlyLeftOut) {
  for (const char* pattern : {"train-{000..003}.tar", "none*.tar", "none.tar"}) {
    try {
      names({pattern});
      ADD_FAILURE() << pattern;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), Kind::kNotFound);
    }
  }
  EXPECT_THROW(expand_shards({}), Error);
  EXPECT_THROW(names({"train-{2..1}.tar"}), Error);
  EXPECT_THROW(names({"train-{0..99999999999}.tar"}), Error);
}

}  // namespace
}  // namespace tandem
