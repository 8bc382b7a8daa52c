#include "data/embeddings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tandem/error.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;
using Of = EmbeddingRow::Of;

class Embeddings : public ::testing::Test {
 protected:
  Embeddings() {
    std::string pattern = (fs::temp_directory_path() / "tandem_emb_XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
  }
  ~Embeddings() override { fs::remove_all(dir_); }
  EmbeddingWriter::Options options() const {
    EmbeddingWriter::Options options;
    options.dir = dir_;
    options.width = 2;
    options.dtype = NpyDType::kF32;
    options.part_rows = 3;
    options.parquet = false;  // Parquet's program is tested where it is built: tests/cli
    return options;
  }
  fs::path dir_;
};

TEST_F(Embeddings, PartsComeBackInOrder) {
  auto with = options();
  with.rows = 35;
  EmbeddingWriter writer(with);
  for (int i = 0; i < 35; ++i) {
    const std::vector<float> vector{static_cast<float>(i), 1};
    writer.add(vector, {{"path", std::to_string(i) + ".jpg"}});
  }
  writer.finish();
  EXPECT_TRUE(fs::exists(dir_ / "img_emb" / "img_emb_00.npy"));  // 12 parts: two digits

  const EmbeddingFolder folder(dir_);
  EXPECT_EQ(folder.parts().size(), 12U);
  EXPECT_EQ(folder.rows(Of::kImage), 35U);
  EXPECT_EQ(folder.rows(Of::kText), 0U);
  EXPECT_EQ(folder.width(), 2U);
  int next = 0;
  for (const auto& part : folder.parts()) {
    folder.each_row(part, Of::kImage, [&](const EmbeddingRow& row) {
      EXPECT_EQ(row.vector[0], static_cast<float>(next));
      EXPECT_EQ(row.metadata.at("path").as_string(), std::to_string(next) + ".jpg");
      ++next;
    });
  }
  EXPECT_EQ(next, 35);
}

TEST_F(Embeddings, NothingIsMixed) {
  EmbeddingWriter(options()).finish();
  EXPECT_THROW(EmbeddingWriter{options()}, Error);
}

TEST_F(Embeddings, RowsThatAreNotThereAreRefused) {
  EmbeddingWriter writer(options());
  writer.add(std::vector<float>{1, 2}, {{"path", "a"}});
  writer.finish();
  write_file_atomically(dir_ / "metadata" / "metadata_0.jsonl", "{\"row\":1,\"path\":\"a\"}\n");
  const EmbeddingFolder folder(dir_);
  EXPECT_THROW(folder.each_row(folder.parts()[0], Of::kImage, [](const EmbeddingRow&) {}), Error);
}

TEST_F(Embeddings, SaysWhatIsMissing) {
  const auto message = [&]() -> std::string {
    try {
      const EmbeddingFolder folder(dir_);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), Kind::kInput);
      return e.what();
    }
    return "accepted";
  };
  EXPECT_THAT(message(), testing::HasSubstr("img_emb"));
  fs::create_directories(dir_ / "metadata");
  write_file_atomically(dir_ / "metadata" / "metadata_3.jsonl", "");
  EXPECT_THAT(message(), testing::HasSubstr("no vectors of part 3"));
}

}  // namespace
}  // namespace tandem
