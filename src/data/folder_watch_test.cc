#include "data/folder_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/files.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::ElementsAre;

class Watch : public ::testing::Test {
 protected:
  Watch() {
    std::string pattern = (fs::temp_directory_path() / "tandem_watch_XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
    fs::create_directories(dir_ + "/a/deep");
  }
  ~Watch() override { fs::remove_all(dir_); }
  void touch(const std::string& name) { write_file_atomically(dir_ + "/" + name, "x"); }
  static constexpr FolderWatch::Pace kFast{2'000ms, 50ms, 1'000ms};
  static constexpr FolderWatch::Pace kShort{200ms, 50ms, 1'000ms};
  std::string dir_;
};

TEST_F(Watch, NamesTheFolderOfWhatChanged) {
  FolderWatch watch({dir_});
  touch("a/deep/x.jpg");
  EXPECT_THAT(watch.wait(kFast).paths, ElementsAre(dir_ + "/a/deep"));
  fs::remove(dir_ + "/a/deep/x.jpg");
  EXPECT_THAT(watch.wait(kFast).paths, ElementsAre(dir_ + "/a/deep"));
  touch("a/x.txt");
  touch("y.png");
  EXPECT_THAT(watch.wait(kFast).paths, ElementsAre(dir_));  // which has the other within
}

TEST_F(Watch, OtherFilesAreNothing) {
  FolderWatch watch({dir_});
  touch("a/x.db");
  touch("a/.hidden.jpg");
  EXPECT_FALSE(watch.wait(kShort).any());
}

TEST_F(Watch, NewFoldersAreWatchedToo) {
  FolderWatch watch({dir_});
  fs::create_directories(dir_ + "/new/deeper");
  EXPECT_THAT(watch.wait(kFast).paths, ElementsAre(dir_ + "/new"));
  touch("new/deeper/x.jpg");
  EXPECT_THAT(watch.wait(kFast).paths, ElementsAre(dir_ + "/new/deeper"));
  fs::rename(dir_ + "/new", dir_ + "/moved");
  EXPECT_THAT(watch.wait(kFast).paths, ElementsAre(dir_ + "/moved", dir_ + "/new"));
  touch("moved/deeper/y.jpg");  // known by its new name
  EXPECT_THAT(watch.wait(kFast).paths, ElementsAre(dir_ + "/moved/deeper"));
}

TEST_F(Watch, AFileGivenByItself) {
  touch("a/x.jpg");
  FolderWatch watch({dir_ + "/a/x.jpg"});
  touch("a/y.jpg");
  EXPECT_FALSE(watch.wait(kShort).any());
  touch("a/x.jpg");
  EXPECT_THAT(watch.wait(kFast).paths, ElementsAre(dir_ + "/a/x.jpg"));
}

}  // namespace
}  // namespace tandem
