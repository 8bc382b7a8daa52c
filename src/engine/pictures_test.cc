#include "engine/pictures.h"

#include <atomic>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files.h"
#include "engine/model.h"

namespace tandem {
namespace {

// Stands in for a network: a picture's vector is its first pixel, so that rows can be told apart.
class FirstPixel : public Encoder {
 public:
  Matrix encode_images(const PixelBatch& pixels) const override {
    Matrix out(static_cast<std::size_t>(pixels.count), 3);
    for (int i = 0; i < pixels.count; ++i) {
      for (std::size_t c = 0; c < 3; ++c)
        out.row(static_cast<std::size_t>(i))[c] = pixels.picture(i)[c];
    }
    largest_batch = std::max(largest_batch.load(), pixels.count);
    return out;
  }
  Matrix encode_texts(const TokenBatch&) const override { return {}; }
  std::string describe() const override { return "first pixel"; }
  mutable std::atomic<int> largest_batch = 0;
};

Model make_model(int threads, const FirstPixel** encoder = nullptr) {
  auto rep = std::make_shared<Model::Rep>();
  rep->checkpoint.config.embed_dim = 3;
  rep->checkpoint.config.preprocess.size_px = 4;
  rep->threads = threads;
  auto owned = std::make_unique<FirstPixel>();
  if (encoder != nullptr) *encoder = owned.get();
  rep->encoder = std::move(owned);
  return Model(std::move(rep));
}

// A GIF of one pixel of the given colour: the smallest real picture.
std::vector<std::byte> gif(std::uint8_t r, std::uint8_t g, std::uint8_t b) {
  const std::vector<std::uint8_t> bytes{'G', 'I', 'F', '8', '7', 'a', 1, 0,    1, 0, 0x80, 0,
                                        0,   r,   g,   b,   0,   0,   0, ',',  0, 0, 0,    0,
                                        1,   0,   1,   0,   0,   2,   2, 0x44, 1, 0, ';'};
  std::vector<std::byte> out;
  for (const auto value : bytes) out.push_back(static_cast<std::byte>(value));
  return out;
}

// Picture i is of colour (i % 256, i / 256, 7); those of `broken` are no pictures.
PictureSource numbered(std::size_t count, std::vector<std::size_t> broken = {}) {
  PictureSource source;
  source.count = count;
  source.name = [](std::size_t i) { return "picture " + std::to_string(i); };
  source.read = [broken](std::size_t i) {
    if (std::find(broken.begin(), broken.end(), i) != broken.end())
      return std::vector<std::byte>(20);
    return gif(static_cast<std::uint8_t>(i % 256), static_cast<std::uint8_t>(i / 256), 7);
  };
  return source;
}

TEST(EmbedPictures, GivesRowsInOrderWithTheirOwnVectors) {
  for (const int threads : {1, 4}) {
    std::size_t next = 0;
    const auto model = make_model(threads);
    const auto given =
        embed_pictures(model, numbered(1000), {.batch = 7}, [&](const PictureRow& row) {
          EXPECT_EQ(row.index, next++);
          EXPECT_THAT(row.vector, ::testing::ElementsAre(row.index % 256, row.index / 256, 7));
          EXPECT_EQ(row.width, 1);
        });
    EXPECT_EQ(given, 1000U);
    EXPECT_EQ(next, 1000U);
  }
}

TEST(EmbedPictures, CostsABrokenPictureOnlyItsOwnRow) {
  std::vector<std::size_t> failed;
  embed_pictures(make_model(2), numbered(50, {0, 13, 14, 49}), {.batch = 8},
                 [&](const PictureRow& row) {
                   if (!row.error) {
                     EXPECT_EQ(row.vector[0], static_cast<float>(row.index));
                     return;
                   }
                   failed.push_back(row.index);
                   EXPECT_THAT(row.error->what(),
                               ::testing::HasSubstr("picture " + std::to_string(row.index)));
                   EXPECT_TRUE(row.vector.empty());
                 });
  EXPECT_THAT(failed, ::testing::ElementsAre(0, 13, 14, 49));
}

TEST(EmbedPictures, HashesContentAndLeavesOutWhatIsKnown) {
  std::atomic<int> asked = 0;
  PictureOptions options;
  options.known = [&](const std::string& sha256) {
    EXPECT_EQ(sha256.size(), 64U);
    return ++asked % 2 == 0;
  };
  int known = 0;
  embed_pictures(make_model(1), numbered(10), options, [&](const PictureRow& row) {
    known += row.known;
    EXPECT_EQ(row.known, row.vector.empty());
  });
  EXPECT_EQ(known, 5);
}

TEST(EmbedPictures, StopsBetweenBatches) {
  int rows = 0;
  PictureOptions options{.batch = 10};
  options.stop = [&] { return rows >= 20; };
  EXPECT_EQ(
      embed_pictures(make_model(2), numbered(100), options, [&](const PictureRow&) { ++rows; }),
      20U);
  EXPECT_EQ(rows, 20);
}

TEST(EmbedPictures, ComputesFullBatches) {
  const FirstPixel* encoder = nullptr;
  const auto model = make_model(2, &encoder);
  embed_pictures(model, numbered(100), {.batch = 32}, [](const PictureRow&) {});
  EXPECT_EQ(encoder->largest_batch, 32);
}

TEST(EmbedPictures, LetsTheCallersExceptionOutAndEndsItsThreads) {
  const auto fail = [](const PictureRow& row) {
    if (row.index == 5) throw std::runtime_error("enough");
  };
  EXPECT_THROW(embed_pictures(make_model(2), numbered(1000), {}, fail), std::runtime_error);
}

TEST(EmbedPictures, OfNothingIsNothing) {
  EXPECT_EQ(embed_pictures(make_model(2), numbered(0), {}, [](const PictureRow&) { FAIL(); }), 0U);
}

TEST(EmbedImages, ThrowsForTheFirstBadFileNamingIt) {
  const auto file = std::filesystem::path(::testing::TempDir()) / "not-a-picture.png";
  write_file_atomically(file, "hello");
  try {
    (void)make_model(1).embed_images({file});
    FAIL() << "nothing was thrown";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), ::testing::HasSubstr("not-a-picture.png"));
  }
}

}  // namespace
}  // namespace tandem
