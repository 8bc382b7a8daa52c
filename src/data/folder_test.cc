#include "data/folder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/files.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

class Folder : public ::testing::Test {
 protected:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "tandem_folder_XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
  }
  ~Folder() override { fs::remove_all(dir_); }
  void touch(const std::string& name, std::string_view text = "x") {
    fs::create_directories((dir_ / name).parent_path());
    write_file_atomically(dir_ / name, text);
  }
  std::vector<std::string> found(const std::vector<std::string>& names) {
    std::vector<fs::path> paths;
    for (const auto& name : names) paths.push_back(dir_ / name);
    std::vector<std::string> result;
    for (const FoundFile& file : find_pictures(paths))
      result.push_back(file.path.lexically_relative(dir_).string());
    return result;
  }
  fs::path dir_;
};

TEST_F(Folder, FindsPicturesByExtensionSortedByPath) {
  for (const char* name : {"p/b.jpg", "p/a/z.PNG", "p/a.webp", "p/c.gif", "p/d.JPEG", "p/notes.txt",
                           "p/jpg", "p/.x.jpg", "p/.thumbs/y.jpg"}) {
    touch(name);
  }
  EXPECT_EQ(found({"p"}),
            (std::vector<std::string>{"p/a.webp", "p/a/z.PNG", "p/b.jpg", "p/c.gif", "p/d.JPEG"}));
}

TEST_F(Folder, FilesKeepTheOrderGivenWhateverTheirExtension) {
  touch("b.jpg");
  touch("a.bin");
  touch("p/c.png");
  EXPECT_EQ(found({"b.jpg", "p", "a.bin", "b.jpg"}),
            (std::vector<std::string>{"b.jpg", "p/c.png", "a.bin", "b.jpg"}));
}

TEST_F(Folder, FollowsLinksToFilesButNotToFoldersAndSkipsDanglingOnes) {
  touch("real/a.jpg");
  fs::create_directories(dir_ / "p");
  fs::create_symlink(dir_ / "real/a.jpg", dir_ / "p/link.jpg");
  fs::create_directory_symlink(dir_ / "p", dir_ / "p/loop");
  fs::create_symlink(dir_ / "none", dir_ / "p/dangling.jpg");
  EXPECT_EQ(found({"p"}), (std::vector<std::string>{"p/link.jpg"}));
}

TEST_F(Folder, TellsSizeAndTimeOfEachFile) {
  touch("a.jpg", "12345");
  const timespec times[2] = {{1, 2}, {1'700'000'000, 123'456'789}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (dir_ / "a.jpg").c_str(), times, 0), 0);
  const auto files = find_pictures({dir_ / "a.jpg"});
  EXPECT_EQ(files.at(0).size_bytes, 5U);
  EXPECT_EQ(files.at(0).mtime_ns, 1'700'000'000'123'456'789);
}

TEST_F(Folder, AMissingPathIsNotFoundAndAnEmptyFolderIsBadInput) {
  touch("p/readme.md");
  const auto error = [&](const std::string& name) {
    try {
      find_pictures({dir_ / name});
    } catch (const Error& e) {
      return std::pair(e.kind(), std::string(e.what()));
    }
    return std::pair(Kind::kInternal, std::string("nothing thrown"));
  };
  EXPECT_EQ(error("none").first, Kind::kNotFound);
  EXPECT_EQ(error("p"),
            std::pair(Kind::kInput, "no pictures below " + (dir_ / "p").string() +
                                        ". Expected .jpg, .jpeg, .png, .webp, .gif files."));
}

}  // namespace
}  // namespace tandem
