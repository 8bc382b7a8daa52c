// Acknowledged means committed: a writer is killed with SIGKILL at random instants.
#include <csignal>
#include <filesystem>
#include <gtest/gtest.h>
#include <map>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "core/rng.h"
#include "index/collection.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr int kWidth = 8;
constexpr int kBatch = 5;

// What batch `n` writes. Every third batch overwrites the one before it.
std::vector<Item> batch_items(int n) {
  std::vector<Item> items(kBatch);
  for (int i = 0; i < kBatch; ++i) {
    items[static_cast<std::size_t>(i)].uri =
        "b" + std::to_string(n % 3 == 2 ? n - 1 : n) + "/" + std::to_string(i);
    items[static_cast<std::size_t>(i)].caption = std::to_string(n);
  }
  return items;
}

// The child: writes batches and acknowledges each through the pipe, until it is killed.
[[noreturn]] void write_batches(const fs::path& dir, int first, int pipe) {
  try {
    Collection collection = Collection::open(dir, OpenMode::kWrite, "mini", "f", kWidth);
    for (int n = first;; ++n) {
      Matrix vectors(kBatch, kWidth);
      for (std::size_t i = 0; i < kBatch; ++i) vectors.row(i)[0] = static_cast<float>(n % 1000);
      collection.upsert(batch_items(n), vectors);
      if (::write(pipe, &n, sizeof(n)) != sizeof(n)) ::_exit(2);
    }
  } catch (const Error&) {
    ::_exit(3);
  }
}

// Starts a writer, waits for `batches` acknowledgements and `delay_us` more, kills it, and returns
// the last batch it acknowledged (first - 1: none).
int run_and_kill(const fs::path& dir, int first, std::uint64_t batches, std::uint64_t delay_us) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    write_batches(dir, first, ends[1]);
  }
  ::close(ends[1]);
  int acknowledged = first - 1;
  int n = 0;
  while (batches-- > 0 && ::read(ends[0], &n, sizeof(n)) == sizeof(n)) acknowledged = n;
  ::usleep(static_cast<useconds_t>(delay_us));
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself";
  while (::read(ends[0], &n, sizeof(n)) == sizeof(n)) acknowledged = n;
  ::close(ends[0]);
  return acknowledged;
}

TEST(CollectionKill, EveryAcknowledgedBatchIsThereWholeAfterAKill) {
  std::string pattern = (fs::temp_directory_path() / "tandem_kill_XXXXXX").string();
  const fs::path dir = ::mkdtemp(pattern.data());
  Rng rng(static_cast<std::uint64_t>(::getpid()));
  int next = 0;
  for (int round = 0; round < 40; ++round) {
    const int acknowledged = run_and_kill(dir, next, rng.below(4), rng.below(15'000));
    if (!fs::exists(dir / "items.sqlite")) continue;
    // A reader needs no repair. At most the one batch in flight may be there without
    // acknowledgement.
    const bool created = acknowledged >= 0 || next > 0;
    if (created) {
      const Collection reader = Collection::open(dir, OpenMode::kRead, "mini", "f", kWidth);
      for (int n = std::max(0, next - 3); n <= acknowledged; ++n) {
        const bool overwritten = n % 3 == 1 && n + 1 <= acknowledged;
        for (const Item& item : batch_items(n)) {
          const auto found = reader.find_uri(item.uri);
          ASSERT_TRUE(found) << "batch " << n << " of " << acknowledged << " lost " << item.uri;
          const int seen = std::stoi(found->caption);
          ASSERT_TRUE(seen == n || (seen == n + 1 && n % 3 == 1))
              << item.uri << " holds batch " << seen;
          ASSERT_TRUE(!overwritten || seen == n + 1);
        }
      }
      ASSERT_EQ(reader.size() % kBatch, 0U) << "half a batch is visible";
      ASSERT_EQ(reader.search(std::vector<float>(kWidth, 1.0F), {.top_k = 1'000'000}).size(),
                reader.size());
    }
    next = acknowledged + 1;
  }
  EXPECT_GT(next, 0);
  fs::remove_all(dir);
}

}  // namespace
}  // namespace tandem
