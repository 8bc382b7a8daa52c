// Full disks and read-only media: one clear error, nothing lost, and reading goes on.
#include <csignal>
#include <fstream>
#include <functional>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "index/test_collection.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr int kWidth = 64;

Collection open(const fs::path& dir, OpenMode mode) {
  return Collection::open(dir, mode, "mini", "3f2a", kWidth);
}

// Adds batches PREFIX0/…, PREFIX1/…, at most 200 of them, until one fails. Returns how many were
// acknowledged.
std::size_t add_until_refused(Collection& collection, const std::string& prefix) {
  constexpr std::size_t kBatch = 500;
  Rng rng(1);
  std::size_t batches = 0;
  const auto [kind, text] = error_of([&] {
    for (; batches < 200; ++batches) {
      collection.upsert(numbered_items(prefix + std::to_string(batches), kBatch),
                        random_units(rng, kBatch, kWidth));
    }
  });
  EXPECT_EQ(kind, Kind::kIo) << text;
  EXPECT_THAT(text, HasSubstr("items.sqlite"));
  EXPECT_EQ(text.find('\n'), std::string::npos);
  return batches * kBatch;
}

void expect_whole(const Collection& collection, std::size_t count) {
  EXPECT_EQ(collection.size(), count);
  EXPECT_EQ(collection.search(std::vector<float>(kWidth, 0.1F), {.top_k = 1'000'000}).size(),
            count);
}

// Runs `body` in a process of its own, since what it changes would stay. Its exit code is a
// failure's number, or kSkip.
constexpr int kSkip = 77;
int in_process(const std::function<void()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    try {
      body();
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(CollectionDisk, AFileThatMayNotGrowIsOneErrorAndLosesNothing) {
  const TestFolder folder;
  const fs::path dir = folder.path() / "c.tandem";
  const int code = in_process([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    auto collection = open(dir, OpenMode::kWrite);
    const Collection beside = open(dir, OpenMode::kRead);
    const rlimit before{.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    const rlimit small{.rlim_cur = 2'000'000, .rlim_max = RLIM_INFINITY};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const std::size_t count = add_until_refused(collection, "a");
    ASSERT_GT(count, 0U);
    expect_whole(collection, count);
    expect_whole(beside, count);
    // A graph that has no room leaves things as they were.
    const auto graph =
        error_of([&] { collection.update_graph({.minimum_rows = 1, .threads = 1}); });
    if (graph.second != "nothing thrown") EXPECT_EQ(graph.first, Kind::kIo) << graph.second;
    expect_whole(beside, count);
    if (::setrlimit(RLIMIT_FSIZE, &before) != 0) return;
    collection.upsert(numbered_items("later", 10), Matrix(10, kWidth));
    expect_whole(beside, count + 10);
  });
  EXPECT_EQ(code, 0);
}

// A small file system of its own. Needs the right to mount one; skipped without.
bool mount_small(const fs::path& at, const char* size) {
  if (::unshare(CLONE_NEWNS) != 0) return false;
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  return ::mount("tmpfs", at.c_str(), "tmpfs", 0, (std::string("size=") + size).c_str()) == 0;
}

TEST(CollectionDisk, AFullDiskIsOneErrorAndReadingGoesOn) {
  const TestFolder folder;
  const fs::path dir = folder.path() / "c.tandem";
  const int code = in_process([&] {
    if (!mount_small(folder.path(), "3m")) ::_exit(kSkip);
    std::ofstream(folder.path() / "ballast") << std::string(500'000, 'x');
    std::size_t count = 0;
    {
      auto collection = open(dir, OpenMode::kWrite);
      count = add_until_refused(collection, "a");
      ASSERT_GT(count, 0U);
      expect_whole(collection, count);
      EXPECT_EQ(error_of([&] { collection.update_graph({.minimum_rows = 1, .threads = 1}); }).first,
                Kind::kIo);
      expect_whole(collection, count);
    }
    {  // to the last byte
      std::ofstream rest(folder.path() / "rest");
      while (rest.put('x').flush()) {
      }
    }
    expect_whole(open(dir, OpenMode::kRead), count);
    const auto [kind, text] = error_of([&] {
      auto collection = open(dir, OpenMode::kWrite);
      collection.upsert(numbered_items("b", 500), Matrix(500, kWidth));
    });
    EXPECT_EQ(kind, Kind::kIo);
    EXPECT_THAT(text, HasSubstr("full"));
    fs::remove(folder.path() / "rest");
    fs::remove(folder.path() / "ballast");
    auto collection = open(dir, OpenMode::kWrite);
    expect_whole(collection, count);
    const auto ids = collection.sample(count);
    collection.remove(std::span(ids).first(count / 2));
    expect_whole(collection, count - count / 2);
  });
  if (code == kSkip) GTEST_SKIP() << "may not mount file systems";
  EXPECT_EQ(code, 0);
}

TEST(CollectionDisk, ReadOnlyMediaAreReadAndWritingIsOneError) {
  const TestFolder folder;
  const fs::path dir = folder.path() / "c.tandem";
  const int code = in_process([&] {
    if (!mount_small(folder.path(), "8m")) ::_exit(kSkip);
    Rng rng(1);
    {
      auto collection = open(dir, OpenMode::kWrite);
      collection.upsert(numbered_items("a", 500), random_units(rng, 500, kWidth));
      collection.update_graph({.minimum_rows = 1, .threads = 1});
    }
    ASSERT_EQ(::mount(nullptr, folder.path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
    expect_whole(open(dir, OpenMode::kRead), 500);
    EXPECT_EQ(open(dir, OpenMode::kRead).search(random_unit(rng, kWidth), {.graph_rows = 1}).size(),
              10U);
    for (const char* name : {"c.tandem", "new.tandem"}) {
      const auto [kind, text] = error_of([&] { open(folder.path() / name, OpenMode::kWrite); });
      EXPECT_EQ(kind, Kind::kIo);
      EXPECT_THAT(text, HasSubstr("Read-only file system"));
    }
  });
  if (code == kSkip) GTEST_SKIP() << "may not mount file systems";
  EXPECT_EQ(code, 0);
}

}  // namespace
}  // namespace tandem
