#include "core/files.h"

#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"

namespace {

// What commit() asks of the operating system, in order.
std::vector<std::string>* g_calls = nullptr;

}  // namespace

// These take the place of the C library's functions in this executable.
extern "C" int fsync(int fd) {
  struct stat status{};
  if (g_calls != nullptr && ::fstat(fd, &status) == 0) {
    g_calls->push_back(S_ISDIR(status.st_mode) ? "sync folder" : "sync file");
  }
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

extern "C" int rename(const char* from, const char* to) noexcept {
  if (g_calls != nullptr) g_calls->push_back("rename");
  return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

namespace tandem {
namespace {

namespace fs = std::filesystem;

class Files : public ::testing::Test {
 protected:
  Files() {
    std::string pattern = (fs::temp_directory_path() / "tandem_files_XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
  }
  ~Files() override { fs::remove_all(dir_); }
  std::size_t entries() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(dir_), fs::directory_iterator()));
  }
  fs::path dir_;
};

template <typename Body>
Kind kind_of(Body body) {
  try {
    body();
  } catch (const Error& e) {
    return e.kind();
  }
  ADD_FAILURE() << "should have thrown";
  return Kind::kInternal;
}

TEST_F(Files, AMissingFileIsNotFoundAndAFolderIsNotAFile) {
  EXPECT_EQ(kind_of([&] { MappedFile{dir_ / "none"}; }), Kind::kNotFound);
  EXPECT_EQ(kind_of([&] { read_text_file(dir_ / "none"); }), Kind::kNotFound);
  EXPECT_EQ(kind_of([&] { read_text_file(dir_); }), Kind::kInput);
  EXPECT_EQ(kind_of([&] { AtomicFile{dir_ / "none" / "x"}; }), Kind::kNotFound);
}

TEST_F(Files, WritesReadsAndMapsTheSameBytes) {
  std::string text(3'000'000, 'x');  // more than one buffer
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7);
  AtomicFile file(dir_ / "a");
  file.write(std::string_view(text).substr(0, 10));
  file.write(std::string_view(text).substr(10, 2'000'000));
  file.write(std::string_view(text).substr(2'000'010));
  EXPECT_EQ(file.size(), text.size());
  file.commit();
  EXPECT_EQ(read_text_file(dir_ / "a"), text);
  MappedFile mapped(dir_ / "a");
  const MappedFile moved(std::move(mapped));
  const auto bytes = moved.bytes();
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()), text);
  EXPECT_EQ(entries(), 1U) << "no temporary stays behind";
}

TEST_F(Files, AnEmptyFileIsReadAndMapped) {
  write_file_atomically(dir_ / "a", "");
  EXPECT_TRUE(read_file(dir_ / "a").empty());
  EXPECT_TRUE(MappedFile(dir_ / "a").bytes().empty());
}

TEST_F(Files, RefusesAFileOverTheLimit) {
  write_file_atomically(dir_ / "a", "12345");
  EXPECT_EQ(read_text_file(dir_ / "a", 5), "12345");
  EXPECT_EQ(kind_of([&] { read_text_file(dir_ / "a", 4); }), Kind::kInput);
}

TEST_F(Files, ReadsFilesWhoseSizeIsNotKnownBefore) {
  EXPECT_NE(read_text_file("/proc/self/status").find("Pid:"), std::string::npos);
}

TEST_F(Files, OverwritesBytesAlreadyWritten) {
  AtomicFile file(dir_ / "a");
  file.write("rows=0000;data");
  const std::string count = "0042";
  file.write_at(5, std::as_bytes(std::span(count)));
  EXPECT_EQ(kind_of([&] { file.write_at(12, std::as_bytes(std::span(count))); }), Kind::kInternal);
  file.write("+more");
  file.commit();
  EXPECT_EQ(read_text_file(dir_ / "a"), "rows=0042;data+more");
}

TEST_F(Files, WithoutCommitTheOldFileStays) {
  write_file_atomically(dir_ / "a", "old");
  {
    AtomicFile file(dir_ / "a");
    file.write("new");
  }
  EXPECT_EQ(read_text_file(dir_ / "a"), "old");
  EXPECT_EQ(entries(), 1U);
}

TEST_F(Files, CommitSyncsTheFileThenRenamesThenSyncsTheFolder) {
  std::vector<std::string> calls;
  AtomicFile file(dir_ / "a");
  file.write("text");
  g_calls = &calls;
  file.commit();
  g_calls = nullptr;
  EXPECT_EQ(calls, (std::vector<std::string>{"sync file", "rename", "sync folder"}));
}

TEST_F(Files, ReplacingKeepsTheOldFilesPermissions) {
  write_file_atomically(dir_ / "a", "old");
  fs::permissions(dir_ / "a", fs::perms::owner_read | fs::perms::owner_write);
  write_file_atomically(dir_ / "a", "new");
  EXPECT_EQ(fs::status(dir_ / "a").permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

// A child process with a file-size limit stands for a full disk: write() fails in the middle.
TEST_F(Files, AFullDiskIsAnIoErrorAndLeavesTheOldFile) {
  write_file_atomically(dir_ / "a", "old");
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1'500'000, 1'500'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    int code = 1;
    try {
      AtomicFile file(dir_ / "a");
      file.write(std::string(2'000'000, 'x'));
      file.commit();
    } catch (const Error& e) {
      const bool clear = std::string(e.what()).find("cannot write " + (dir_ / "a").string()) == 0;
      code = e.kind() == Kind::kIo && clear ? 0 : 2;
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(read_text_file(dir_ / "a"), "old");
  EXPECT_EQ(entries(), 1U);
}

TEST_F(Files, AFileCutShortAfterMappingIsNoticed) {
  write_file_atomically(dir_ / "a", std::string(10'000, 'x'));
  const MappedFile mapped(dir_ / "a");
  mapped.check_unchanged();
  fs::resize_file(dir_ / "a", 100);
  EXPECT_EQ(kind_of([&] { mapped.check_unchanged(); }), Kind::kIo);
  std::vector<std::byte> into(200);
  EXPECT_EQ(kind_of([&] { mapped.read(0, into); }), Kind::kIo);
}

TEST_F(Files, AFileReplacedAfterMappingStaysWhole) {
  write_file_atomically(dir_ / "a", std::string(10'000, 'x'));
  const MappedFile mapped(dir_ / "a");
  write_file_atomically(dir_ / "a", "short");
  mapped.check_unchanged();
  EXPECT_EQ(mapped.bytes()[9'999], std::byte{'x'});
}

TEST_F(Files, DroppedPagesAreReadAgainAndOtherMemoryIsLeftAlone) {
  write_file_atomically(dir_ / "a", std::string(100'000, 'x'));
  const MappedFile mapped(dir_ / "a");
  drop_pages(mapped.bytes().subspan(5'000, 60'000), mapped.bytes());
  EXPECT_EQ(mapped.bytes()[5'000], std::byte{'x'});
  EXPECT_EQ(mapped.bytes()[99'999], std::byte{'x'});
  const std::vector<std::byte> own(100'000, std::byte{'y'});
  drop_pages(own, mapped.bytes());
  EXPECT_EQ(own[50'000], std::byte{'y'});
}

}  // namespace
}  // namespace tandem
