#include "index/graph.h"

#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <xxhash.h>

#include "core/files.h"
#include "core/tensor.h"
#include "index/test_collection.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr int kWidth = 4;
constexpr std::size_t kRows = 40;

class GraphFile : public ::testing::Test {
 protected:
  GraphFile() : path_(folder_.path() / "vectors.usearch") {
    GraphBuilder builder(kWidth, kRows, 1);
    for (std::size_t i = 0; i < kRows; ++i) {
      std::vector<std::uint16_t> halves;
      for (const float v : random_unit(rng_, kWidth)) halves.push_back(float_to_half(v));
      builder.add(static_cast<std::int64_t>(i + 1), halves, 0);
    }
    builder.save(path_, {"3f2a", kWidth, kRows});
    whole_ = read_file(path_);
  }

  // Without the care for a crash of the machine that AtomicFile takes: it is done thousands of
  // times.
  void write(std::span<const std::byte> bytes) const {
    std::ofstream out(path_, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
  }

  // Makes the checksum right again.
  static void seal(std::span<std::byte> bytes) {
    const std::size_t body = bytes.size() - 20;
    const std::uint64_t sum = XXH3_64bits(bytes.data(), body);
    std::memcpy(bytes.data() + body, &sum, sizeof(sum));
  }

  TestFolder folder_;
  fs::path path_;
  Rng rng_{3};
  std::vector<std::byte> whole_;
};

TEST_F(GraphFile, AnswersTheNearestFirst) {
  const Graph graph = Graph::open(path_);
  EXPECT_EQ(graph.size(), kRows);
  EXPECT_EQ(graph.stamp().fingerprint, "3f2a");
  EXPECT_EQ(graph.file_bytes(), whole_.size());
  const auto found = graph.search(random_unit(rng_, kWidth), 5, 40, {});
  ASSERT_EQ(found.size(), 5U);
  for (std::size_t i = 1; i < found.size(); ++i) EXPECT_GE(found[i - 1].score, found[i].score);
  const auto even =
      graph.search(random_unit(rng_, kWidth), 40, 40, [](std::int64_t r) { return r % 2 == 0; });
  EXPECT_EQ(even.size(), kRows / 2);
  for (const auto& row : even) EXPECT_EQ(row.revision % 2, 0);
}

TEST_F(GraphFile, EveryFlippedBitIsNoticed) {
  write(whole_);
  const int file = ::open(path_.c_str(), O_WRONLY);
  for (std::size_t at = 0; at < whole_.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      const std::byte flipped = whole_[at] ^ static_cast<std::byte>(1 << bit);
      ASSERT_EQ(::pwrite(file, &flipped, 1, static_cast<off_t>(at)), 1);
      EXPECT_THROW(Graph::open(path_), Error) << "bit " << bit << " of byte " << at;
    }
    ASSERT_EQ(::pwrite(file, &whole_[at], 1, static_cast<off_t>(at)), 1);
  }
  ::close(file);
  EXPECT_NO_THROW(Graph::open(path_));
}

TEST_F(GraphFile, EveryLengthButItsOwnIsNoticed) {
  for (std::size_t length = 0; length < whole_.size(); ++length) {
    write(std::span(whole_).first(length));
    EXPECT_THROW(Graph::open(path_), Error) << length;
  }
  auto longer = whole_;
  longer.push_back(std::byte{0});
  write(longer);
  EXPECT_THROW(Graph::open(path_), Error);
}

// Somebody who changes the file can also make its checksum right: then it is refused, or searches
// stay inside it.
TEST_F(GraphFile, BytesChangedOnPurposeAreRefusedOrHarmless) {
  int refused = 0;
  int searched = 0;
  for (std::size_t at = 0; at + 20 < whole_.size(); ++at) {
    for (const int value : {0, 1, 0x7F, 0xFF}) {
      auto changed = whole_;
      changed[at] = static_cast<std::byte>(value);
      seal(changed);
      write(changed);
      try {
        const Graph graph = Graph::open(path_);
        if (graph.stamp().width != kWidth) continue;
        graph.search(random_unit(rng_, kWidth), 10, 40, {});
        GraphBuilder again(path_, 1, 1);
        again.add(1'000, std::vector<std::uint16_t>(kWidth, 0x3800), 0);
        ++searched;
      } catch (const Error& error) {
        EXPECT_TRUE(error.kind() == Kind::kCorrupt || error.kind() == Kind::kUnsupported)
            << error.what();
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 1'000);
  EXPECT_GT(searched, 1'000);
}

TEST_F(GraphFile, AFileWithoutVectorsIsSearched) {
  GraphBuilder(kWidth, 0, 1).save(path_, {"3f2a", kWidth, 0});
  EXPECT_TRUE(Graph::open(path_).search(random_unit(rng_, kWidth), 10, 40, {}).empty());
}

}  // namespace
}  // namespace tandem
